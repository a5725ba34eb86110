"""Who is who, and which sign-ins are alive; no token is ever stored here."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class EntraIdentity(models.Model):
    """The link between a user and an Entra account; the only way an account is recognised.

    `tid` and `oid` are lower-case GUIDs; together they never change and are never reused,
    unlike an e-mail address or a user principal name.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="entra_identities",
        verbose_name=_("user"),
    )
    tid = models.CharField(_("tenant id"), max_length=36)
    oid = models.CharField(_("object id"), max_length=36)
    created = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("Entra identity")
        verbose_name_plural = _("Entra identities")
        constraints = [
            models.UniqueConstraint(fields=["tid", "oid"], name="django_entra_auth_tid_oid"),
        ]

    def __str__(self) -> str:
        return f"{self.oid}.{self.tid}"


class EntraSignIn(models.Model):
    """One browser's sign-in; written when it starts, is prompted again or ends.

    `id_hash` is the SHA-256 of the sign-in id that lives in the session; `session_key` is sealed,
    so that a reader of the database cannot take a session over.
    """

    id_hash = models.CharField(_("sign-in id hash"), max_length=64, unique=True)
    identity = models.ForeignKey(
        EntraIdentity,
        on_delete=models.CASCADE,
        related_name="sign_ins",
        verbose_name=_("Entra identity"),
    )
    sid = models.CharField(_("Entra session id"), max_length=36, blank=True, db_index=True)
    issuer = models.CharField(_("issuer"), max_length=255)
    session_key = models.BinaryField(_("sealed session key"))
    created = models.DateTimeField(_("created"), auto_now_add=True)
    contexts = models.JSONField(_("authentication contexts"), default=list)
    last_prompt = models.DateTimeField(_("last prompt"))

    class Meta:
        verbose_name = _("Entra sign-in")
        verbose_name_plural = _("Entra sign-ins")
        ordering = ["-created"]

    def __str__(self) -> str:
        return self.id_hash[:12]
