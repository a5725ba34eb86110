"""Who and what the local Entra starts with: registrations, tenants, people."""

import uuid
from typing import Any

from .constants import (
    B2C_DOMAINS,
    B2C_POLICY,
    B2C_TENANT_ID,
    CLIENT_ID,
    CLIENT_SECRET,
    CONSUMER_TENANT_ID,
    CUSTOMERS_DOMAINS,
    CUSTOMERS_TENANT_ID,
    FABRIKAM_DOMAINS,
    FABRIKAM_TENANT_ID,
    OTHER_CLIENT_ID,
    OTHER_CLIENT_SECRET,
    TENANT_DOMAINS,
    TENANT_ID,
)
from .directory import LOOPBACK_HOSTS, Application, Person, Tenant

_DEFAULT_PATHS = ("/auth/callback", "/auth/logout/")


def default_redirect_uris() -> list[str]:
    """Sign-in and signed-out addresses on both loopback names, http and https."""
    return [
        f"{scheme}://{host}{path}"
        for path in _DEFAULT_PATHS
        for scheme in ("http", "https")
        for host in LOOPBACK_HOSTS
    ]


def default_applications() -> list[Application]:
    """The client under development and a second one, for mix-ups between clients."""
    return [
        Application(CLIENT_ID, CLIENT_SECRET, redirect_uris=default_redirect_uris()),
        Application(
            OTHER_CLIENT_ID,
            OTHER_CLIENT_SECRET,
            name="Other application",
            redirect_uris=default_redirect_uris(),
        ),
    ]


def default_tenants() -> list[Tenant]:
    """The tenant of the registration, a foreign one, and two of customers."""
    return [
        Tenant(TENANT_ID, "Contoso", TENANT_DOMAINS),
        Tenant(FABRIKAM_TENANT_ID, "Fabrikam", FABRIKAM_DOMAINS),
        Tenant(CUSTOMERS_TENANT_ID, "Contoso Customers", CUSTOMERS_DOMAINS, "external_id"),
        Tenant(B2C_TENANT_ID, "Contoso B2C", B2C_DOMAINS, "b2c", (B2C_POLICY,)),
    ]


def _oid(number: int) -> str:
    return f"0a11ce00-0000-4000-8000-{number:012d}"


def group_ids(count: int) -> list[str]:
    """The object ids of the first `count` groups; the same at every start."""
    return [str(uuid.uuid5(uuid.NAMESPACE_DNS, f"group-{n}.contoso.example")) for n in range(count)]


def _person(number: int, name: str, domain: str, about: str, **more: Any) -> Person:
    username = f"{name.split()[0].lower()}@{domain}"
    return Person(username, name, mail=username, about=about, **{"oid": _oid(number), **more})


def default_people() -> dict[str, Person]:
    """Everybody the emulator starts with, by short name."""
    contoso, fabrikam = TENANT_DOMAINS[0], FABRIKAM_DOMAINS[0]
    guest = {"home_tid": FABRIKAM_TENANT_ID, "home_oid": _oid(103)}
    personal = {"tid": CONSUMER_TENANT_ID, "oid": "00000000-0000-0000-0a11-ce0000000201"}
    people = (
        _person(1, "Alice Adams", contoso, "no special rule", country="NL", groups=group_ids(2)),
        _person(2, "Bob Brown", contoso, "must pass MFA", mfa_required=True),
        _person(3, "Carol Clark", fabrikam, "guest from Fabrikam", **guest),
        _person(4, "Dave Davis", contoso, "account disabled", enabled=False),
        _person(5, "Erin Evans", contoso, "app role Admin", roles=["Admin"]),
        _person(6, "Frank Fisher", contoso, "member of 250 groups", groups=group_ids(250)),
        _person(107, "Grace Green", fabrikam, "of another tenant", tid=FABRIKAM_TENANT_ID),
        _person(7, "Heidi Hall", contoso, "administrator, may consent for all", is_admin=True),
        _person(0, "Mia Moore", "outlook.example", "personal account", **personal),
        _person(301, "Olga Olsen", "shop.example", "customer", tid=CUSTOMERS_TENANT_ID),
        _person(401, "Paul Price", "shop.example", "customer at B2C", tid=B2C_TENANT_ID),
    )
    return {person.username.partition("@")[0]: person for person in people}
