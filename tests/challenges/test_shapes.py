"""The same prompts in the shapes in which sites are deployed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.core.cache import caches
from django.db import connection
from django.test import AsyncClient, Client

from tests.challenges.asking import (
    BY_NAME,
    KINDS,
    NAVIGATE,
    PAGE,
    PAIRS,
    SCRIPTED,
    Caller,
    Walker,
    claims_of,
    find_continue,
    grouped,
    make_walker,
)
from tests.challenges.sources import BY_NAME as SOURCES
from tests.challenges.sources import CONSENT_FOR_MAIL, MFA_FOR_CONTEXT, MFA_FOR_MAIL, Source
from tests.visitor import query_of, text_of

NAVIGATION, FORM = BY_NAME["navigation"], BY_NAME["form"]
FETCH, HTMX_FORM = BY_NAME["fetch"], BY_NAME["htmx-form"]


def set_auth(settings: Any, **members: Any) -> None:
    settings.ENTRA_AUTH = {**settings.ENTRA_AUTH, **members}


def put_after(settings: Any, known: str, added: str) -> None:
    place = settings.MIDDLEWARE.index(known) + 1
    settings.MIDDLEWARE = [*settings.MIDDLEWARE[:place], added, *settings.MIDDLEWARE[place:]]


def shape_query(settings: Any, redis_url: str) -> None:
    set_auth(settings, RESPONSE_MODE="query")


def shape_signed_cookies(settings: Any, redis_url: str) -> None:
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"


def shape_cached_sessions(settings: Any, redis_url: str) -> None:
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"


def shape_login_required(settings: Any, redis_url: str) -> None:
    put_after(
        settings,
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    )


def shape_redis(settings: Any, redis_url: str) -> None:
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": redis_url}}


def shape_strict_cookies(settings: Any, redis_url: str) -> None:
    settings.SESSION_COOKIE_SAMESITE = "Strict"


def shape_no_local_copies(settings: Any, redis_url: str) -> None:
    set_auth(settings, LOCAL_COPY_SECONDS=0)


SHAPES = [
    shape_query,
    shape_signed_cookies,
    shape_cached_sessions,
    shape_login_required,
    shape_redis,
    shape_strict_cookies,
    shape_no_local_copies,
]


@pytest.fixture(params=SHAPES, ids=lambda shape: shape.__name__.removeprefix("shape_"))
def shaped(request: Any, entra: Any, site: Any, redis_url: str, db: None) -> Any:
    request.param(site, redis_url)
    walker = make_walker(entra)
    walker.sign_in()
    assert walker.is_signed_in()
    entra.requests.clear()
    yield walker
    caches["default"].clear()
    caches.close_all()


@pytest.mark.parametrize("caller", [FORM, FETCH], ids=str)
@pytest.mark.parametrize("source", [SOURCES["api-revoked"], SOURCES["context"]], ids=str)
def test_every_shape(
    source: Source, caller: Caller, shaped: Walker, done: Any, prompts: Any
) -> None:
    check_round(shaped, source, caller, done, prompts)


def check_round(walker: Walker, source: Source, caller: Caller, done: Any, prompts: Any) -> None:
    source.arrange(walker)
    prompt = walker.find_prompt(caller, walker.ask(caller, source.path))
    landed = walker.deliver(walker.answer(prompt))
    if caller.kind not in {"navigation", "form"}:
        walker.follow(landed)
    end = walker.repeat(caller, source.path, landed)
    assert end.content == b"Done"
    assert done == [grouped(PAIRS) if caller.method == "POST" else []]
    assert (len(prompts), walker.count("/authorize")) == (1, 1)


@pytest.mark.parametrize("caller", [FORM, HTMX_FORM, FETCH], ids=str)
@pytest.mark.parametrize("name", ["context", "raised", "caught", "api-context"])
def test_views_in_a_transaction(
    name: str, caller: Caller, walker: Walker, done: Any, prompts: Any, monkeypatch: Any
) -> None:
    """What the answer leaves in the session is not rolled back with the view."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    check_round(walker, SOURCES[name], caller, done, prompts)


@pytest.mark.parametrize("mode", ["form_post", "query"])
@pytest.mark.parametrize("caller", KINDS, ids=str)
def test_behind_a_proxy_that_ends_tls(
    caller: Caller, mode: str, entra: Any, site: Any, db: None, done: Any
) -> None:
    site.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    site.SESSION_COOKIE_SECURE = site.CSRF_COOKIE_SECURE = True
    set_auth(site, RESPONSE_MODE=mode)
    origin = "https://www.example.test"
    entra.application.redirect_uris.append(f"{origin}/auth/callback")
    extra = {"HTTP_HOST": "www.example.test", "HTTP_X_FORWARDED_PROTO": "https"}
    client = Client(enforce_csrf_checks=True, **extra)
    walker = Walker(entra, client, site=origin, extra=extra)
    walker.sign_in()
    assert client.cookies["__Host-entra_browser"]["secure"]
    assert "entra_browser" not in client.cookies
    entra.policies.add(MFA_FOR_CONTEXT)
    prompt = walker.find_prompt(caller, walker.ask(caller, "/context/"))
    assert query_of(prompt)["redirect_uri"] == f"{origin}/auth/callback"
    landed = walker.deliver(walker.answer(prompt))
    assert walker.repeat(caller, "/context/", landed).content == b"Done"
    assert len(done) == 1


@pytest.mark.parametrize("caller", KINDS, ids=str)
def test_behind_a_proxy_that_hides_the_host(
    caller: Caller, entra: Any, site: Any, db: None, done: Any
) -> None:
    """The site knows its public address by REDIRECT_URI alone."""
    origin = "https://www.example.test"
    site.CSRF_TRUSTED_ORIGINS = [origin]
    set_auth(site, REDIRECT_URI=f"{origin}/auth/callback")
    entra.application.redirect_uris.append(f"{origin}/auth/callback")
    extra = {"HTTP_HOST": "localhost:8000"}
    walker = Walker(entra, Client(enforce_csrf_checks=True, **extra), site=origin, extra=extra)
    walker.visit(walker.visit("/auth/login/?next=/page/")["Location"])  # sets the hop's cookie
    walker.sign_in()
    walker.client.cookies.pop("entra_hop")
    entra.policies.add(MFA_FOR_CONTEXT)
    prompt = walker.find_prompt(caller, walker.ask(caller, "/context/"))
    landed = walker.deliver(walker.answer(prompt))
    if caller.kind not in {"navigation", "form"}:
        assert walker.follow(landed) == PAGE
    assert walker.repeat(caller, "/context/", landed).content == b"Done"
    assert len(done) == 1


class TestRedirectUriOnAnotherOrigin:
    """Two names for one site; the registered one is 127.0.0.1, people come by localhost."""

    OTHER = "http://localhost:8000"

    @pytest.fixture
    def two_names(self, site: Any, entra: Any, db: None) -> Any:
        set_auth(site, REDIRECT_URI="http://127.0.0.1:8000/auth/callback")
        entra.policies.add(MFA_FOR_CONTEXT)
        return entra

    def other(self, entra: Any) -> Walker:
        client = Client(HTTP_HOST="localhost:8000", enforce_csrf_checks=True)
        return Walker(entra, client, site=self.OTHER)

    def test_on_the_registered_name_all_is_as_ever(self, two_names: Any, done: Any) -> None:
        walker = make_walker(two_names)
        walker.sign_in()
        prompt = walker.find_prompt(FORM, walker.ask(FORM, "/context/"))
        landed = walker.deliver(walker.answer(prompt))
        assert walker.send_on(landed["Location"]).content == b"Done"

    def test_a_stranger_on_the_other_name_ends_where_they_were_going(
        self, two_names: Any, done: Any
    ) -> None:
        elsewhere, registered = self.other(two_names), make_walker(two_names)
        url = elsewhere.ask(NAVIGATION, "/context/")["Location"]
        end = self.walk(elsewhere, registered, url)
        assert end.content == b"Done"

    def test_whose_session_is_good_for_both_names_ends_there_too(
        self, two_names: Any, done: Any
    ) -> None:
        """SESSION_COOKIE_DOMAIN covers both; the browser's secret belongs to one."""
        elsewhere, registered = self.other(two_names), make_walker(two_names)
        registered.sign_in()
        elsewhere.client.cookies["sessionid"] = registered.client.cookies["sessionid"].value
        url = elsewhere.ask(NAVIGATION, "/context/")["Location"]
        assert self.walk(elsewhere, registered, url).content == b"Done"

    def walk(self, elsewhere: Walker, registered: Walker, url: str) -> Any:
        """Follow every redirect with the cookies of the name it leads to; Entra answers alice."""
        for _ in range(8):
            if url.startswith(registered.entra.origin):
                answer = registered.deliver(registered.answer(url))
            elif url.startswith(self.OTHER):
                answer = elsewhere.visit(url)
            else:
                answer = registered.visit(url)
            if answer.status_code != 302:
                return answer
            url = answer["Location"]
        pytest.fail("it does not come to an end")


@pytest.mark.parametrize("caller", [NAVIGATION, FORM, FETCH], ids=str)
@pytest.mark.parametrize(
    ("path", "policy"),
    [
        ("/async-token/", MFA_FOR_MAIL),
        ("/async-context/", MFA_FOR_CONTEXT),
        ("/async-raised/", MFA_FOR_CONTEXT),
        ("/mail-async/", CONSENT_FOR_MAIL),
    ],
)
def test_async_views_under_wsgi(
    path: str, policy: Any, caller: Caller, walker: Walker, done: Any, prompts: Any
) -> None:
    if path == "/mail-async/" and caller.method != "GET":
        path = "/async-token/"
    walker.entra.policies.add(policy)
    prompt = walker.find_prompt(caller, walker.ask(caller, path))
    landed = walker.deliver(walker.answer(prompt))
    end = walker.repeat(caller, path, landed)
    assert end.content == (b"Mail" if path == "/mail-async/" else b"Done")
    assert len(prompts) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/async-token/", "/async-context/", "/async-raised/", "/api/"])
def test_under_asgi(path: str, entra: Any, site: Any, done: Any, prompts: Any) -> None:
    entra.application.redirect_uris.append("http://testserver/auth/callback")

    async def walk() -> None:
        client = AsyncClient()
        await deliver(client, await client.get("/auth/login/?next=/page/"))
        arrange()
        script = await client.get(path, headers={**SCRIPTED, "Referer": "http://testserver/page/"})
        assert script.status_code == 401
        assert script.json()["login_url"].startswith("/auth/login/?next=%2Fpage%2F")
        prompt = await client.get(path, headers=NAVIGATE)
        landed = await deliver(client, prompt)
        assert landed["Location"] == path
        assert (await client.get(path, headers=NAVIGATE)).content == b"Done"
        assert not await (await client.asession()).aget("_entra_prompted")

    async def deliver(client: AsyncClient, prompt: Any) -> Any:
        assert prompt.status_code == 302, prompt.content
        answer = await asyncio.to_thread(entra.complete_sign_in, prompt["Location"], "alice")
        kept = await AsyncClient().post("/auth/callback", answer.fields)
        return await client.get(kept["Location"])

    def arrange() -> None:
        entra.policies.add(MFA_FOR_MAIL)
        entra.policies.add(MFA_FOR_CONTEXT)
        if path == "/api/":
            entra.revoke_sign_ins("alice")

    asyncio.run(walk())
    assert len(done) == 1
    assert len(prompts) == 2  # the script's and the navigation's


@pytest.mark.django_db(transaction=True)
def test_a_loop_ends_under_asgi_too(entra: Any, site: Any, prompts: Any) -> None:
    entra.application.redirect_uris.append("http://testserver/auth/callback")

    async def walk() -> Any:
        client = AsyncClient()
        await deliver(client, await client.get("/auth/login/?next=/page/"))
        entra.always_challenges = True
        entra.mutate_token_response = lambda answer: {**answer, "expires_in": 1}
        await deliver(client, await client.get("/async-token/", headers=NAVIGATE))
        return await client.get("/async-token/", headers=NAVIGATE)

    async def deliver(client: AsyncClient, prompt: Any) -> Any:
        answer = await asyncio.to_thread(entra.complete_sign_in, prompt["Location"], "alice")
        kept = await AsyncClient().post("/auth/callback", answer.fields)
        return await client.get(kept["Location"])

    stop = asyncio.run(walk())
    assert stop.status_code == 403
    assert "AADSTS50076" in text_of(stop)
    assert len(prompts) == 1


def test_no_page_needs_inline_script_or_style(walker: Walker) -> None:
    """A strict policy of the site's own blocks nothing."""
    walker.entra.policies.add(MFA_FOR_CONTEXT)
    seen = [walker.ask(caller, "/context/") for caller in (FORM, BY_NAME["iframe"])]
    posted = walker.ask(BY_NAME["htmx-form"], "/context/")
    seen.append(walker.visit(posted["HX-Redirect"]))
    prompt = find_continue(seen[0])
    assert "id_token" in claims_of(prompt)
    landed = walker.deliver(walker.answer(prompt))
    seen.append(walker.visit(landed["Location"]))
    for page in seen:
        html = page.content.decode()
        assert "<style" not in html
        assert " style=" not in html
        assert " onclick=" not in html
        assert "<script" not in html
        assert "form-action 'self'" in page["Content-Security-Policy"]
