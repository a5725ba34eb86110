"""The `auth=` of a requests call: one repeat, the right token, and only where it may go."""

from __future__ import annotations

import io
import json
import os
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from django_entra_auth.downstream import TokenAuth
from django_entra_auth.exceptions import InteractionRequired, TemporarilyUnavailable, TokenError
from tests.downstream_api import Api, Received, Reply

GLOBAL = "https://login.microsoftonline.com/contoso.onmicrosoft.com"
GRAPH = "https://graph.microsoft.com"
CLAIMS = '{"access_token":{"nbf":{"essential":true, "value":"1635527790"}}}'
OTHER_CLAIMS = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'


class Source:
    """Gives the tokens (or raises the exceptions) it was made with; the last again and again."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[tuple[str, ...], str | None, str | None]] = []

    def token(
        self,
        scopes: Sequence[str],
        *,
        claims_challenge: str | None = None,
        refused_token: str | None = None,
    ) -> str:
        self.asked.append((tuple(scopes), claims_challenge, refused_token))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def challenge(self, scopes: Sequence[str], claims: str) -> InteractionRequired:
        return InteractionRequired(scopes=scopes, claims=claims)


def make_auth(source: Source, scopes: Sequence[str] = ("User.Read",), **options: Any) -> TokenAuth:
    return TokenAuth(source, scopes, authority=GLOBAL, **options)


def make_header(claims: str = CLAIMS) -> str:
    value = b64encode(claims.encode()).decode()
    return f'Bearer realm="", error="insufficient_claims", claims="{value}"'


def refuse(claims: str = CLAIMS, status: int = 401, **headers: str) -> Reply:
    """What an API answers to a token that is not enough."""
    return Reply(status, [("WWW-Authenticate", make_header(claims)), *headers.items()], b"refused")


def accept_only(token: str, claims: str = CLAIMS) -> Callable[[Received], Reply]:
    """An API that is content with one token alone."""
    return lambda request: Reply() if request.token == token else refuse(claims)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with Api(tmp_path) as server:
        yield server


@pytest.mark.parametrize("status", [401, 403])
def test_a_challenged_call_is_repeated_once_with_a_new_token(api: Api, status: int) -> None:
    accept = accept_only("new")
    api.decide = lambda request: (
        accept(request) if request.token == "new" else refuse(status=status)
    )
    source = Source("old", "new")
    response = requests.get(f"{GRAPH}/v1.0/me?$select=id", auth=make_auth(source), **api.through)
    assert response.status_code == 200
    assert api.tokens == ["old", "new"]
    assert {one.path for one in api.received} == {"/v1.0/me?$select=id"}
    assert {one.origin for one in api.received} == {GRAPH}
    assert source.asked == [(("User.Read",), None, None), (("User.Read",), CLAIMS, "old")]
    assert [one.status_code for one in response.history] == [status]
    assert response.history[0].text == "refused"


def test_the_connection_is_used_again(api: Api) -> None:
    api.decide = accept_only("new")
    requests.get(f"{GRAPH}/", auth=make_auth(Source("old", "new")), **api.through)
    assert len({one.connection for one in api.received}) == 1


def test_a_call_that_is_not_challenged_costs_one_token(api: Api) -> None:
    source = Source("token")
    requests.get(f"{GRAPH}/", auth=make_auth(source), **api.through)
    assert (len(source.asked), api.tokens) == (1, ["token"])


@pytest.mark.parametrize(
    "reply",
    [
        Reply(401),
        Reply(401, [("WWW-Authenticate", 'Bearer error="invalid_token"')]),
        Reply(401, [("WWW-Authenticate", 'Bearer error="insufficient_claims", claims="%%%"')]),
        Reply(500, [("WWW-Authenticate", make_header())]),
        Reply(200, [("WWW-Authenticate", make_header())]),
    ],
)
def test_what_is_no_challenge_is_the_callers(api: Api, reply: Reply) -> None:
    api.decide = lambda _: reply
    source = Source("token", "new")
    response = requests.get(f"{GRAPH}/", auth=make_auth(source), **api.through)
    assert response.status_code == reply.status
    assert (len(api.received), len(source.asked)) == (1, 1)


def test_a_challenge_in_a_second_field_is_found(api: Api) -> None:
    broken = ("WWW-Authenticate", 'Negotiate "never closed')
    both = Reply(401, [broken, ("WWW-Authenticate", make_header())])
    api.decide = lambda request: both if request.token == "old" else Reply()
    response = requests.get(f"{GRAPH}/", auth=make_auth(Source("old", "new")), **api.through)
    assert response.status_code == 200


def test_a_second_challenge_needs_a_person(api: Api) -> None:
    api.decide = lambda request: refuse(CLAIMS if request.token == "old" else OTHER_CLAIMS)
    with pytest.raises(InteractionRequired) as caught:
        requests.get(f"{GRAPH}/", auth=make_auth(Source("old", "new", "newer")), **api.through)
    assert (caught.value.scopes, caught.value.claims) == (("User.Read",), OTHER_CLAIMS)
    assert api.tokens == ["old", "new"]


def test_the_refused_token_is_not_sent_again(api: Api) -> None:
    api.decide = lambda _: refuse()
    with pytest.raises(InteractionRequired) as caught:
        requests.get(f"{GRAPH}/", auth=make_auth(Source("old", "old")), **api.through)
    assert caught.value.claims == CLAIMS
    assert api.tokens == ["old"]


@pytest.mark.parametrize(
    "failure",
    [InteractionRequired(scopes=["User.Read"], claims=OTHER_CLAIMS), TemporarilyUnavailable()],
)
def test_what_the_source_raises_reaches_the_caller(api: Api, failure: TokenError) -> None:
    api.decide = lambda _: refuse()
    with pytest.raises(TokenError) as caught:
        requests.get(f"{GRAPH}/", auth=make_auth(Source("old", failure)), **api.through)
    assert caught.value is failure
    assert len(api.received) == 1


def test_nothing_is_sent_without_a_token(api: Api) -> None:
    with pytest.raises(InteractionRequired):
        requests.get(f"{GRAPH}/", auth=make_auth(Source(InteractionRequired())), **api.through)
    assert api.received == []


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_that_raises_gives_its_connection_back(api: Api, stream: bool) -> None:
    api.decide = lambda _: refuse()
    with requests.Session() as session:
        for _ in range(3):
            source = Source("old", InteractionRequired())
            with pytest.raises(InteractionRequired):
                session.get(f"{GRAPH}/", auth=make_auth(source), stream=stream, **api.through)
        adapter: Any = session.get_adapter(GRAPH)
        manager = adapter.proxy_manager[api.url]
        (key,) = manager.pools.keys()
        assert manager.pools[key].pool.qsize() == manager.pools[key].pool.maxsize


def make_file(tmp_path: Path) -> Any:
    path = tmp_path / "upload"
    path.write_bytes(b"skipped" + b"x" * 100_000)
    file = path.open("rb")
    file.seek(len("skipped"))
    return file


@pytest.mark.parametrize(
    ("make", "body"),
    [
        (lambda _: {"json": {"a": 1}}, b'{"a": 1}'),
        (lambda _: {"data": {"a": "ä"}}, b"a=%C3%A4"),
        (lambda _: {"data": b"bytes"}, b"bytes"),
        (lambda _: {"data": "text"}, b"text"),
        (lambda _: {"data": bytearray(b"array")}, b"array"),
        (lambda _: {"data": io.BytesIO(b"memory")}, b"memory"),
        (lambda path: {"data": make_file(path)}, b"x" * 100_000),
        (lambda _: {}, b""),
    ],
    ids=["json", "form", "bytes", "text", "bytearray", "memory", "file", "none"],
)
def test_bodies_are_repeated_whole(
    api: Api, tmp_path: Path, make: Callable[[Path], dict[str, Any]], body: bytes
) -> None:
    api.decide = accept_only("new")
    arguments = make(tmp_path)
    auth = make_auth(Source("old", "new"))
    response = requests.post(f"{GRAPH}/", auth=auth, **arguments, **api.through)
    if hasattr(arguments.get("data"), "close"):
        arguments["data"].close()
    assert response.status_code == 200
    assert [one.body for one in api.received] == [body, body]
    first, second = (
        {name: value for name, value in one.headers.items() if name != "authorization"}
        for one in api.received
    )
    assert first == second


def test_a_multipart_body_is_repeated(api: Api) -> None:
    api.decide = accept_only("new")
    auth = make_auth(Source("old", "new"))
    requests.post(f"{GRAPH}/", auth=auth, files={"f": io.BytesIO(b"content")}, **api.through)
    first, second = api.received
    assert b"content" in first.body
    assert first.body == second.body


def make_pipe() -> Any:
    reader, writer = os.pipe()
    os.write(writer, b"once")
    os.close(writer)
    return os.fdopen(reader, "rb")


@pytest.mark.parametrize("make", [lambda: iter([b"on", b"ce"]), make_pipe], ids=["iter", "pipe"])
def test_a_body_that_can_be_read_once_is_not_sent_again(api: Api, make: Callable[[], Any]) -> None:
    api.decide = lambda _: refuse()
    source = Source("old", "new")
    data = make()
    response = requests.post(f"{GRAPH}/", auth=make_auth(source), data=data, **api.through)
    if hasattr(data, "close"):
        data.close()
    assert (response.status_code, response.text) == (401, "refused")
    assert [one.body for one in api.received] == [b"once"]
    assert source.asked[-1] == (("User.Read",), CLAIMS, "old")  # for the next call


def test_a_body_that_can_be_read_once_still_brings_the_person(api: Api) -> None:
    api.decide = lambda _: refuse()
    auth = make_auth(Source("old", InteractionRequired(claims=CLAIMS)))
    with pytest.raises(InteractionRequired):
        requests.post(f"{GRAPH}/", auth=auth, data=iter([b"once"]), **api.through)


def test_a_streamed_refusal_stays_readable(api: Api) -> None:
    api.decide = lambda _: refuse()
    auth = make_auth(Source("old", "new"))
    data = iter([b"once"])
    with requests.post(f"{GRAPH}/", auth=auth, data=data, stream=True, **api.through) as response:
        assert response.raw.read() == b"refused"


def test_a_streamed_answer_streams_after_the_repeat(api: Api) -> None:
    api.decide = accept_only("new")
    auth = make_auth(Source("old", "new"))
    with requests.get(f"{GRAPH}/", auth=auth, stream=True, **api.through) as response:
        assert response.raw.read() == b"{}"


def test_the_callers_hook_hears_the_last_answer_once(api: Api) -> None:
    api.decide = accept_only("new")
    heard: list[int] = []
    hooks = {"response": lambda response, **_: heard.append(response.status_code)}
    auth = make_auth(Source("old", "new"))
    requests.get(f"{GRAPH}/", auth=auth, hooks=hooks, **api.through)
    assert heard == [200]


def test_cookies_of_the_refusal_are_kept(api: Api) -> None:
    accept = accept_only("new")

    def decide(request: Received) -> Reply:
        reply = accept(request)
        return Reply(reply.status, [*reply.headers, ("Set-Cookie", f"{request.token}=1")])

    api.decide = decide
    with requests.Session() as session:
        session.get(f"{GRAPH}/", auth=make_auth(Source("old", "new")), **api.through)
        assert session.cookies.get_dict() == {"old": "1", "new": "1"}
    assert api.received[1].headers["cookie"] == "old=1"


def test_the_repeat_keeps_the_timeout(api: Api) -> None:
    held = threading.Event()

    def decide(request: Received) -> Reply:
        if request.token == "new":
            held.wait(15)
        return refuse()

    api.decide = decide
    auth = make_auth(Source("old", "new"))
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{GRAPH}/", auth=auth, **{**api.through, "timeout": (5, 0.5)})
    held.set()


@pytest.mark.parametrize("redirected", [False, True])
def test_a_prepared_request_can_be_sent_again(api: Api, redirected: bool) -> None:
    good = ["two"]

    def decide(request: Received) -> Reply:
        if redirected and request.path == "/":
            return Reply(302, [("Location", "/end")])
        return Reply() if request.token in good else refuse()

    api.decide = decide
    source = Source("one", "two", "three")
    with requests.Session() as session:
        request = requests.Request("GET", f"{GRAPH}/", auth=make_auth(source))
        prepared = session.prepare_request(request)
        assert session.send(prepared, **api.through).status_code == 200
        good[:] = ["three"]
        assert session.send(prepared, **api.through).status_code == 200
    at_end = [one.token for one in api.received if not redirected or one.path == "/end"]
    assert at_end == ["one", "two", "two", "three"]


def test_one_object_serves_a_session_and_threads(api: Api) -> None:
    """Each call answers its own challenge, whatever the others meet at the same time."""
    lock = threading.Lock()
    seen: set[str] = set()

    def decide(request: Received) -> Reply:
        with lock:
            is_new = request.path not in seen
            seen.add(request.path)
        return refuse() if is_new else Reply(body=request.path.encode())

    api.decide = decide

    class Fresh(Source):
        def token(self, scopes: Sequence[str], **options: Any) -> str:
            return "new" if options["claims_challenge"] else "old"

    auth = make_auth(Fresh("unused"))

    def get(number: int) -> str:
        with requests.Session() as session:
            session.auth = auth
            return session.get(f"{GRAPH}/{number}", **api.through).text

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(get, range(40))) == [f"/{number}" for number in range(40)]
    assert len(api.received) == 80


@pytest.mark.parametrize("token", ["key\r\nX-Evil: 1", "key 1", "", "kéy", "key\n"])
def test_what_is_no_bearer_token_is_neither_sent_nor_shown(api: Api, token: str) -> None:
    with pytest.raises(TokenError) as caught:
        requests.get(f"{GRAPH}/", auth=make_auth(Source(token)), **api.through)
    assert api.received == []
    assert not any(part in f"{caught.value} {caught.value.result}" for part in ("key", "kéy"))


def test_claims_cannot_become_headers(api: Api) -> None:
    hostile = json.dumps({"access_token": {"acrs": {"value": "c1\r\nX-Evil: 1"}}})
    raw = '{"access_token":{"acrs":"c1\r\n X-Evil: 1"}}'  # folded, as http.client reads it

    def decide(request: Received) -> Reply:
        return refuse(hostile) if request.token == "old" else refuse(raw)

    api.decide = decide
    source = Source("old", "new")
    response = requests.get(f"{GRAPH}/", auth=make_auth(source), **api.through)
    assert response.status_code == 401  # a bare line break is no JSON
    assert source.asked[-1][1] == hostile
    assert all("x-evil" not in one.headers for one in api.received)
    assert "\r" not in hostile
