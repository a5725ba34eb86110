"""The authentication backend: a validated sign-in becomes a Django user."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import get_backends
from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils.module_loading import import_string

from django_entra_auth import provisioning
from django_entra_auth.conf import get_settings
from django_entra_auth.provisioning import Claims, SignInRefused, ValidatedSignIn


class EntraBackend(ModelBackend):
    """Users by (tid, oid); permissions as in Django.

    Override `verify_claims`, `user_can_authenticate`, `create_user`, `update_user` or
    `link_user` in a subclass and name it in AUTHENTICATION_BACKENDS. The default manager's
    e-mail or username is never used to find anybody.
    """

    def authenticate(  # type: ignore[override]  # takes no password
        self, request: HttpRequest | None, sign_in: ValidatedSignIn | None = None
    ) -> Any:
        """The user of the callback's validated result; raises SignInRefused (PermissionDenied)."""
        if not isinstance(sign_in, ValidatedSignIn):
            return None
        if not self.verify_claims(sign_in.claims):
            raise SignInRefused("claims_refused")
        try:
            user = self._provision(request, sign_in)
        except IntegrityError:
            # Another tab of this person was faster, or somebody of the same name.
            user = self._provision(request, sign_in, is_second=True)
        user.backend = self.path
        return user

    async def aauthenticate(  # type: ignore[override]  # takes no password either
        self, request: HttpRequest | None, sign_in: ValidatedSignIn | None = None
    ) -> Any:
        """Authenticate in a thread; Django's own would take a password."""
        return await sync_to_async(self.authenticate)(request, sign_in=sign_in)

    def verify_claims(self, claims: Claims) -> bool:
        """Whether the account may sign in at all; override to refuse."""
        return True

    def create_user(self, claims: Claims) -> Any:
        """A new user for an account that has none."""
        return provisioning.create_user(claims, get_settings())

    def update_user(self, user: Any, claims: Claims) -> None:
        """Bring the mapped fields up to date."""
        guest = provisioning.is_guest(claims)
        provisioning.update_user(user, claims, get_settings(), guest=guest)

    def link_user(self, claims: Claims) -> Any:
        """An existing user that this account, seen for the first time, belongs to; or None.

        Never decide by e-mail or user principal name alone: whoever runs another directory
        can set both.
        """
        return None

    @property
    def path(self) -> str:
        """The entry of AUTHENTICATION_BACKENDS that means this class; sessions are held to it."""
        for path in settings.AUTHENTICATION_BACKENDS:
            if import_string(path) is type(self):
                return path
        return f"{type(self).__module__}.{type(self).__qualname__}"

    @transaction.atomic
    def _provision(
        self, request: HttpRequest | None, sign_in: ValidatedSignIn, *, is_second: bool = False
    ) -> Any:
        claims, entra = sign_in.claims, get_settings()
        identity = provisioning.find_identity(claims, latest=is_second)
        user = identity.user if identity else self.link_user(claims)
        self._require_same_person(request, user)
        is_known = user is not None
        if user is None and entra.create_users:
            user = self.create_user(claims)
        if user is None:
            raise SignInRefused("user_unknown")
        if not self.user_can_authenticate(user):
            raise SignInRefused("user_disabled")
        if identity is None:
            provisioning.link_identity(user, claims)
        if entra.update_users or not is_known:
            self.update_user(user, claims)
        provisioning.apply_roles(user, claims, entra)
        return user

    def _require_same_person(self, request: HttpRequest | None, user: Any) -> None:
        """A running session, whatever backend signed it in, is never swapped for another user."""
        running = getattr(request, "user", None)
        if running is None or not running.is_authenticated:
            return
        if user is None or user.pk != running.pk:
            raise SignInRefused("account_mismatch")


def find_backend() -> EntraBackend:
    """The EntraBackend, or subclass, that AUTHENTICATION_BACKENDS names."""
    for backend in get_backends():
        if isinstance(backend, EntraBackend):
            return backend
    raise ImproperlyConfigured(
        "Add 'django_entra_auth.backends.EntraBackend' to AUTHENTICATION_BACKENDS."
    )
