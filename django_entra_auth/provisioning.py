"""From validated claims to a Django user, its groups and its flags."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, Group
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import EmailField

from django_entra_auth.conf import EntraSettings
from django_entra_auth.models import EntraIdentity
from django_entra_auth.sign_ins.ids import normalise_guid

logger = logging.getLogger(__name__)

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


def find_identity(claims: Claims, *, latest: bool = False) -> EntraIdentity | None:
    """The identity by tenant id and object id, and by nothing else.

    `latest`: also one that was committed after this transaction began, which a repeatable read
    would not show; needs a transaction.
    """
    identities = EntraIdentity.objects.select_related("user")
    if latest:
        identities = identities.select_for_update()
    found: EntraIdentity | None = identities.filter(
        tid=claims["tid"].lower(), oid=claims["oid"].lower()
    ).first()
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
    """A new user without a usable password, under a username nobody else has.

    The mapped fields are there from the start: a user model may want one of them filled.
    """
    model = get_user_model()
    user = model(**{model.USERNAME_FIELD: build_username(claims, settings)})
    _fill(user, claims, settings, guest=is_guest(claims))
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
    name = model.normalize_username(_find_name(claims, settings) or oid)
    suffix = f"-{oid[:8]}"
    for candidate in (name[:size], name[: size - len(suffix)] + suffix):
        if not model._default_manager.filter(
            **{f"{model.USERNAME_FIELD}__iexact": candidate}
        ).exists():
            return candidate
    return f"{oid}.{claims['tid']}"[:size]


def _find_name(claims: Claims, settings: EntraSettings) -> str:
    """The claimed name, "" for none; an address that nobody vouches for does not become one.

    Where the username is the e-mail address, the site would take it for verified.
    """
    model = get_user_model()
    name = _clean(claims.get(settings.username_claim))
    if not isinstance(model._meta.get_field(model.USERNAME_FIELD), EmailField):
        return name
    if name and is_email_trusted(claims, settings, guest=is_guest(claims)):
        return name
    # RFC 2606 section 2: a domain that can never receive anything.
    return f"{str(claims['oid']).lower()}@{str(claims['tid']).lower()}.invalid"


def update_user(user: Any, claims: Claims, settings: EntraSettings, *, guest: bool) -> None:
    """Copy mapped claims; absent ones never overwrite, an unverified e-mail is never copied."""
    if changed := _fill(user, claims, settings, guest=guest):
        user.save(update_fields=changed)


def _fill(user: Any, claims: Claims, settings: EntraSettings, *, guest: bool) -> list[str]:
    """Set the mapped fields; the names of those that changed."""
    changed = []
    for field in user._meta.concrete_fields:
        value = _read_value(field, _mapped_value(field, claims, settings, guest=guest))
        if value is None or getattr(user, field.name) == value:
            continue
        if field.unique and _is_taken(user, field.name, value):
            logger.warning("The field %s was left: another user has the value", field.name)
            continue
        setattr(user, field.name, value)
        changed.append(field.name)
    return changed


def _read_value(field: Any, text: str) -> Any:
    """The text as the field keeps it; None for no text, and for one it does not take."""
    if not text or field.is_relation:
        return None
    try:
        return field.to_python(text)
    except ValidationError:
        logger.warning("The field %s was left: it does not take the claim", field.name)
        return None


def _is_taken(user: Any, name: str, value: Any) -> bool:
    """Whether another user has this value, in any case: the sign-in would fail for it."""
    lookup = f"{name}__iexact" if isinstance(value, str) else name
    others = type(user)._default_manager.exclude(pk=user.pk)
    return bool(others.filter(**{lookup: value}).exists())


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


def has_too_many_groups(claims: Claims) -> bool:
    """Whether Entra left the groups out of the ID token because they are too many.

    No groups and no such sign means that there are none, or that the claim is not configured.
    """
    if isinstance(claims.get("groups"), list):
        return False
    elsewhere = claims.get("_claim_names")
    is_overage = isinstance(elsewhere, Mapping) and "groups" in elsewhere
    return is_overage or claims.get("hasgroups") in (True, "true")


def may_grant(settings: EntraSettings, tid: str) -> bool:
    """Whether any setting gives something for a group of this tenant."""
    if settings.groups_claim != "groups":
        return False
    values = settings.granting_values
    if settings.may_have_several_tenants:
        return any(value.startswith(f"{tid.lower()}:") for value in values)
    return bool(values)


@transaction.atomic
def apply_roles(user: Any, claims: Claims, settings: EntraSettings) -> None:
    """Give and take what the settings map: staff, superuser, and the mapped groups alone."""
    granted = _granted_values(claims, settings)
    flags = {"is_staff": settings.staff_roles, "is_superuser": settings.superuser_roles}
    changed = []
    for flag, roles in flags.items():
        wanted = not granted.isdisjoint(_spell(role, settings) for role in roles)
        if roles and getattr(user, flag, wanted) != wanted:
            setattr(user, flag, wanted)
            changed.append(flag)
    if changed:
        user.save(update_fields=changed)
    # A user model need not have Django's groups.
    has_groups = bool(settings.group_mapping) and hasattr(user, "groups")
    if (has_groups and _apply_groups(user, granted, settings)) or changed:
        _forget_permissions(user)


def _granted_values(claims: Claims, settings: EntraSettings) -> set[str]:
    """Role values or group ids; without the claim (absent, or too many groups) nothing."""
    values = claims.get(settings.groups_claim)
    items = values if isinstance(values, list) else []
    names = {value for value in items if isinstance(value, str)}
    if settings.groups_claim == "groups":
        # An app registration can send names in place of ids, and names can be had by anybody
        # who may make a group.
        names = {found for name in names if (found := normalise_guid(name))}
    scoped = {f"{str(claims['tid']).lower()}:{name}" for name in names}
    return scoped if settings.may_have_several_tenants else scoped | names


def _spell(value: str, settings: EntraSettings) -> str:
    """A setting's value as granted ones are spelled: role values count by case, ids do not."""
    return value.lower() if settings.groups_claim == "groups" else value


def _apply_groups(user: Any, granted: set[str], settings: EntraSettings) -> bool:
    """Give and take mapped groups; whether that changed anything."""
    pairs = [
        (_spell(key, settings), name)
        for key, names in settings.group_mapping.items()
        for name in _names(names)
    ]
    mapped = {name for _, name in pairs}
    wanted = {name for key, name in pairs if key in granted}
    held = set(user.groups.filter(name__in=mapped).values_list("name", flat=True))
    for name in wanted - held:
        user.groups.add(Group.objects.get_or_create(name=name)[0])
    if surplus := held - wanted:
        user.groups.remove(*Group.objects.filter(name__in=surplus))
    return held != wanted


def _forget_permissions(user: Any) -> None:
    """Let Django's backends look again: somebody may have asked for permissions before."""
    for name in ("_perm_cache", "_user_perm_cache", "_group_perm_cache"):
        if hasattr(user, name):
            delattr(user, name)


def _names(value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
