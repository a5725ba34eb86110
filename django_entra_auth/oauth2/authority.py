"""Reads an authority URL and says which issuers and endpoints may speak for it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

CLOUDS: Final[tuple[frozenset[str], ...]] = (
    frozenset(
        {
            "login.microsoftonline.com",
            "login.microsoft.com",
            "login.windows.net",
            "sts.windows.net",
        }
    ),
    frozenset(
        {"login.microsoftonline.us", "login-us.microsoftonline.com", "login.usgovcloudapi.net"}
    ),
    frozenset({"login.partner.microsoftonline.cn", "login.chinacloudapi.cn"}),
    frozenset({"login.microsoftonline.de"}),
    frozenset({"login.sovcloud-identity.fr"}),
    frozenset({"login.sovcloud-identity.de"}),
    frozenset({"login.sovcloud-identity.sg"}),
)
"""Authority hosts by cloud; the members of one set are aliases of each other."""

_GLOBAL_GRAPH: Final = frozenset({"https://graph.microsoft.com"})
# By the host that stands for a cloud; a cloud without a known Graph is not listed.
_GRAPHS: Final = {
    "login.microsoftonline.com": _GLOBAL_GRAPH,
    "login.microsoftonline.us": frozenset(
        {"https://graph.microsoft.us", "https://dod-graph.microsoft.us"}
    ),
    "login.partner.microsoftonline.cn": frozenset({"https://microsoftgraph.chinacloudapi.cn"}),
}

CONSUMER_TENANT: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"
TENANT_TEMPLATE: Final = "{tenantid}"

Kind = Literal["entra", "b2c", "external_id", "custom"]

_B2C_HOSTS = (".b2clogin.com", ".b2clogin.cn", ".b2clogin.us", ".b2clogin.de")
_EXTERNAL_ID_HOST = ".ciamlogin.com"
_UNSUPPORTED_TENANTS = frozenset({"adfs", "dstsv2"})
_SHARED_TENANTS = frozenset({"common", "organizations"})

_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_IS_GUID = re.compile(_GUID)
_SEGMENT = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")
# One strict shape for every URL, so that no two parsers can read two hosts out of it.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?"
    r"(?P<rest>/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?)?"
)
_ISSUER = re.compile(r"(?P<origin>https?://[^/]+)/(?P<tenant>[^/]+)/v2\.0")
_B2C_ISSUER = re.compile(
    r"(?P<origin>https?://[^/]+)(?:/tfp)?/(?P<tenant>[^/]+)(?:/(?P<policy>[^/]+))?/v2\.0/"
)
_DEFAULT_PORTS = {"http": 80, "https": 443}


def is_guid(value: object) -> bool:
    """Return whether ``value`` is text in the usual 8-4-4-4-12 form of a GUID."""
    return isinstance(value, str) and _IS_GUID.fullmatch(value) is not None


@dataclass(frozen=True)
class Authority:
    """An authority that has been read: ``origin`` is scheme, host and port, ``path`` the rest.

    ``aliases`` are the other origins of its cloud, ``tenant`` is the path segment that names the
    tenant, ``policy`` the B2C user flow.
    """

    kind: Kind
    origin: str
    path: str
    tenant: str
    policy: str | None = None
    aliases: frozenset[str] = frozenset()

    @property
    def url(self) -> str:
        """The authority as a URL without a trailing slash."""
        return f"{self.origin}/{self.path}"

    @property
    def metadata_url(self) -> str:
        """Where the authority publishes its OpenID configuration (OIDC Discovery 1.0 section 4)."""
        return f"{self.url}/v2.0/.well-known/openid-configuration"

    @property
    def is_shared(self) -> bool:
        """Whether people of more than one tenant sign in here, so that the issuer is a template."""
        return self.kind == "entra" and self.tenant.lower() in _SHARED_TENANTS

    @property
    def accepts_consumers(self) -> bool:
        """Whether a personal account may come from here."""
        return self.tenant.lower() != "organizations"

    def adapt_prompt(self, prompt: str | None) -> str | None:
        """Return the ``prompt`` to send: B2C offers no choice of accounts, only a new sign-in."""
        return "login" if self.kind == "b2c" and prompt == "select_account" else prompt

    def adapt_scopes(self, scopes: Iterable[str]) -> list[str]:
        """Return the scopes to send: B2C has no ``email``; addresses are a user flow's claim."""
        return [scope for scope in scopes if self.kind != "b2c" or scope != "email"]

    def trusts_endpoint(self, url: object) -> bool:
        """Return whether a discovered endpoint lies on this authority's host or its cloud's."""
        origin = parse_origin(url)
        return origin is not None and (origin == self.origin or origin in self.aliases)

    def read_issuer(self, issuer: object) -> str | None:
        """Return the tenant id that ``issuer`` names, ``None`` when it is the shared template.

        Raises ``ValueError`` when this authority may not have that issuer.
        """
        match = _match_issuer(self, issuer)
        if match is None:
            raise ValueError("the issuer does not have the form that this authority uses")
        tenant = match["tenant"]
        if self.is_shared:
            if tenant != TENANT_TEMPLATE:
                raise ValueError("the issuer of a shared authority must be the tenant template")
        elif not self._is_own_tenant(tenant):
            raise ValueError("the issuer names another tenant")
        if match["origin"] not in self._issuer_origins(tenant):
            raise ValueError("the issuer is on another host than the authority's cloud")
        return None if self.is_shared else tenant.lower()

    def _is_own_tenant(self, tenant: str) -> bool:
        own = self.tenant.lower()
        if own == "consumers":
            own = CONSUMER_TENANT
        return is_guid(tenant) and (not is_guid(own) or own == tenant.lower())

    def _issuer_origins(self, tenant: str) -> frozenset[str]:
        by_tenant = f"https://{tenant.lower()}{_EXTERNAL_ID_HOST}"
        if self.kind == "external_id":
            return frozenset({by_tenant})
        # External ID names its GUID host behind an own domain too, and so does a local emulator.
        if self.kind == "custom" or (self.kind == "entra" and not self.aliases):
            return frozenset({self.origin, by_tenant})
        return self.aliases | {self.origin}


def parse_authority(url: str, *, allow_loopback: bool = False) -> Authority:
    """Return the authority that ``url`` names, for example ``https://host/tenant``.

    Raises ``ValueError`` for anything that is not an https URL with a tenant, for http or
    loopback addresses unless ``allow_loopback``, and for AD FS and dSTS, which are not Entra ID.
    """
    origin = parse_origin(url)
    if origin is None:
        raise ValueError("authority must be a URL such as https://login.microsoftonline.com/tenant")
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        raise ValueError("authority must not have a query or a fragment")
    host = (parts.hostname or "").lower()
    _check_scheme(parts.scheme.lower(), host, allow_loopback=allow_loopback)
    segments = _read_segments(parts.path)
    kind = _read_kind(host, segments)
    return _build(kind, origin, host, segments)


def parse_origin(url: object) -> str | None:
    """Return scheme, host and any unusual port of ``url`` in lower case, else ``None``."""
    match = _URL.fullmatch(url) if isinstance(url, str) else None
    if match is None:
        return None
    scheme, port = match["scheme"], match["port"]
    origin = f"{scheme}://{match['host'].lower()}"
    is_usual = port is None or int(port) == _DEFAULT_PORTS[scheme]
    return origin if is_usual else f"{origin}:{int(port)}"


def find_graph_origins(authority: str) -> frozenset[str]:
    """Return the origins of Microsoft Graph in the cloud of an authority URL.

    Empty for clouds whose Graph is not known. Authorities outside the listed clouds (External
    ID, own domains, a local one) belong to the global cloud.
    """
    host = urlsplit(authority).hostname
    cloud = next((cloud for cloud in CLOUDS if host in cloud), None)
    if cloud is None:
        return _GLOBAL_GRAPH
    return next((origins for login, origins in _GRAPHS.items() if login in cloud), frozenset())


def is_loopback(host: str) -> bool:
    """Return whether ``host`` means this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _check_scheme(scheme: str, host: str, *, allow_loopback: bool) -> None:
    if is_loopback(host):
        if not allow_loopback:
            raise ValueError("a loopback authority is refused; it has to be allowed explicitly")
    elif scheme != "https":
        raise ValueError("authority must use https")


def _read_segments(path: str) -> list[str]:
    segments = path.strip("/").split("/") if path.strip("/") else []
    if len(segments) > 1 and segments[-1] == "v2.0":
        segments.pop()
    if not all(_SEGMENT.fullmatch(segment) for segment in segments):
        raise ValueError("authority has a path that no tenant can have")
    return segments


def _read_kind(host: str, segments: list[str]) -> Kind:
    if any(host in cloud for cloud in CLOUDS):
        return "entra"
    if host.endswith(_EXTERNAL_ID_HOST):
        return "external_id"
    # A B2C user flow behind a custom domain shows only in the path.
    if host.endswith(_B2C_HOSTS) or len(segments) > 1:
        return "b2c"
    return "entra" if is_loopback(host) else "custom"


def _build(kind: Kind, origin: str, host: str, segments: list[str]) -> Authority:
    if kind == "b2c":
        return _build_b2c(origin, segments)
    if kind == "external_id" and not segments:
        segments = [f"{host.removesuffix(_EXTERNAL_ID_HOST)}.onmicrosoft.com"]
    if len(segments) != 1 or segments[0].lower() in _UNSUPPORTED_TENANTS:
        raise ValueError("authority must name exactly one tenant of Microsoft Entra ID")
    (tenant,) = segments
    return Authority(kind, origin, tenant, tenant, aliases=_find_aliases(host))


def _build_b2c(origin: str, segments: list[str]) -> Authority:
    named = segments[1:] if segments[:1] == ["tfp"] else segments
    if len(named) != 2:
        raise ValueError("a B2C authority must name a tenant and a policy")
    tenant, policy = named
    return Authority("b2c", origin, "/".join(segments), tenant, policy)


def _find_aliases(host: str) -> frozenset[str]:
    for cloud in CLOUDS:
        if host in cloud:
            return frozenset(f"https://{alias}" for alias in cloud)
    return frozenset()


def _match_issuer(authority: Authority, issuer: object) -> re.Match[str] | None:
    if not isinstance(issuer, str) or len(issuer) > 512:
        return None
    if authority.kind != "b2c":
        return _ISSUER.fullmatch(issuer)
    match = _B2C_ISSUER.fullmatch(issuer)
    policy = match["policy"] if match else None
    if policy is not None and policy.lower() != (authority.policy or "").lower():
        return None
    return match
