"""The one settings dict ``ENTRA_AUTH``, as a frozen, typed object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings

from django_entra_auth.conf import values
from django_entra_auth.oauth2.authority import Authority, is_loopback, parse_authority

MULTI_TENANT_SEGMENTS = frozenset({"common", "organizations", "consumers"})


def _setting(
    check: values.Check,
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

    client_id: str = _setting(values.check_text)
    client_credential: Any = _setting(values.check_credential, secret=True)
    tenant_id: str | None = _setting(values.optional(values.check_tenant), None)
    authority: str = _setting(values.optional(values.check_authority), "")
    local_emulator: bool = _setting(values.check_flag, False)
    allowed_tenants: tuple[str, ...] = _setting(values.check_strings, (), convert=values.lower)
    scopes: tuple[str, ...] = _setting(values.check_strings, (), convert=tuple)
    domain_hint: str | None = _setting(values.optional(values.check_text), None)
    client_capabilities: tuple[str, ...] = _setting(values.check_strings, ("cp1",), convert=tuple)
    cache_alias: str = _setting(values.check_text, "default")
    local_copy_seconds: float = _setting(values.check_number, 15)
    encryption_keys: tuple[str, ...] | None = _setting(values.check_keys, None, secret=True)
    redirect_uri: str | None = _setting(values.optional(values.check_url), None)
    response_mode: str = _setting(values.one_of("form_post", "query"), "form_post")
    create_users: bool = _setting(values.check_flag, True)
    update_users: bool = _setting(values.check_flag, True)
    claim_mapping: Mapping[str, str] = _setting(
        values.check_claim_mapping,
        MappingProxyType(
            {"first_name": "given_name", "last_name": "family_name", "email": "email"}
        ),
        convert=lambda value: MappingProxyType(dict(value)),
    )
    username_claim: str = _setting(values.check_text, "preferred_username")
    groups_claim: str = _setting(values.one_of("roles", "groups"), "roles")
    group_mapping: Mapping[str, str | Sequence[str]] = _setting(
        values.check_group_mapping,
        MappingProxyType({}),
        convert=lambda value: MappingProxyType({values.scope(key): value[key] for key in value}),
    )
    staff_roles: tuple[str, ...] = _setting(values.check_strings, (), convert=values.scoped)
    superuser_roles: tuple[str, ...] = _setting(values.check_strings, (), convert=values.scoped)
    block_guests: bool = _setting(values.check_flag, False)
    revalidate_seconds: float | None = _setting(values.optional(values.check_number), 3600)
    step_up_seconds: float = _setting(values.check_number, 3600)
    sign_in_max_seconds: float = _setting(values.check_number, 3600)
    resume_max_bytes: int = _setting(values.check_number, 262144)
    http_timeout: tuple[float, float] = _setting(values.check_timeout, (3.05, 10), convert=tuple)
    proxies: Mapping[str, str] | None = _setting(values.optional(values.check_text_mapping), None)
    ca_bundle: str | None = _setting(values.optional(values.check_text), None)
    throttle_seconds: float = _setting(values.check_number, 5)
    throttle_max_seconds: float = _setting(values.check_number, 3600)
    rejection_cache_seconds: float = _setting(values.check_number, 60)
    token_error_retention_days: float = _setting(values.check_number, 30)
    secret_keys: tuple[bytes, ...] = field(default=(), repr=False, kw_only=True)

    @property
    def sealing_keys(self) -> tuple[bytes, ...]:
        """Key material, the first to seal with, all to open with."""
        if self.encryption_keys:
            return tuple(key for key in map(values.decode_key, self.encryption_keys) if key)
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
    def granting_values(self) -> tuple[str, ...]:
        """The roles or groups that give rights here, as they are written in the settings."""
        return (*self.staff_roles, *self.superuser_roles, *self.group_mapping)

    @property
    def _parsed_authority(self) -> Authority:
        return parse_authority(self.authority, allow_loopback=True)


SETTING_FIELDS = {item.name.upper(): item for item in fields(EntraSettings) if item.metadata}


def build_settings(raw: Mapping[str, Any]) -> EntraSettings:
    """The object for a dict in which `find_problems` found none."""
    given = {
        item.name: item.metadata["convert"](raw[key])
        for key, item in SETTING_FIELDS.items()
        if key in raw
    }
    authority = given.get("authority") or f"{values.GLOBAL_CLOUD}/{given.get('tenant_id')}"
    given["authority"] = authority.rstrip("/")
    return EntraSettings(
        **given,
        secret_keys=tuple(
            key.encode() if isinstance(key, str) else bytes(key)
            for key in (django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS)
        ),
    )
