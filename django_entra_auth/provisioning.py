"""From validated claims to a Django user, its groups and its flags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, Group
from django.core.exceptions import PermissionDenied
from django.db.models import EmailField

from django_entra_auth.conf import EntraSettings
from django_entra_auth.models import EntraIdentity

Claims = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ValidatedSignIn:
    """What the callback found out, after every check; the only thing a backend authenticates.

    `claims` are those of the ID token, and `home_account_id`: "<uid>.<utid>" as MSAL writes it.
    """

    claims: Claims

    @property
    def home_account_id(self) -> str:
        """Who the account is at home; differs from oid and tid for guests."""
        return str(self.claims["home_account_id"])


class SignInRefused(PermissionDenied):
    """The backend does not let this account in; `reason` is one word of a closed list."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def find_identity(claims: Claims) -> EntraIdentity | None:
    """The identity by tenant id and object id, and by nothing else."""
    wanted = {"tid": claims["tid"].lower(), "oid": claims["oid"].lower()}
    found: EntraIdentity | None = (
        EntraIdentity.objects.select_related("user").filter(**wanted).first()
    )
    return found


def link_identity(user: Any, claims: Claims) -> EntraIdentity:
    """Write that this account is this user."""
    found: EntraIdentity = EntraIdentity.objects.create(
        user=user, tid=claims["tid"].lower(), oid=claims["oid"].lower()
    )
    return found


def is_guest(claims: Claims) -> bool:
    """Whether the account is a guest: `acct` decides; without it, where it signs in at home.

    `claims` may have the member `home_account_id` that the callback adds.
    """
    if "acct" in claims:
        return claims["acct"] in (1, "1")
    utid = str(claims.get("home_account_id", "")).rpartition(".")[2].lower()
    signs_in_elsewhere = bool(claims.get("idp")) and claims["idp"] != claims.get("iss")
    return signs_in_elsewhere or (bool(utid) and utid != str(claims["tid"]).lower())


def create_user(claims: Claims, settings: EntraSettings) -> AbstractBaseUser:
    """A new user without a usable password, under a username nobody else has."""
    model = get_user_model()
    user = model(**{model.USERNAME_FIELD: build_username(claims, settings)})
    user.set_unusable_password()
    user.save()
    return user


def build_username(claims: Claims, settings: EntraSettings) -> str:
    """The claimed name, cut to the field; when taken, told apart by the object id.

    A name is never a reason to hand out an existing user.
    """
    model = get_user_model()
    size = getattr(model._meta.get_field(model.USERNAME_FIELD), "max_length", None) or 150
    oid = str(claims["oid"]).lower()
    name = model.normalize_username(_clean(claims.get(settings.username_claim)) or oid)
    suffix = f"-{oid[:8]}"
    for candidate in (name[:size], name[: size - len(suffix)] + suffix):
        if not model._default_manager.filter(
            **{f"{model.USERNAME_FIELD}__iexact": candidate}
        ).exists():
            return candidate
    return f"{oid}.{claims['tid']}"[:size]


def update_user(user: Any, claims: Claims, settings: EntraSettings, *, guest: bool) -> None:
    """Copy mapped claims; absent ones never overwrite, an unverified e-mail is never copied."""
    changed = []
    for field in user._meta.concrete_fields:
        value = _mapped_value(field, claims, settings, guest=guest)
        if value and getattr(user, field.name) != value:
            setattr(user, field.name, value)
            changed.append(field.name)
    if changed:
        user.save(update_fields=changed)


def _mapped_value(field: Any, claims: Claims, settings: EntraSettings, *, guest: bool) -> str:
    """What a field gets, or "": never a username, never an address that nobody vouches for."""
    claim = settings.claim_mapping.get(field.name)
    if claim is None or field.name == get_user_model().USERNAME_FIELD:
        return ""
    value = _clean({**_split_name(claims), **claims}.get(claim))
    is_address = claim == "email" or isinstance(field, EmailField)
    if not is_address:
        return value[: field.max_length] if field.max_length else value
    # An address that is cut is somebody else's.
    fits = field.max_length is None or len(value) <= field.max_length
    return value if fits and is_email_trusted(claims, settings, guest=guest) else ""


def _clean(value: Any) -> str:
    """Text without control characters, which databases and logs do not bear; "" for the rest."""
    return "".join(filter(str.isprintable, value)).strip() if isinstance(value, str) else ""


def _split_name(claims: Claims) -> dict[str, str]:
    """Given and family name out of `name`, for directories that send no others."""
    name = claims.get("name")
    if not isinstance(name, str) or "given_name" in claims or "family_name" in claims:
        return {}
    given, _, family = name.strip().partition(" ")
    return {"given_name": given, "family_name": family.strip()}


def is_email_trusted(claims: Claims, settings: EntraSettings, *, guest: bool) -> bool:
    """Whether `email` was set by somebody we trust: our own directory, or a verified domain."""
    if str(claims.get("xms_edov", "")).lower() in {"true", "1"}:
        return True
    return not settings.is_multi_tenant and not guest


def apply_roles(user: Any, claims: Claims, settings: EntraSettings) -> None:
    """Give and take what the settings map: staff, superuser, and the mapped groups alone."""
    granted = _granted_values(claims, settings)
    flags = {"is_staff": settings.staff_roles, "is_superuser": settings.superuser_roles}
    changed = []
    for flag, roles in flags.items():
        wanted = not granted.isdisjoint(roles)
        if roles and getattr(user, flag, wanted) != wanted:
            setattr(user, flag, wanted)
            changed.append(flag)
    if changed:
        user.save(update_fields=changed)
    if settings.group_mapping:
        _apply_groups(user, granted, settings)


def _granted_values(claims: Claims, settings: EntraSettings) -> set[str]:
    """Role values or group ids; without the claim (absent, or too many groups) nothing."""
    values = claims.get(settings.groups_claim)
    items = values if isinstance(values, list) else []
    names = {value for value in items if isinstance(value, str)}
    scoped = {f"{str(claims['tid']).lower()}:{name}" for name in names}
    return scoped if settings.may_have_several_tenants else scoped | names


def _apply_groups(user: Any, granted: set[str], settings: EntraSettings) -> None:
    mapping = {key: _names(value) for key, value in settings.group_mapping.items()}
    mapped = {name for names in mapping.values() for name in names}
    wanted = {name for key, names in mapping.items() if key in granted for name in names}
    held = set(user.groups.filter(name__in=mapped).values_list("name", flat=True))
    for name in wanted - held:
        user.groups.add(Group.objects.get_or_create(name=name)[0])
    if surplus := held - wanted:
        user.groups.remove(*Group.objects.filter(name__in=surplus))


def _names(value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
