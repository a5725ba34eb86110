"""Everything that can be wrong with ``ENTRA_AUTH``, said before it matters."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from django_entra_auth.conf.settings import SETTING_FIELDS, EntraSettings, build_settings
from django_entra_auth.conf.values import is_scoped

# What other packages call the same thing, so that somebody who moves here is told the new name.
PEER_NAMES = {
    "AUTO_CREATE_USERS": "CREATE_USERS",
    "BLOCK_GUEST_USERS": "BLOCK_GUESTS",
    "CLIENT_ASSERTION": "CLIENT_CREDENTIAL",
    "CLIENT_SECRET": "CLIENT_CREDENTIAL",
    "CREATE_NEW_USERS": "CREATE_USERS",
    "GROUP_TO_FLAG_MAPPING": "STAFF_ROLES",
    "MIRROR_GROUPS": "GROUP_MAPPING",
    "OIDC_CREATE_USER": "CREATE_USERS",
    "OIDC_OP_AUTHORIZATION_ENDPOINT": "AUTHORITY",
    "OIDC_RP_CLIENT_ID": "CLIENT_ID",
    "OIDC_RP_CLIENT_SECRET": "CLIENT_CREDENTIAL",
    "OIDC_RP_SCOPES": "SCOPES",
    "RELYING_PARTY_ID": "CLIENT_ID",
    "SCOPE": "SCOPES",
    "SECRET": "CLIENT_CREDENTIAL",
    "SERVER": "AUTHORITY",
    "TENANT": "TENANT_ID",
    "TIMEOUT": "HTTP_TIMEOUT",
}


class Problem(NamedTuple):
    """One thing wrong with the settings; `code` becomes the system check's id."""

    code: str
    message: str
    hint: str


def find_problems(raw: object) -> list[Problem]:
    """Everything wrong with the value of ``ENTRA_AUTH``, in the order to mend it."""
    if raw is None:
        return [Problem("E001", "ENTRA_AUTH is not set.", "Add ENTRA_AUTH = {...} to settings.")]
    if not isinstance(raw, Mapping):
        return [Problem("E001", "ENTRA_AUTH is not a dict.", "Write ENTRA_AUTH = {...}.")]
    problems = [*_unknown(raw), *_missing(raw), *_malformed(raw)]
    return problems or list(_contradictions(build_settings(raw)))


def _unknown(raw: Mapping[Any, Any]) -> Iterator[Problem]:
    for key in raw:
        if key not in SETTING_FIELDS:
            name = str(key).upper()
            near = difflib.get_close_matches(name, SETTING_FIELDS, n=1, cutoff=0.6)
            guess = name if name in SETTING_FIELDS else PEER_NAMES.get(name) or "".join(near)
            hint = f"Did you mean {guess}?" if guess else "Remove it."
            yield Problem("E003", f"ENTRA_AUTH has an unknown key {key!r}.", hint)


def _missing(raw: Mapping[Any, Any]) -> Iterator[Problem]:
    for key in ("CLIENT_ID", "CLIENT_CREDENTIAL"):
        if key not in raw:
            hint = "Copy it from the app registration in the Entra admin center."
            yield Problem("E001", f"ENTRA_AUTH[{key!r}] is missing.", hint)
    if not raw.get("TENANT_ID") and not raw.get("AUTHORITY"):
        hint = "Set TENANT_ID to the directory's GUID or domain, or AUTHORITY to a full URL."
        yield Problem("E001", "ENTRA_AUTH has neither TENANT_ID nor AUTHORITY.", hint)


def _malformed(raw: Mapping[Any, Any]) -> Iterator[Problem]:
    for key, item in SETTING_FIELDS.items():
        if key in raw and (fault := item.metadata["check"](raw[key])):
            yield Problem("E002", f"ENTRA_AUTH[{key!r}] {fault}.", "Correct the value.")


def _contradictions(built: EntraSettings) -> Iterator[Problem]:
    if built.is_multi_tenant and not built.allowed_tenants:
        yield Problem(
            "E004",
            "ENTRA_AUTH['ALLOWED_TENANTS'] is empty, but people of any tenant could sign in.",
            "List the tenant GUIDs that may sign in, or ['*'] for any organization.",
        )
    if built.is_local_authority and not built.local_emulator:
        yield Problem(
            "E005",
            "ENTRA_AUTH['AUTHORITY'] is on this machine or not https.",
            "Use the https address of Entra; for the local emulator set LOCAL_EMULATOR to True.",
        )
    if built.may_have_several_tenants:
        granted = [*built.staff_roles, *built.superuser_roles, *built.group_mapping]
        if bare := [value for value in granted if not is_scoped(value)]:
            yield Problem(
                "E007",
                f"ENTRA_AUTH grants {bare[0]!r} without saying of which tenant.",
                'More than one tenant is possible: write "<tenant GUID>:<value>".',
            )
