"""What each kind of value in ``ENTRA_AUTH`` has to look like, and how it is kept."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django_entra_auth.oauth2.authority import parse_authority, parse_origin

GLOBAL_CLOUD = "https://login.microsoftonline.com"

# A claim is somebody else's word; what a person may do comes from the role settings alone.
PRIVILEGED_FIELDS = frozenset(
    {"id", "pk", "password", "is_active", "is_staff", "is_superuser", "groups", "user_permissions"}
)

_SCOPED = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}:.")

Check = Callable[[Any], str | None]


def check_text(value: Any) -> str | None:
    """A text with something in it."""
    return None if isinstance(value, str) and value.strip() else "must be a non-empty string"


def check_flag(value: Any) -> str | None:
    """True or False, and not something that is merely true."""
    return None if isinstance(value, bool) else "must be True or False"


def check_number(value: Any) -> str | None:
    """A finite number of seconds, bytes or days."""
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return None if good and 0 <= value < math.inf else "must be a number, 0 or more"


def check_strings(value: Any) -> str | None:
    """Several texts."""
    good = isinstance(value, list | tuple | set | frozenset)
    good = good and all(isinstance(item, str) and item for item in value)
    return None if good else "must be a list of non-empty strings"


def _check_mapping(value: Any) -> str | None:
    good = isinstance(value, Mapping) and all(isinstance(key, str) and key for key in value)
    return None if good else "must be a dict with string keys"


def check_claim_mapping(value: Any) -> str | None:
    """User field to claim, no field among them that decides what a person may do."""
    if fault := _check_mapping(value):
        return fault
    if privileged := PRIVILEGED_FIELDS.intersection(value):
        return f"must not map a claim to {min(privileged)!r}"
    return None if all(map(_is_text, value.values())) else "must name a claim for every field"


def _is_text(value: Any) -> bool:
    return check_text(value) is None


def check_text_mapping(value: Any) -> str | None:
    """Text to text."""
    if fault := _check_mapping(value):
        return fault
    return None if all(map(_is_text, value.values())) else "must have strings as values"


def check_group_mapping(value: Any) -> str | None:
    """Role or group id to the name of a Django group, or several."""
    if fault := _check_mapping(value):
        return fault
    good = all(_is_text(names) or check_strings(names) is None for names in value.values())
    return None if good else "must give a group name, or a list of them, for every key"


def check_url(value: Any) -> str | None:
    """An absolute address without a query."""
    good = isinstance(value, str) and parse_origin(value) is not None and "?" not in value
    return None if good else "must be an absolute URL"


def check_authority(value: Any) -> str | None:
    """An address that names a tenant."""
    try:
        return None if value and parse_authority(value, allow_loopback=True) else "must be a URL"
    except (ValueError, TypeError):
        return "must be an https URL that names a tenant, such as https://host/tenant"


def check_tenant(value: Any) -> str | None:
    """What may stand in an authority's address as its tenant."""
    if _is_text(value) and check_authority(f"{GLOBAL_CLOUD}/{value}") is None:
        return None
    return "must be a tenant's GUID or domain, 'organizations', 'common' or 'consumers'"


def check_timeout(value: Any) -> str | None:
    """Two numbers of seconds."""
    good = isinstance(value, list | tuple) and len(value) == 2
    good = good and all(check_number(item) is None and item > 0 for item in value)
    return None if good else "must be two numbers above 0: seconds to connect, seconds to read"


def check_credential(value: Any) -> str | None:
    """A secret, a dict, a callable, or several; what a dict holds is the protocol layer's word."""
    forms = value if isinstance(value, list | tuple) else [value]
    if forms and all(map(_may_be_credential, forms)):
        return None
    return "must be a secret, a dict that describes a credential, a callable, or a list of these"


def _may_be_credential(form: Any) -> bool:
    return callable(form) or bool(isinstance(form, str | Mapping) and form)


def check_keys(value: Any) -> str | None:
    """Keys of 32 bytes in base64."""
    good = isinstance(value, list | tuple) and check_strings(value) is None
    if value is None or (good and all(map(decode_key, value))):
        return None
    return "must be a list of base64 strings of 32 bytes each"


_STANDARD_ALPHABET = str.maketrans("-_", "+/")


def decode_key(text: str) -> bytes | None:
    """The 32 bytes of a key in either alphabet of base64, None for anything else."""
    try:
        key = base64.b64decode(text.translate(_STANDARD_ALPHABET), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == 32 else None


def one_of(*allowed: str) -> Check:
    """A check for a closed set of texts."""
    text = " or ".join(repr(value) for value in allowed)
    return lambda value: None if _is_text(value) and value in allowed else f"must be {text}"


def optional(check: Check) -> Check:
    """A check that lets None pass."""
    return lambda value: None if value is None else check(value)


def lower(values: Sequence[str]) -> tuple[str, ...]:
    """The values in lower case, as GUIDs are compared."""
    return tuple(value.lower() for value in values)


def scoped(values: Sequence[str]) -> tuple[str, ...]:
    """`scope` for several values."""
    return tuple(map(scope, values))


def scope(value: str) -> str:
    """Spell the tenant of a "<tenant GUID>:<value>" in lower case."""
    return value[:36].lower() + value[36:] if _SCOPED.match(value) else value


def is_scoped(value: str) -> bool:
    """Whether a value says of which tenant it is: "<tenant GUID>:<value>"."""
    return _SCOPED.match(value) is not None
