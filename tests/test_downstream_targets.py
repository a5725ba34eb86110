"""Where a token may go, and what reads claims challenges for other HTTP clients."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.http import HttpResponse
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3 import HTTPHeaderDict

from django_entra_auth.downstream import TokenAuth, find_challenge
from django_entra_auth.exceptions import InteractionRequired
from django_entra_auth.oauth2.authority import find_graph_origins
from tests.downstream_api import Api, Received, Reply
from tests.test_downstream import CLAIMS, GLOBAL, GRAPH, Source, make_auth, make_header, refuse

API_SCOPES = ["api://orders/Orders.Read"]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with Api(tmp_path) as server:
        yield server


def go_to(url: str, status: int = 302) -> Reply:
    return Reply(status, [("Location", url)])


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example/",
        "https://graph.microsoft.us/",
        "https://graph.microsoft.com.evil.example/",
        "https://graph.microsoft.com:8443/",
        "http://graph.microsoft.com/",
        "https://graph.microsoft.com@evil.example/",
        "https://evil.example/https://graph.microsoft.com/",
        "http://localhost/",
        "https://localhost/",
    ],
)
@pytest.mark.parametrize(
    "scopes",
    [
        ["User.Read"],
        ["https://graph.microsoft.com/.default"],
        ["00000003-0000-0000-C000-000000000000/Mail.Read"],
        ["api://orders/Orders.Read", "User.Read"],
        ["email"],
        [],
    ],
    ids=str,
)
def test_graphs_tokens_stay_with_graph(api: Api, url: str, scopes: list[str]) -> None:
    source = Source("token")
    with pytest.raises(ValueError, match="token"):
        requests.get(url, auth=make_auth(source, scopes), **api.through)
    assert (api.received, source.asked) == ([], [])


def test_the_error_shows_no_path_and_no_query() -> None:
    with pytest.raises(ValueError, match=r"not to http://api\.example$"):
        requests.get("http://api.example/p?secret=1", auth=make_auth(Source("t"), API_SCOPES))


@pytest.mark.parametrize(
    ("authority", "hosts"),
    [
        (GLOBAL, {"graph.microsoft.com"}),
        ("https://login.windows.net/common", {"graph.microsoft.com"}),
        (
            "https://login.microsoftonline.us/contoso.us",
            {"graph.microsoft.us", "dod-graph.microsoft.us"},
        ),
        ("https://login.partner.microsoftonline.cn/x", {"microsoftgraph.chinacloudapi.cn"}),
        ("https://login.microsoftonline.de/x", set()),
        ("https://login.sovcloud-identity.fr/x", set()),
        ("https://contoso.ciamlogin.com/", {"graph.microsoft.com"}),
        ("http://localhost:8400/x", {"graph.microsoft.com"}),
    ],
)
def test_each_cloud_has_its_own_graph(authority: str, hosts: set[str]) -> None:
    assert find_graph_origins(authority) == {f"https://{host}" for host in hosts}
    auth = TokenAuth(Source("token"), ["User.Read"], authority=authority)
    assert auth.allows("https://graph.microsoft.com/v1.0/me") is ("graph.microsoft.com" in hosts)


@pytest.mark.parametrize("more", [[], ["email"]])
def test_other_tokens_stay_with_the_first_origin(api: Api, more: list[str]) -> None:
    auth = make_auth(Source("token"), API_SCOPES + more)
    requests.get("https://api.example/one", auth=auth, **api.through)
    requests.get("https://API.example:443/two", auth=auth, **api.through)
    for elsewhere in ("https://other.example/", "https://api.example:8443/", f"{GRAPH}/"):
        with pytest.raises(ValueError, match="may not go to"):
            requests.get(elsewhere, auth=auth, **api.through)
    assert [one.path for one in api.received] == ["/one", "/two"]


def test_the_origin_can_be_named(api: Api) -> None:
    auth = make_auth(Source("token"), API_SCOPES, origin="https://api.example/")
    with pytest.raises(ValueError, match=r"may not go to https://other\.example"):
        requests.get("https://other.example/", auth=auth, **api.through)
    requests.get("https://api.example/", auth=auth, **api.through)
    assert api.tokens == ["token"]


@pytest.mark.parametrize(
    "origin",
    ["api.example", "http://api.example", "https://api.example/v1", "https://a@api.example", ""],
)
def test_an_origin_that_cannot_be_meant_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match=r"origin|https"):
        make_auth(Source("token"), API_SCOPES, origin=origin)


def test_graphs_tokens_have_no_other_origin() -> None:
    with pytest.raises(ValueError, match="may not go to"):
        make_auth(Source("token"), origin="https://api.example")


def test_scopes_are_a_list() -> None:
    with pytest.raises(ValueError, match="list"):
        make_auth(Source("token"), "User.Read")


def test_threads_agree_on_the_first_origin() -> None:
    for _ in range(20):
        auth = make_auth(Source("token"), API_SCOPES)

        def prepare(number: int, auth: TokenAuth = auth) -> bool:
            with contextlib.suppress(ValueError):
                requests.Request("GET", f"https://h{number}.example/", auth=auth).prepare()
                return True
            return False

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(prepare, range(8))) == 1


@pytest.mark.parametrize("scopes", [["User.Read"], API_SCOPES])
def test_a_local_api_may_use_http(api: Api, scopes: list[str]) -> None:
    answers = iter([refuse(), Reply()])
    api.decide = lambda _: next(answers)
    auth = make_auth(Source("old", "new"), scopes, allow_loopback=True)
    assert requests.get(f"{api.url}/v1.0/me", auth=auth, timeout=15).status_code == 200
    assert api.tokens == ["old", "new"]
    with pytest.raises(ValueError, match="https alone"):
        requests.get("http://api.example/", auth=auth)


@pytest.mark.parametrize("url", ["https://other.example/", "https://api.example:8443/", "http"])
@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_to_elsewhere_carries_no_token(api: Api, url: str, status: int) -> None:
    """Nor does a challenge there get one."""
    target = f"{api.url}/" if url == "http" else url
    api.decide = lambda request: (
        go_to(target, status) if request.origin == "https://api.example" else refuse()
    )
    source = Source("token", "new")
    auth = make_auth(source, API_SCOPES)
    with requests.Session() as session:
        session.trust_env = False
        response = session.post("https://api.example/", data=b"x", auth=auth, **api.through)
    assert response.status_code == 401
    assert api.tokens == ["token", None]
    assert len(source.asked) == 1


def test_a_redirect_to_this_machine_carries_no_token_either(api: Api) -> None:
    """The token may go there, but a server elsewhere does not decide that it does."""
    api.decide = lambda request: go_to(api.url) if "example" in request.origin else refuse()
    source = Source("token", "new")
    auth = make_auth(source, API_SCOPES, allow_loopback=True)
    assert requests.get("https://api.example/", auth=auth, **api.through).status_code == 401
    assert (api.tokens, len(source.asked)) == (["token", None], 1)


def test_a_session_that_strips_nothing_gets_no_second_token(api: Api) -> None:
    class Careless(requests.Session):
        def should_strip_auth(self, *urls: str) -> bool:
            return False

    api.decide = lambda request: (
        go_to("https://other.example/") if request.origin == "https://api.example" else refuse()
    )
    source = Source("token", "new")
    auth = make_auth(source, API_SCOPES)
    with Careless() as session:
        assert session.get("https://api.example/", auth=auth, **api.through).status_code == 401
    assert len(source.asked) == 1


def test_a_redirect_on_the_same_origin_keeps_the_token_and_the_repeat(api: Api) -> None:
    def decide(request: Received) -> Reply:
        if request.path == "/start":
            return go_to("/end")
        return Reply() if request.token == "new" else refuse()

    api.decide = decide
    auth = make_auth(Source("old", "new"), API_SCOPES)
    response = requests.get("https://api.example/start", auth=auth, **api.through)
    assert response.status_code == 200
    paths = [(one.path, one.token) for one in api.received]
    assert paths == [("/start", "old"), ("/end", "old"), ("/end", "new")]


@pytest.mark.parametrize("first", ["/start", "/middle"])
def test_redirects_after_the_repeat_carry_the_new_token(api: Api, first: str) -> None:
    def decide(request: Received) -> Reply:
        if request.path == "/start" and first == "/middle":
            return go_to("/middle")
        if request.path == first:
            return go_to("/end") if request.token == "new" else refuse()
        return Reply()

    api.decide = decide
    auth = make_auth(Source("old", "new"), API_SCOPES)
    requests.get("https://api.example/start", auth=auth, **api.through)
    assert (api.received[-1].path, api.received[-1].token) == ("/end", "new")


def test_a_chain_of_redirects_has_one_repeat(api: Api) -> None:
    def decide(request: Received) -> Reply:
        if request.path == "/start" and request.token == "two":
            return go_to("/end")
        return refuse()

    api.decide = decide
    source = Source("one", "two", "three")
    with pytest.raises(InteractionRequired):
        requests.get("https://api.example/start", auth=make_auth(source, API_SCOPES), **api.through)
    assert api.tokens == ["one", "two", "two"]


schemes = st.sampled_from(["https", "http", "HTTPS", "ftp", ""])
hosts = st.sampled_from(
    [
        "graph.microsoft.com",
        "GRAPH.microsoft.com",
        "graph.microsoft.com.",
        "graph.microsoft.com.evil.example",
        "evilgraph.microsoft.com",
        "api.example",
        "localhost",
        "127.0.0.1",
        "[::1]",
        "127.0.0.1.evil.example",
    ]
) | st.text("agm.:@%[]\\-/?#", max_size=12)
users = st.sampled_from(["", "a@", "graph.microsoft.com@", "a:b@", "graph.microsoft.com\\@"])
ports = st.sampled_from(["", ":443", ":80", ":8443", ":", ":0443", ":x"])
rests = st.sampled_from(
    ["", "/", "/p?q=[1]|ä", "?x=@evil", "#f", "\\@evil.example", "@evil", "%40e"]
)
urls = st.builds(
    lambda scheme, user, host, port, rest: f"{scheme}://{user}{host}{port}{rest}",
    schemes,
    users,
    hosts,
    ports,
    rests,
)


def prepare(url: str) -> str | None:
    """The URL that requests would connect to."""
    try:
        return requests.Request("GET", url).prepare().url
    except (requests.RequestException, ValueError, UnicodeError):
        return None


def is_fit(url: str, *, allow_loopback: bool) -> bool:
    """Whether requests, which reads the URL like this, would connect to Graph or this machine."""
    parts = urlsplit(url)
    if allow_loopback and parts.hostname in {"localhost", "127.0.0.1", "::1"}:
        return True
    target = (parts.scheme, parts.hostname, parts.port or 443)
    return target == ("https", "graph.microsoft.com", 443)


@given(url=urls, allow_loopback=st.booleans())
def test_only_graph_over_https_and_this_machine_are_allowed(url: str, allow_loopback: bool) -> None:
    auth = make_auth(Source("token"), allow_loopback=allow_loopback)
    target = prepare(url)
    if target is not None and auth.allows(target):
        assert is_fit(target, allow_loopback=allow_loopback)


def keeps_header(start: str, target: str) -> bool:
    """Whether requests would follow a redirect with the header; it fails at what is no port."""
    try:
        return not requests.Session().should_strip_auth(start, target)
    except ValueError:
        return False


@given(start=urls, target=urls, allow_loopback=st.booleans())
@example(
    start="https://graph.microsoft.com",
    target="ftp://graph.microsoft.com:443%40e",
    allow_loopback=False,
)
def test_requests_keeps_the_token_on_no_redirect_to_elsewhere(
    start: str, target: str, allow_loopback: bool
) -> None:
    """Redirects are left to requests: where it keeps the header, the token may go."""
    first, second = prepare(start), prepare(target)
    auth = make_auth(Source("token"), allow_loopback=allow_loopback)
    if first is None or second is None or not auth.allows(first):
        return
    if keeps_header(first, second):
        assert is_fit(second, allow_loopback=allow_loopback)


class MultiItems(dict[str, str]):
    """As httpx.Headers: items() joins what multi_items() has apart."""

    def multi_items(self) -> list[tuple[str, str]]:
        return [("www-authenticate", 'Negotiate "open'), ("www-authenticate", make_header())]


def make_message() -> Message:
    message = Message()
    message["WWW-Authenticate"] = "Negotiate"
    message["WWW-Authenticate"] = make_header()
    return message


@pytest.mark.parametrize(
    "make",
    [
        lambda: make_header(),
        lambda: make_header().encode(),
        lambda: {"WWW-Authenticate": make_header()},
        lambda: {"www-authenticate": make_header().encode()},
        lambda: {b"WWW-AUTHENTICATE": make_header()},
        lambda: {"WWW-Authenticate": ["Negotiate", make_header()]},
        lambda: [("Date", "today"), ("WWW-Authenticate", make_header())],
        lambda: [
            (b"www-authenticate", b"Negotiate"),
            (b"www-authenticate", make_header().encode()),
        ],
        lambda: HTTPHeaderDict({"WWW-Authenticate": make_header()}),
        lambda: HttpResponse(headers={"WWW-Authenticate": make_header()}).headers,
        MultiItems,
        make_message,
    ],
)
def test_headers_of_any_client_are_read(make: Callable[[], Any]) -> None:
    assert find_challenge(401, make()) == CLAIMS
    assert find_challenge(403, make()) == CLAIMS
    assert find_challenge(200, make()) is None


@pytest.mark.parametrize("headers", ["", b"", {}, [], {"X": "y"}, {"X-WWW-Authenticate": "Bearer"}])
def test_without_a_challenge_nothing_is_found(headers: Any) -> None:
    assert find_challenge(401, headers) is None


@given(status=st.integers(100, 599), value=st.text() | st.binary(), prefix=st.booleans())
def test_any_header_can_be_read(status: int, value: str | bytes, prefix: bool) -> None:
    headers = [("WWW-Authenticate", value)]
    found = find_challenge(status, [*headers, ("www-authenticate", make_header())])
    assert found is None or status in {401, 403}
    assert status not in {401, 403} or found is not None
