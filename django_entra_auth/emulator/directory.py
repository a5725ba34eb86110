"""Who and what the local Entra knows: tenants, people, application registrations."""

import hashlib
import re
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from .constants import (
    CLIENT_ID,
    CLIENT_SECRET,
    CONSUMER_TENANT_ID,
    FABRIKAM_DOMAINS,
    FABRIKAM_TENANT_ID,
    OTHER_CLIENT_ID,
    OTHER_CLIENT_SECRET,
    PASSWORD,
    TENANT_DOMAINS,
    TENANT_ID,
)
from .scopes import RESERVED, resource_of

EVERYTHING = "*"  # an administrator's consent to all that the application was registered with

Audience = Literal["tenant", "organizations", "common", "consumers"]

_AUDIENCES: tuple[Audience, ...] = ("organizations", "common", "consumers")
_LOOPBACK_HOSTS = ("localhost", "127.0.0.1")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\uffff#\\]")
_DEFAULT_PATHS = ("/auth/callback", "/auth/logout/")


@dataclass(frozen=True)
class Tenant:
    """One directory; `domains` are its verified domains."""

    tenant_id: str
    name: str
    domains: tuple[str, ...]


@dataclass(frozen=True)
class Segment:
    """The tenant segment of a URL, resolved: one tenant, or an audience of many."""

    audience: Audience
    tenant: Tenant | None = None

    @property
    def key(self) -> str:
        """Equal for all spellings of the same segment; codes are bound to it."""
        return self.tenant.tenant_id if self.tenant else self.audience

    @property
    def issuer_tenant(self) -> str:
        """What stands for the tenant in the discovery document's issuer."""
        if self.audience == "consumers":
            return CONSUMER_TENANT_ID
        return self.tenant.tenant_id if self.tenant else "{tenantid}"


@dataclass(eq=False)
class Person:
    """Somebody who can sign in; change attributes at any time, the next token follows.

    A guest is a person whose home tenant is another one than `tid`. `is_admin` lets them consent
    for everybody of that tenant.
    """

    username: str
    name: str
    tid: str = TENANT_ID
    oid: str = field(default_factory=lambda: str(uuid.uuid4()))
    home_tid: str = ""
    home_oid: str = ""
    password: str = field(default=PASSWORD, repr=False)
    mail: str | None = None
    mail_domain_verified: bool = True
    country: str | None = None
    enabled: bool = True
    mfa_required: bool = False
    is_admin: bool = False
    roles: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    extra_claims: dict[str, object] = field(default_factory=dict)
    about: str = ""
    tokens_valid_from: float = 0.0
    revocations: int = 0
    revoked_at: float | None = None

    def __post_init__(self) -> None:
        self.home_tid = self.home_tid or self.tid
        self.home_oid = self.home_oid or self.oid

    @property
    def login_hint(self) -> str:
        """The opaque value of the optional claim `login_hint`."""
        digest = hashlib.sha256(f"login_hint {self.home_tid} {self.home_oid}".encode()).digest()
        return "O." + urlsafe_b64encode(digest).decode().rstrip("=")

    def answers_to(self, hint: str) -> bool:
        """Whether `hint` is this person's user name or opaque login hint."""
        return hint.casefold() == self.username.casefold() or hint == self.login_hint


@dataclass(frozen=True)
class Account:
    """A person as one tenant sees them; the same human has one per tenant."""

    person: Person
    tid: str
    oid: str

    @property
    def is_guest(self) -> bool:
        """Whether the account lives in another tenant than the person's home."""
        return self.tid != self.person.home_tid

    @property
    def is_admin(self) -> bool:
        """Whether they may consent for everybody of the tenant."""
        return self.person.is_admin and self.tid == self.person.tid


@dataclass(eq=False)
class Application:
    """An app registration; change attributes at any time.

    The port of loopback redirect URIs is ignored, path case and trailing slash count.
    """

    client_id: str
    client_secret: str = field(repr=False)
    name: str = "Local application"
    redirect_uris: list[str] = field(default_factory=list)
    front_channel_logout_uri: str | None = None
    front_channel_sends_issuer: bool = False
    multi_tenant: bool = True
    home_tid: str = TENANT_ID
    require_consent: bool = False
    consents: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    tenant_consents: dict[str, set[str]] = field(default_factory=dict)

    def has_consent(self, account: "Account", scopes: Iterable[str]) -> bool:
        """Whether `account` (or an administrator, by switching consent off) allows `scopes`."""
        return not self.require_consent or self.is_consented(account, scopes)

    def is_consented(self, account: "Account", scopes: Iterable[str]) -> bool:
        """Whether `account` or their administrator gave consent to each of `scopes`."""
        own = self.consents.get((account.tid, account.oid), set())
        return self.is_consented_for_all(account, set(scopes) - own)

    def is_consented_for_all(self, account: "Account", scopes: Iterable[str]) -> bool:
        """Whether an administrator gave consent to each of `scopes` for the account's tenant."""
        given = self.tenant_consents.get(account.tid, set())
        return all(_is_covered(scope, given) for scope in scopes)

    def give_consent_for_all(self, tid: str, scopes: Iterable[str]) -> None:
        """Remember that an administrator allows `scopes` to everybody in the tenant `tid`."""
        self.tenant_consents.setdefault(tid, set()).update(scopes)

    def give_consent(self, account: "Account", scopes: Iterable[str]) -> None:
        """Remember that `account` allows `scopes`."""
        self.consents.setdefault((account.tid, account.oid), set()).update(scopes)

    def has_redirect_uri(self, uri: str) -> bool:
        """Whether `uri` is registered (also the rule for post-logout URIs)."""
        wanted = _comparable(uri)
        return wanted is not None and wanted in map(_comparable, self.redirect_uris)


def _is_covered(scope: str, given: set[str]) -> bool:
    if scope in given or EVERYTHING in given:
        return True
    if scope in RESERVED:
        return bool(given)
    defaults = {resource_of(other) for other in given if other.endswith(".default")}
    return resource_of(scope) in defaults


def _comparable(uri: str) -> tuple[str, ...] | None:
    """The parts of `uri` that count; None for what can never be registered."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if _FORBIDDEN.search(uri) or "@" in parts.netloc:
        return None
    host = parts.netloc.lower()
    name, _, port = host.partition(":")
    if name in _LOOPBACK_HOSTS and (not port or port.isdecimal()):
        host = name
    return (parts.scheme, host, parts.path or "/", parts.query)


def default_redirect_uris() -> list[str]:
    """Sign-in and signed-out addresses on both loopback names, http and https."""
    return [
        f"{scheme}://{host}{path}"
        for path in _DEFAULT_PATHS
        for scheme in ("http", "https")
        for host in _LOOPBACK_HOSTS
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
    """The tenant of the registration, and a foreign one."""
    return [
        Tenant(TENANT_ID, "Contoso", TENANT_DOMAINS),
        Tenant(FABRIKAM_TENANT_ID, "Fabrikam", FABRIKAM_DOMAINS),
    ]


def _oid(number: int) -> str:
    return f"0a11ce00-0000-4000-8000-{number:012d}"


def group_ids(count: int) -> list[str]:
    """The object ids of the first `count` groups; the same at every start."""
    return [str(uuid.uuid5(uuid.NAMESPACE_DNS, f"group-{n}.contoso.example")) for n in range(count)]


def _person(number: int, name: str, domain: str, about: str, **more: Any) -> Person:
    username = f"{name.split()[0].lower()}@{domain}"
    return Person(username, name, oid=_oid(number), mail=username, about=about, **more)


def default_people() -> dict[str, Person]:
    """Everybody the emulator starts with, by short name."""
    contoso, fabrikam = TENANT_DOMAINS[0], FABRIKAM_DOMAINS[0]
    guest = {"home_tid": FABRIKAM_TENANT_ID, "home_oid": _oid(103)}
    people = (
        _person(1, "Alice Adams", contoso, "no special rule", country="NL", groups=group_ids(2)),
        _person(2, "Bob Brown", contoso, "must pass MFA", mfa_required=True),
        _person(3, "Carol Clark", fabrikam, "guest from Fabrikam", **guest),
        _person(4, "Dave Davis", contoso, "account disabled", enabled=False),
        _person(5, "Erin Evans", contoso, "app role Admin", roles=["Admin"]),
        _person(6, "Frank Fisher", contoso, "member of 250 groups", groups=group_ids(250)),
        _person(107, "Grace Green", fabrikam, "of another tenant", tid=FABRIKAM_TENANT_ID),
        _person(7, "Heidi Hall", contoso, "administrator, may consent for all", is_admin=True),
    )
    return {person.username.partition("@")[0]: person for person in people}


def resolve_segment(tenants: Iterable[Tenant], text: str) -> Segment | None:
    """The meaning of a tenant segment; None when no such tenant exists."""
    wanted = text.lower()
    for audience in _AUDIENCES:
        if wanted == audience:
            return Segment(audience)
    for tenant in tenants:
        if wanted == tenant.tenant_id or wanted in tenant.domains:
            return Segment("tenant", tenant)
    return None


def account_in(person: Person, segment: Segment) -> Account | None:
    """The account with which `person` signs in at `segment`; None when they have none there.

    At an audience of many tenants everybody signs in to their home tenant, guests too.
    """
    if segment.audience == "consumers":
        return None
    if segment.tenant is None or segment.tenant.tenant_id == person.home_tid:
        return Account(person, person.home_tid, person.home_oid)
    if segment.tenant.tenant_id == person.tid:
        return Account(person, person.tid, person.oid)
    return None
