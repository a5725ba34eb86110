"""Sign people in to a site with a user model of its own; prints as JSON what became of them."""

from __future__ import annotations

import json
import sys
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command

from django_entra_auth.emulator import Emulator
from tests.settings import base

MAPPING = {
    "nick": "nickname",
    "number": "employee_id",
    "department": "department",
    "mail": "email",
}


def main(model: str) -> None:
    values = {name: getattr(base, name) for name in dir(base) if name.isupper()}
    values["INSTALLED_APPS"] = [
        *(app for app in base.INSTALLED_APPS if app != "django.contrib.admin"),
        "tests.people.own_users",
    ]
    values["AUTH_USER_MODEL"] = f"own_users.{model}"
    values["ROOT_URLCONF"] = "tests.site.urls_without_admin"
    with Emulator(port=0) as entra:
        group = entra.people["alice"].groups[0]
        values["ENTRA_AUTH"] = {
            **base.ENTRA_AUTH,
            "AUTHORITY": entra.authority,
            "CLAIM_MAPPING": MAPPING,
            "GROUPS_CLAIM": "groups",
            "GROUP_MAPPING": {group: "team"},
            "STAFF_ROLES": [group],
        }
        settings.configure(**values)
        django.setup()
        call_command("migrate", run_syncdb=True, verbosity=0)
        sys.stdout.write(json.dumps(CASES[model](entra)))


def sign_in(entra: Emulator, person: str) -> int:
    from tests.visitor import Visitor

    return int(Visitor(entra).sign_in(person).status_code)


def list_users(*fields: str) -> list[list[Any]]:
    from django.contrib.auth import get_user_model

    return [list(row) for row in get_user_model().objects.order_by("pk").values_list(*fields)]


def customers(entra: Emulator) -> Any:
    from django.contrib.auth import get_user_model

    entra.optional_claims |= {"groups"}
    get_user_model().objects.create(mail="bob@contoso.example", is_staff=True, nick="boss")
    claims = {"nickname": "Boss", "employee_id": "12", "department": "1"}
    entra.people["alice"].extra_claims = claims
    entra.people["bob"].extra_claims = {"nickname": "bobby", "employee_id": "twelve"}
    statuses = [sign_in(entra, person) for person in ("alice", "bob", "carol", "alice")]
    return [statuses, list_users("mail", "nick", "number", "department", "is_staff")]


def members(entra: Emulator) -> Any:
    from django.contrib.auth import get_user_model

    get_user_model().objects.create(login="old", mail="")
    statuses = [sign_in(entra, person) for person in ("alice", "bob")]
    entra.people["alice"].mail = "bob@contoso.example"
    statuses.append(sign_in(entra, "alice"))
    return [statuses, list_users("login", "mail")]


CASES = {"Customer": customers, "Member": members}


if __name__ == "__main__":
    main(sys.argv[1])
