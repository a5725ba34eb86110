"""Who and what the local Entra knows: tenants, people, application registrations."""

import hashlib
import hmac
import re
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from .constants import CONSUMER_TENANT_ID, PASSWORD, TENANT_ID
from .registered_credentials import RegisteredCredentials
from .scopes import RESERVED, resource_of

EVERYTHING = "*"  # an administrator's consent to all that the application was registered with

Audience = Literal["tenant", "organizations", "common", "consumers"]
TenantKind = Literal["workforce", "external_id", "b2c"]

_AUDIENCES: tuple[Audience, ...] = ("organizations", "common", "consumers")
LOOPBACK_HOSTS = ("localhost", "127.0.0.1")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\uffff#\\]")


@dataclass(frozen=True)
class Tenant:
    """One directory; `domains` are its verified domains.

    One of kind `external_id` or `b2c` holds customers, who sign in nowhere else. `policies` are
    B2C's user flows; `issuer_names_policy` is how such a tenant can be set up.
    """

    tenant_id: str
    name: str
    domains: tuple[str, ...]
    kind: TenantKind = "workforce"
    policies: tuple[str, ...] = ()
    issuer_names_policy: bool = False


@dataclass(frozen=True)
class Segment:
    """The tenant segment of a URL, resolved: one tenant, or an audience of many.

    `policy` is B2C's user flow; `customer_tids` are directories whose people stay among themselves.
    """

    audience: Audience
    tenant: Tenant | None = None
    policy: str = ""
    customer_tids: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """Equal for all spellings of the same segment; codes are bound to it."""
        own = self.tenant.tenant_id if self.tenant else self.audience
        return f"{own}/{self.policy}" if self.policy else own

    def lists(self, person: "Person") -> bool:
        """Whether the sign-in page offers `person`: strangers too, but customers at home alone."""
        if self.tenant is not None and self.tenant.tenant_id in self.customer_tids:
            return person.home_tid == self.tenant.tenant_id
        if person.home_tid in self.customer_tids:
            return False
        is_personal = person.home_tid == CONSUMER_TENANT_ID
        if self.tenant is not None and is_personal:
            return account_in(person, self) is not None
        return self.audience != "consumers" or is_personal

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

    def has_password(self, password: str) -> bool:
        """Whether `password` is theirs."""
        return hmac.compare_digest(password.encode(), self.password.encode())

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
    credentials: RegisteredCredentials = field(default_factory=RegisteredCredentials)

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
    if name in LOOPBACK_HOSTS and (not port or port.isdecimal()):
        host = name
    return (parts.scheme, host, parts.path or "/", parts.query)


def resolve_segment(tenants: Iterable[Tenant], text: str) -> Segment | None:
    """The meaning of a tenant segment; None when no such tenant exists.

    B2C's has the user flow behind the tenant, and may have "tfp" before it.
    """
    wanted = text.lower().removeprefix("tfp/")
    known = list(tenants)
    customers = frozenset(t.tenant_id for t in known if t.kind != "workforce")
    for audience in _AUDIENCES:
        if wanted == audience or (audience, wanted) == ("consumers", CONSUMER_TENANT_ID):
            return Segment(audience, customer_tids=customers)
    name, _, policy = wanted.partition("/")
    for tenant in known:
        if name == tenant.tenant_id or name in tenant.domains:
            is_known = policy in (tenant.policies if tenant.kind == "b2c" else ("",))
            return Segment("tenant", tenant, policy, customers) if is_known else None
    return None


def account_in(person: Person, segment: Segment) -> Account | None:
    """The account with which `person` signs in at `segment`; None when they have none there.

    At an audience of many tenants everybody signs in to their home tenant, guests too.
    """
    is_at_home = segment.tenant is not None and segment.tenant.tenant_id == person.home_tid
    if is_at_home or (segment.tenant is None and _is_served(person, segment)):
        return Account(person, person.home_tid, person.home_oid)
    if segment.tenant is not None and segment.tenant.tenant_id == person.tid:
        return Account(person, person.tid, person.oid)
    return None


def _is_served(person: Person, segment: Segment) -> bool:
    if person.home_tid in segment.customer_tids:
        return False
    is_personal = person.home_tid == CONSUMER_TENANT_ID
    return segment.audience == "common" or is_personal == (segment.audience == "consumers")
