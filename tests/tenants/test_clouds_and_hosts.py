"""A whole sign-in at every kind of authority, by the names that the world's hosts have.

The requests travel through an https proxy with TLS verified, so that nothing of the product is
replaced: settings, discovery, endpoints, issuers, keys, refreshes, Graph's hosts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import requests
from django.core.signals import request_started
from django.test.client import ClientHandler

from django_entra_auth.emulator import (
    B2C_DOMAINS,
    B2C_TENANT_ID,
    CUSTOMERS_DOMAINS,
    CUSTOMERS_TENANT_ID,
    TENANT_ID,
    Emulator,
)
from tests.tenants.asking import identities, refreshes
from tests.tenants.front_door import FrontDoor
from tests.visitor import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.tenants.site")]

SHOP, B2C = CUSTOMERS_DOMAINS[0], B2C_DOMAINS[0]
GRAPHS = (
    "graph.microsoft.com",
    "graph.microsoft.us",
    "dod-graph.microsoft.us",
    "microsoftgraph.chinacloudapi.cn",
)


@dataclass(frozen=True)
class Cloud:
    """An authority; `host` is the one its document names."""

    authority: str
    host: str
    person: str = "alice"
    tid: str = TENANT_ID
    graphs: tuple[str, ...] = GRAPHS[:1]


CLOUDS = {
    "global": Cloud(f"https://login.microsoftonline.com/{TENANT_ID}", "login.microsoftonline.com"),
    "global, former name": Cloud(
        "https://login.windows.net/contoso.example", "login.microsoftonline.com"
    ),
    "US Government": Cloud(
        f"https://login.microsoftonline.us/{TENANT_ID}",
        "login.microsoftonline.us",
        graphs=GRAPHS[1:3],
    ),
    "US Government, many tenants": Cloud(
        "https://login.microsoftonline.us/organizations",
        "login.microsoftonline.us",
        graphs=GRAPHS[1:3],
    ),
    "China": Cloud(
        f"https://login.partner.microsoftonline.cn/{TENANT_ID}",
        "login.partner.microsoftonline.cn",
        graphs=GRAPHS[3:],
    ),
    "China, other name": Cloud(
        f"https://login.chinacloudapi.cn/{TENANT_ID}",
        "login.partner.microsoftonline.cn",
        graphs=GRAPHS[3:],
    ),
    "External ID": Cloud(
        f"https://contosocustomers.ciamlogin.com/{SHOP}",
        "contosocustomers.ciamlogin.com",
        "olga",
        CUSTOMERS_TENANT_ID,
    ),
    "External ID, host alone": Cloud(
        "https://contosocustomers.ciamlogin.com",
        "contosocustomers.ciamlogin.com",
        "olga",
        CUSTOMERS_TENANT_ID,
    ),
    "External ID, own domain": Cloud(
        f"https://login.shop.example/{CUSTOMERS_TENANT_ID}",
        "login.shop.example",
        "olga",
        CUSTOMERS_TENANT_ID,
    ),
    "B2C": Cloud(
        f"https://contosob2c.b2clogin.com/{B2C}/B2C_1_susi",
        "contosob2c.b2clogin.com",
        "paul",
        B2C_TENANT_ID,
    ),
    "B2C, own domain": Cloud(
        f"https://login.shop.example/{B2C_TENANT_ID}/B2C_1_susi",
        "login.shop.example",
        "paul",
        B2C_TENANT_ID,
    ),
}
HOSTS = {one.host for one in CLOUDS.values()}
OTHERS = {"login.windows.net", "login.chinacloudapi.cn"}


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    with Emulator() as entra:
        hosts = (*sorted(HOSTS | OTHERS), *GRAPHS)
        with FrontDoor(entra.port, hosts, tmp_path_factory.mktemp("front-door")) as door:
            entra.ca_bundle = door.ca_bundle
            yield entra, door
        entra.ca_bundle = None


@pytest.fixture
def _online():
    """The kit's `sign_in`, once used in this process, keeps test clients off the network."""
    uid = f"django_entra_auth.testing.{ClientHandler.__name__}"
    request_started.disconnect(sender=ClientHandler, dispatch_uid=uid)


@pytest.fixture
def entra(door, _online):
    """A local Entra of these tests' own, since it goes by other names."""
    emulator, proxy = door
    own = emulator.origin
    proxy.visited.clear()
    yield emulator
    emulator.reset()
    emulator.origin = own


@pytest.fixture
def enter(entra, door, configure, entra_settings, visitor):
    """Sign in at a cloud; the callback's response."""
    _, proxy = door

    def run(cloud: Cloud, **keys: Any) -> Any:
        entra.origin = f"https://{cloud.host}"
        entra_settings.ENTRA_AUTH = {
            "CLIENT_ID": entra.client_id,
            "CLIENT_CREDENTIAL": entra.client_secret,
            "AUTHORITY": cloud.authority,
            "PROXIES": proxy.proxies,
            "CA_BUNDLE": proxy.ca_bundle,
            "ALLOWED_TENANTS": [TENANT_ID] if "organizations" in cloud.authority else [],
            **keys,
        }
        with requests.Session() as browser:
            browser.trust_env = False
            browser.proxies = proxy.proxies
            auth_uri = visitor.begin()
            assert auth_uri.startswith(f"https://{cloud.host}/")
            return visitor.deliver(visitor.answer(auth_uri, cloud.person, browser=browser))

    return run


@pytest.mark.parametrize("name", CLOUDS)
def test_sign_in_and_a_later_check(enter, door, entra, visitor, name):
    cloud = CLOUDS[name]
    assert enter(cloud, REVALIDATE_SECONDS=0)["Location"] == "/private/"
    assert visitor.is_signed_in()
    assert identities() == {(cloud.tid, entra.people[cloud.person].oid)}
    assert len(refreshes(entra)) == 1
    assert door[1].visited == {cloud.host, cloud.authority.split("/")[2]}


ELSEWHERE = {
    "another cloud": ("US Government", "https://login.microsoftonline.com"),
    "another customer": ("External ID", "https://fabrikamcustomers.ciamlogin.com"),
    "a customer's name instead of the tenant's cloud": ("B2C", "https://fabrikamb2c.b2clogin.com"),
    "somebody else": ("global", "https://login.evil.example"),
}


@pytest.mark.parametrize("case", ELSEWHERE)
def test_a_document_that_points_elsewhere(enter, visitor, case):
    name, origin = ELSEWHERE[case]
    with pytest.raises(AssertionError):  # of `begin`: there is no redirect to anywhere
        enter(Cloud(CLOUDS[name].authority, origin.removeprefix("https://")))
    response = visitor.client.get("/auth/login/", {"next": "/private/"})
    assert response.status_code == 500
    assert "connected to Microsoft" in text_of(response)


@pytest.mark.parametrize("name", [name for name in CLOUDS if "B2C" not in name])
def test_graph_is_that_of_the_cloud(enter, door, visitor, name):
    cloud = CLOUDS[name]
    enter(cloud, SCOPES=["User.Read"])
    for host in GRAPHS:
        url = f"https://{host}/v1.0/me"
        got = visitor.client.get("/call/", {"url": url, "scopes": "User.Read"}).json()
        assert ("refused" in got) is (host not in cloud.graphs), got
        assert (host in door[1].visited) is (host in cloud.graphs)
        assert got.get("status") == (200 if host in cloud.graphs else None)


@pytest.mark.parametrize("host", ["graph.microsoft.us", "dod-graph.microsoft.us"])
def test_a_scope_may_name_the_clouds_graph_in_full(enter, entra, visitor, host):
    """Entra takes both spellings for one permission, so one token serves both."""
    cloud = CLOUDS["US Government"]
    enter(cloud, SCOPES=[f"https://{host}/User.Read"])
    entra.requests.clear()
    for scope in (f"https://{host}/User.Read", "User.Read"):
        asked = {"url": f"https://{host}/v1.0/me", "scopes": scope}
        assert visitor.client.get("/call/", asked).json()["status"] == 200
    assert not refreshes(entra)
