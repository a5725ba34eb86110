"""mozilla-django-oidc maps no groups itself: projects do it in a backend of their own."""

from typing import Any

from django.contrib.auth.models import Group
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

GROUPS = {"Editor": "editors"}


class GroupsBackend(OIDCAuthenticationBackend):
    """Roles of the ID token become groups."""

    def get_userinfo(self, access_token: str, id_token: str, payload: dict[str, Any]) -> Any:
        return {**super().get_userinfo(access_token, id_token, payload), **payload}

    def create_user(self, claims: dict[str, Any]) -> Any:
        return self.update_user(super().create_user(claims), claims)

    def update_user(self, user: Any, claims: dict[str, Any]) -> Any:
        names = [GROUPS[role] for role in claims.get("roles", []) if role in GROUPS]
        user.groups.set([Group.objects.get_or_create(name=name)[0] for name in names])
        user.is_staff = "Admin" in claims.get("roles", [])
        user.save()
        return user
