"""The one settings dict ``ENTRA_AUTH``, as a frozen, typed object."""

from __future__ import annotations

import base64
import binascii
import difflib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from django_entra_auth.oauth2.authority import (
    Authority,
    is_loopback,
    parse_authority,
    parse_origin,
)

GLOBAL_CLOUD = "https://login.microsoftonline.com"
MULTI_TENANT_SEGMENTS = frozenset({"common", "organizations", "consumers"})

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

# A claim is somebody else's word; what a person may do comes from the role settings alone.
PRIVILEGED_FIELDS = frozenset(
    {"id", "pk", "password", "is_active", "is_staff", "is_superuser", "groups", "user_permissions"}
)

_SCOPED = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}:.")

Check = Callable[[Any], str | None]


class Problem(NamedTuple):
    """One thing wrong with the settings; `code` becomes the system check's id."""

    code: str
    message: str
    hint: str


def _check_text(value: Any) -> str | None:
    return None if isinstance(value, str) and value.strip() else "must be a non-empty string"


def _check_flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be True or False"


def _check_number(value: Any) -> str | None:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return None if good and 0 <= value < math.inf else "must be a number, 0 or more"


def _check_strings(value: Any) -> str | None:
    good = isinstance(value, list | tuple | set | frozenset)
    good = good and all(isinstance(item, str) and item for item in value)
    return None if good else "must be a list of non-empty strings"


def _check_mapping(value: Any) -> str | None:
    good = isinstance(value, Mapping) and all(isinstance(key, str) and key for key in value)
    return None if good else "must be a dict with string keys"


def _check_claim_mapping(value: Any) -> str | None:
    if fault := _check_mapping(value):
        return fault
    if privileged := PRIVILEGED_FIELDS.intersection(value):
        return f"must not map a claim to {min(privileged)!r}"
    return None if all(map(_is_text, value.values())) else "must name a claim for every field"


def _is_text(value: Any) -> bool:
    return _check_text(value) is None


def _check_text_mapping(value: Any) -> str | None:
    if fault := _check_mapping(value):
        return fault
    return None if all(map(_is_text, value.values())) else "must have strings as values"


def _check_group_mapping(value: Any) -> str | None:
    if fault := _check_mapping(value):
        return fault
    good = all(_is_text(names) or _check_strings(names) is None for names in value.values())
    return None if good else "must give a group name, or a list of them, for every key"


def _check_url(value: Any) -> str | None:
    good = isinstance(value, str) and parse_origin(value) is not None and "?" not in value
    return None if good else "must be an absolute URL"


def _check_authority(value: Any) -> str | None:
    try:
        return None if value and parse_authority(value, allow_loopback=True) else "must be a URL"
    except (ValueError, TypeError):
        return "must be an https URL that names a tenant, such as https://host/tenant"


def _check_tenant(value: Any) -> str | None:
    if _is_text(value) and _check_authority(f"{GLOBAL_CLOUD}/{value}") is None:
        return None
    return "must be a tenant's GUID or domain, 'organizations', 'common' or 'consumers'"


def _check_timeout(value: Any) -> str | None:
    good = isinstance(value, list | tuple) and len(value) == 2
    good = good and all(_check_number(item) is None and item > 0 for item in value)
    return None if good else "must be two numbers above 0: seconds to connect, seconds to read"


def _check_credential(value: Any) -> str | None:
    forms = value if isinstance(value, list | tuple) else [value]
    if forms and all((isinstance(form, str | Mapping) and form) for form in forms):
        return None
    return "must be a secret, a dict that describes a key or an assertion, or a list of these"


def _check_keys(value: Any) -> str | None:
    good = isinstance(value, list | tuple) and _check_strings(value) is None
    if value is None or (good and all(map(_decode_key, value))):
        return None
    return "must be a list of base64 strings of 32 bytes each"


_STANDARD_ALPHABET = str.maketrans("-_", "+/")


def _decode_key(text: str) -> bytes | None:
    try:
        key = base64.b64decode(text.translate(_STANDARD_ALPHABET), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == 32 else None


def _one_of(*allowed: str) -> Check:
    text = " or ".join(repr(value) for value in allowed)
    return lambda value: None if _is_text(value) and value in allowed else f"must be {text}"


def _optional(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _lower(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(value.lower() for value in values)


def _scoped(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(_scope, values))


def _scope(value: str) -> str:
    """Spell the tenant of a "<tenant GUID>:<value>" in lower case."""
    return value[:36].lower() + value[36:] if _SCOPED.match(value) else value


def _setting(
    check: Check,
    default: Any = MISSING,
    *,
    convert: Callable[[Any], Any] = lambda value: value,
    secret: bool = False,
) -> Any:
    metadata = {"check": check, "convert": convert}
    if isinstance(default, Mapping):
        return field(
            default_factory=lambda: default, metadata=metadata, repr=not secret, kw_only=True
        )
    return field(default=default, metadata=metadata, repr=not secret, kw_only=True)


@dataclass(frozen=True, slots=True)
class EntraSettings:
    """`ENTRA_AUTH` with its defaults; a key is the field's name in capitals.

    Times are seconds and sizes are bytes. The reference page of the documentation says what
    each key means. Secrets are left out of `repr`.
    """

    client_id: str = _setting(_check_text)
    client_credential: Any = _setting(_check_credential, secret=True)
    tenant_id: str | None = _setting(_optional(_check_tenant), None)
    authority: str = _setting(_optional(_check_authority), "")
    local_emulator: bool = _setting(_check_flag, False)
    allowed_tenants: tuple[str, ...] = _setting(_check_strings, (), convert=_lower)
    scopes: tuple[str, ...] = _setting(_check_strings, (), convert=tuple)
    domain_hint: str | None = _setting(_optional(_check_text), None)
    client_capabilities: tuple[str, ...] = _setting(_check_strings, ("cp1",), convert=tuple)
    cache_alias: str = _setting(_check_text, "default")
    local_copy_seconds: float = _setting(_check_number, 15)
    encryption_keys: tuple[str, ...] | None = _setting(_check_keys, None, secret=True)
    redirect_uri: str | None = _setting(_optional(_check_url), None)
    response_mode: str = _setting(_one_of("form_post", "query"), "form_post")
    create_users: bool = _setting(_check_flag, True)
    update_users: bool = _setting(_check_flag, True)
    claim_mapping: Mapping[str, str] = _setting(
        _check_claim_mapping,
        MappingProxyType(
            {"first_name": "given_name", "last_name": "family_name", "email": "email"}
        ),
        convert=lambda value: MappingProxyType(dict(value)),
    )
    username_claim: str = _setting(_check_text, "preferred_username")
    groups_claim: str = _setting(_one_of("roles", "groups"), "roles")
    group_mapping: Mapping[str, str | Sequence[str]] = _setting(
        _check_group_mapping,
        MappingProxyType({}),
        convert=lambda value: MappingProxyType({_scope(key): value[key] for key in value}),
    )
    staff_roles: tuple[str, ...] = _setting(_check_strings, (), convert=_scoped)
    superuser_roles: tuple[str, ...] = _setting(_check_strings, (), convert=_scoped)
    block_guests: bool = _setting(_check_flag, False)
    revalidate_seconds: float | None = _setting(_optional(_check_number), 3600)
    step_up_seconds: float = _setting(_check_number, 3600)
    sign_in_max_seconds: float = _setting(_check_number, 3600)
    resume_max_bytes: int = _setting(_check_number, 262144)
    http_timeout: tuple[float, float] = _setting(_check_timeout, (3.05, 10), convert=tuple)
    proxies: Mapping[str, str] | None = _setting(_optional(_check_text_mapping), None)
    ca_bundle: str | None = _setting(_optional(_check_text), None)
    throttle_seconds: float = _setting(_check_number, 5)
    throttle_max_seconds: float = _setting(_check_number, 3600)
    rejection_cache_seconds: float = _setting(_check_number, 60)
    token_error_retention_days: float = _setting(_check_number, 30)
    secret_keys: tuple[bytes, ...] = field(default=(), repr=False, kw_only=True)

    @property
    def sealing_keys(self) -> tuple[bytes, ...]:
        """Key material, the first to seal with, all to open with."""
        if self.encryption_keys:
            return tuple(key for key in map(_decode_key, self.encryption_keys) if key)
        return self.secret_keys

    @property
    def is_multi_tenant(self) -> bool:
        """Whether people of more than one directory may come back from this authority."""
        return self._parsed_authority.tenant.lower() in MULTI_TENANT_SEGMENTS

    @property
    def is_local_authority(self) -> bool:
        """Whether the authority is on this machine or speaks plain http."""
        parts = urlsplit(self.authority)
        return parts.scheme != "https" or is_loopback(parts.hostname or "")

    @property
    def may_have_several_tenants(self) -> bool:
        """Whether a role's or group's value has to say of which tenant it is."""
        return self.is_multi_tenant or len(self.allowed_tenants) > 1

    @property
    def _parsed_authority(self) -> Authority:
        return parse_authority(self.authority, allow_loopback=True)


SETTING_FIELDS = {item.name.upper(): item for item in fields(EntraSettings) if item.metadata}


def find_problems(raw: object) -> list[Problem]:
    """Everything wrong with the value of ``ENTRA_AUTH``, in the order to mend it."""
    if raw is None:
        return [Problem("E001", "ENTRA_AUTH is not set.", "Add ENTRA_AUTH = {...} to settings.")]
    if not isinstance(raw, Mapping):
        return [Problem("E001", "ENTRA_AUTH is not a dict.", "Write ENTRA_AUTH = {...}.")]
    problems = [*_unknown(raw), *_missing(raw), *_malformed(raw)]
    return problems or list(_contradictions(_build(raw)))


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
            "List the tenant GUIDs that may sign in, or ['*'] for any organisation.",
        )
    if built.is_local_authority and not built.local_emulator:
        yield Problem(
            "E005",
            "ENTRA_AUTH['AUTHORITY'] is on this machine or not https.",
            "Use the https address of Entra; for the local emulator set LOCAL_EMULATOR to True.",
        )
    if built.may_have_several_tenants:
        granted = [*built.staff_roles, *built.superuser_roles, *built.group_mapping]
        if bare := [value for value in granted if not _SCOPED.match(value)]:
            yield Problem(
                "E007",
                f"ENTRA_AUTH grants {bare[0]!r} without saying of which tenant.",
                'More than one tenant is possible: write "<tenant GUID>:<value>".',
            )


def _build(raw: Mapping[str, Any]) -> EntraSettings:
    values = {
        item.name: item.metadata["convert"](raw[key])
        for key, item in SETTING_FIELDS.items()
        if key in raw
    }
    authority = values.get("authority") or f"{GLOBAL_CLOUD}/{values.get('tenant_id')}"
    values["authority"] = authority.rstrip("/")
    return EntraSettings(
        **values,
        secret_keys=tuple(
            key.encode() if isinstance(key, str) else bytes(key)
            for key in (django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS)
        ),
    )


class _Built(NamedTuple):
    source: tuple[Any, Any, Any]
    value: EntraSettings


_built: _Built | None = None


def get_settings() -> EntraSettings:
    """The current settings; built at first use and whenever a source has been replaced.

    Raises ImproperlyConfigured with the system check's text, because a WSGI server runs no checks.
    """
    global _built  # noqa: PLW0603  the one memo of this module
    source = (
        getattr(django_settings, "ENTRA_AUTH", None),
        django_settings.SECRET_KEY,
        django_settings.SECRET_KEY_FALLBACKS,
    )
    built = _built
    if built is None or any(new is not old for new, old in zip(source, built.source, strict=True)):
        if problems := find_problems(source[0]):
            raise ImproperlyConfigured(" ".join(f"{p.message} {p.hint}" for p in problems))
        built = _built = _Built(source, _build(source[0] or {}))
    return built.value
