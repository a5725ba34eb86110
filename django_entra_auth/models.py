"""Who is who, which sign-ins are alive, and what went wrong; no token is ever stored here."""

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
        permissions = [("end_entrasignin", _("Can end Entra sign-ins"))]

    def __str__(self) -> str:
        return self.id_hash[:12]


class ErrorKind(models.TextChoices):
    """What was under way when it failed."""

    SIGN_IN = "sign_in", _("sign-in")
    REFRESH = "refresh", _("token")
    CHALLENGE = "challenge", _("prompt")
    STOP = "stop", _("stopped")
    THROTTLE = "throttle", _("held back")
    CONFIGURATION = "configuration", _("configuration")


class TokenErrorRecord(models.Model):
    """What failed, for whom, and how often within a minute; kept for TOKEN_ERROR_RETENTION_DAYS.

    `fingerprint` is equal for events that count as the same; `minute` is the Unix time of the
    first one in minutes. Nothing here is a secret: words are of closed lists, ids are GUIDs.
    """

    kind = models.CharField(_("what failed"), max_length=16, choices=ErrorKind.choices)
    category = models.CharField(_("category"), max_length=20, blank=True)
    reason = models.CharField(_("reason"), max_length=32, blank=True)
    error = models.CharField(_("error"), max_length=48, blank=True)
    suberror = models.CharField(_("sub-error"), max_length=32, blank=True)
    number = models.PositiveIntegerField(_("AADSTS number"), null=True, blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("person"),
    )
    tid = models.CharField(_("tenant id"), max_length=36, blank=True)
    oid = models.CharField(_("object id"), max_length=36, blank=True)
    resource = models.CharField(_("resource"), max_length=120, blank=True)
    claims = models.TextField(_("claims asked for"), blank=True)
    correlation_id = models.CharField(_("correlation id"), max_length=36, blank=True)
    trace_id = models.CharField(_("trace id"), max_length=36, blank=True)
    first_seen = models.DateTimeField(_("first seen"))
    last_seen = models.DateTimeField(_("last seen"), db_index=True)
    count = models.PositiveIntegerField(_("count"), default=1)
    throttle_key = models.CharField(_("throttle key"), max_length=64, blank=True)
    throttle_until = models.DateTimeField(_("held back until"), null=True, blank=True)
    fingerprint = models.CharField(max_length=64, editable=False)
    minute = models.PositiveBigIntegerField(editable=False)

    class Meta:
        verbose_name = _("token error")
        verbose_name_plural = _("token errors")
        ordering = ["-last_seen", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["fingerprint", "minute"], name="django_entra_auth_once_a_minute"
            ),
        ]
        indexes = [
            models.Index(fields=["category", "last_seen"], name="entra_error_category"),
            models.Index(fields=["number", "last_seen"], name="entra_error_number"),
            models.Index(fields=["tid", "last_seen"], name="entra_error_tenant"),
            models.Index(fields=["resource", "last_seen"], name="entra_error_resource"),
            models.Index(fields=["user", "last_seen"], name="entra_error_user"),
            models.Index(fields=["correlation_id"], name="entra_error_correlation"),
            models.Index(fields=["oid"], name="entra_error_object"),
            models.Index(fields=["throttle_until"], name="entra_error_throttle"),
        ]
        permissions = [
            ("release_throttle", _("Can let a held back request through")),
            ("forget_answer", _("Can forget an answer that is given again")),
        ]

    def __str__(self) -> str:
        return f"AADSTS{self.number}" if self.number else self.reason or self.error
