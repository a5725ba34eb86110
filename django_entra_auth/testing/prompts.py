"""What a test says and does about a prompt: that it came, what it asked for, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.http import HttpRequest, HttpResponseBase
from django.test import Client
from django.urls import reverse

from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import SignInFailed
from django_entra_auth.interaction.prompt import load_details
from django_entra_auth.interaction.requirement import NOTHING, Requirement, make_requirement
from django_entra_auth.interaction.state import LOGIN_URL, STATE, Flow, open_flow
from django_entra_auth.oauth2.scopes import normalize_scopes

if TYPE_CHECKING:
    from django_entra_auth.emulator import Emulator

_REDIRECTS = frozenset({301, 302, 303})
_MAX_STEPS = 10


def assert_prompts(
    response: HttpResponseBase,
    *,
    scopes: Sequence[str] = (),
    auth_context: str | None = None,
    max_age: int | None = None,
    claims: str | Mapping[str, Any] | None = None,
) -> None:
    """Assert that a response sends the person to Entra, and that it asks for all this.

    `response` is one of Django's test client, in any shape: a redirect, the page that keeps a
    form, the 401 of a script, htmx's header, or the redirect to `login` of somebody who is not
    signed in. The keywords are those of `entra_login_required`; `claims` is an API's challenge,
    as JSON text or as an object. Without any, every prompt will do. Raises AssertionError.
    """
    __tracebackhide__ = True
    asked = find_requirement(response)
    if asked is None:
        raise AssertionError(f"The response ({_describe(response)}) does not prompt.")
    wanted = make_requirement(scopes=scopes, auth_context=auth_context, max_age=max_age)
    if faults := list(_compare(asked, wanted, _parse(claims))):
        raise AssertionError(f"The prompt does not ask for {' and '.join(faults)}: {asked}.")


def answer_prompt(
    client: Client,
    response: HttpResponseBase,
    emulator: Emulator,
    person: str = "alice",
    **wishes: Any,
) -> Any:
    """Answer the prompt in `response` at the local Entra as `person`; the page they end up on.

    `wishes` are those of `Emulator.complete_sign_in` (`mfa=False`, `consent=False`, `cancel=True`).
    Raises AssertionError without a prompt, and EmulatorPage where the local Entra lets nobody on.
    """
    __tracebackhide__ = True
    uri = find_prompt_url(response)
    if uri is not None and not uri.startswith(f"{emulator.origin}/"):
        uri = find_prompt_url(_get(client, uri))
    if uri is None or not uri.startswith(f"{emulator.origin}/"):
        raise AssertionError(f"The response ({_describe(response)}) leads to no local Entra.")
    answer = emulator.complete_sign_in(uri, person, **wishes)
    if answer.method == "GET":
        return _follow(client, _get(client, answer.url))
    # A browser brings an answer that is posted from another site without any Lax cookie.
    stranger = Client(**client.defaults)  # type: ignore[arg-type]  # request headers
    posted = stranger.post(
        _path_of(answer.url),
        urlencode(answer.fields),
        content_type="application/x-www-form-urlencoded",
        secure=answer.url.startswith("https://"),
    )
    return _follow(client, _get(client, posted["Location"]) if "Location" in posted else posted)


def find_prompt_url(response: HttpResponseBase) -> str | None:
    """Where a response sends the person next, in any of its shapes; None when nowhere."""
    if response.status_code in _REDIRECTS:
        return response["Location"]
    if "HX-Redirect" in response:
        return response["HX-Redirect"]
    if response.status_code == 401 and response.get("Content-Type") == "application/json":
        members = json.loads(getattr(response, "content", b"{}"))
        return members.get("login_url") if isinstance(members, dict) else None
    context = getattr(response, "context", None)
    return context.get("continue_url") if context is not None else None


def find_requirement(response: HttpResponseBase) -> Requirement | None:
    """What a response asks the person for; NOTHING for a plain sign-in, None without a prompt."""
    parts = urlsplit(find_prompt_url(response) or "")
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if "state" in query and parts.path.endswith("/authorize"):
        return _open(query["state"], STATE)
    if parts.path == reverse("django_entra_auth:login"):
        return _open(query["challenge"], LOGIN_URL) if "challenge" in query else NOTHING
    return None


def _open(sealed: str, purpose: str) -> Requirement | None:
    settings = get_settings()
    with suppress(SignInFailed):
        flow: Flow = load_details(open_flow(sealed, settings, purpose=purpose), settings).flow
        return flow.requirement
    return None


def _compare(asked: Requirement, wanted: Requirement, claims: Any) -> Iterator[str]:
    missing = normalize_scopes(wanted.scopes) - normalize_scopes(asked.scopes)
    if missing:
        yield f"scopes {sorted(missing)}"
    for name in ("auth_context", "max_age"):
        value = getattr(wanted, name)
        if value is not None and getattr(asked, name) != value:
            yield f"{name}={value!r}"
    if claims is not None and _parse(asked.claims) != claims:
        yield f"claims {json.dumps(claims)}"


def _parse(claims: str | Mapping[str, Any] | None) -> Any:
    return json.loads(claims) if isinstance(claims, str) else claims


def _describe(response: HttpResponseBase) -> str:
    where = response.get("Location")
    return f"{response.status_code} to {where.partition('?')[0]}" if where else _name(response)


def _name(response: HttpResponseBase) -> str:
    return f"{response.status_code} {response.get('Content-Type', '')}".strip()


def _follow(client: Client, response: Any) -> Any:
    """Go where a browser would, as long as that is within the site."""
    for _ in range(_MAX_STEPS):
        request: HttpRequest = response.wsgi_request
        url = response.get("Location") if response.status_code in _REDIRECTS else None
        if url is None or urlsplit(url).netloc not in ("", request.get_host()):
            return response
        response = _get(client, request.build_absolute_uri(url))
    raise AssertionError("The site redirects on and on.")


def _get(client: Client, url: str) -> Any:
    """A request for the path of `url`: a test client knows no other site."""
    return client.get(_path_of(url), secure=url.startswith("https://"))


def _path_of(url: str) -> str:
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")
