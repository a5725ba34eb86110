"""Whether the values that give rights can be given to somebody, and to nobody else."""

from __future__ import annotations

from collections.abc import Iterable

from django.apps import apps

from django_entra_auth.conf import EntraSettings
from django_entra_auth.conf.values import is_scoped
from django_entra_auth.doctor.findings import Findings, failed, never_breaking, passed, warned
from django_entra_auth.oauth2.authority import is_guid, parse_authority

TOPIC = "roles"
EVERYBODY = "*"


@never_breaking(TOPIC)
def look(settings: EntraSettings) -> Findings:
    """STAFF_ROLES, SUPERUSER_ROLES and the keys of GROUP_MAPPING."""
    granting = settings.granting_values
    if not granting:
        yield passed(TOPIC, "No role and no group gives rights here.")
        return
    problems = [
        *_find_strangers(granting, settings),
        *_find_odd_kinds(granting, settings),
        *_find_locked_out(settings),
    ]
    yield from problems
    if not problems:
        scope = "of its tenant" if settings.may_have_several_tenants else "of the one tenant"
        yield passed(TOPIC, f"Each of {len(granting)} values gives rights to people {scope}.")


def _find_strangers(granting: Iterable[str], settings: EntraSettings) -> Findings:
    """Values of a tenant whose people cannot come in."""
    possible = _find_tenants(settings)
    for value in granting:
        tenant = value[:36]
        if is_scoped(value) and possible and tenant not in possible:
            reason = f"{value!r} gives rights to people of a tenant that cannot sign in here."
            yield failed(TOPIC, reason, "Correct the tenant, or add it to ALLOWED_TENANTS.")


def _find_tenants(settings: EntraSettings) -> frozenset[str]:
    """The tenants that can sign in; empty when that is not known here."""
    if settings.is_multi_tenant:
        listed = frozenset(settings.allowed_tenants)
        return frozenset() if EVERYBODY in listed else listed
    tenant = parse_authority(settings.authority, allow_loopback=True).tenant.lower()
    if not is_guid(tenant):
        return frozenset()
    return frozenset({tenant, *settings.allowed_tenants})


def _find_locked_out(settings: EntraSettings) -> Findings:
    """Django's admin lets nobody in for being a superuser alone."""
    outside = [role for role in settings.superuser_roles if role not in settings.staff_roles]
    if outside and apps.is_installed("django.contrib.admin"):
        reason = f"{outside[0]!r} makes superusers who are not staff: the admin refuses them."
        yield warned(TOPIC, reason, "Name it in STAFF_ROLES too.")


def _find_odd_kinds(granting: Iterable[str], settings: EntraSettings) -> Findings:
    """Groups come as object ids, roles as the values that the app registration gives them."""
    for value in granting:
        name = value[37:] if is_scoped(value) else value
        if settings.groups_claim == "groups" and not is_guid(name):
            reason = f"{value!r} is no object id, but GROUPS_CLAIM is 'groups': it grants nothing."
            fix = "Name the group's object id, or use app roles (GROUPS_CLAIM 'roles')."
            yield warned(TOPIC, reason, fix)
        elif settings.groups_claim == "roles" and is_guid(name):
            reason = f"{value!r} looks like a group's object id, but GROUPS_CLAIM is 'roles'."
            fix = "Name the app role's value, or set GROUPS_CLAIM to 'groups'."
            yield warned(TOPIC, reason, fix)
