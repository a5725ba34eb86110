"""The project's own app: allauth maps no groups, so a signal does it."""

from typing import Any

from django.apps import AppConfig

GROUPS = {"Editor": "editors"}


class BeforeConfig(AppConfig):
    """Roles of the ID token become groups."""

    name = "tests.migration.allauth.before"
    label = "before"

    def ready(self) -> None:
        from allauth.account.signals import user_logged_in

        user_logged_in.connect(apply_groups)


def apply_groups(sender: Any, user: Any, sociallogin: Any = None, **arguments: Any) -> None:
    from django.contrib.auth.models import Group

    data = sociallogin.account.extra_data if sociallogin else {}
    roles = data.get("id_token", {}).get("roles", [])
    names = [GROUPS[role] for role in roles if role in GROUPS]
    user.groups.set([Group.objects.get_or_create(name=name)[0] for name in names])
