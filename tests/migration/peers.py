"""The packages people move from, and how each of them is left."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TENANT_WIDE = ("alice", "erin", "heidi")


@dataclass(frozen=True)
class Peer:
    """One package.

    `linking` are the management commands of its guide, EXPORT standing for the file from Entra;
    `after` are the projects that have moved, `groups` what alice is in before and after.
    """

    name: str
    callback: str
    linking: tuple[tuple[str, ...], ...] = ()
    after: str = "after"
    groups: tuple[str, ...] = ("editors",)
    calls_graph: bool = True
    erins_way: str = "/me/"

    def commands(self, export: Path) -> list[list[str]]:
        """The linking step with the path of the exported file."""
        return [
            [str(export) if word == "EXPORT" else word for word in command]
            for command in self.linking
        ]


def write_export(entra: Any, path: Path) -> Path:
    """The list of people, with the columns of the admin center's download."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["userPrincipalName", "displayName", "mail", "id"])
        for name in TENANT_WIDE:
            person = entra.people[name]
            writer.writerow([person.username, person.name, person.mail, person.oid])
    return path


ADFS = Peer(
    "adfs",
    "/oauth2/callback",
    linking=(
        ("entra_link_users", "--csv", "EXPORT", "--match", "username"),
        ("entra_link_users", "--csv", "EXPORT", "--match", "username", "--apply"),
        (
            "entra_link_users",
            "--csv",
            "EXPORT",
            "--match",
            "username",
            "--include-staff",
            "--apply",
        ),
    ),
    groups=("Editor",),
    calls_graph=False,
)
MOZILLA = Peer(
    "mozilla",
    "/oidc/callback/",
    linking=(
        ("entra_link_users", "--csv", "EXPORT", "--match", "email"),
        ("entra_link_users", "--csv", "EXPORT", "--match", "email", "--apply"),
        ("entra_link_users", "--csv", "EXPORT", "--match", "email", "--include-staff", "--apply"),
    ),
)
ALLAUTH = Peer(
    "allauth",
    "/accounts/oidc/entra/login/callback/",
    linking=(
        ("entra_link_users", "--oid-field", "socialaccount__extra_data__id_token__oid", "--apply"),
        ("entra_link_users", "--oid-field", "socialaccount__uid", "--apply"),
    ),
    erins_way="/accounts/microsoft/login/",
)
MSAL = Peer(
    "msal",
    "/getAToken",
    linking=(("entra_link_users", "--oid-field", "username", "--apply"),),
)
MSAL_BY_BACKEND = Peer("msal", "/getAToken", after="after_linking")
IDENTITY = Peer("identity", "/signin/response")
