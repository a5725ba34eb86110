"""Writes down what the site asks, what Entra and the API answer, and where the person is sent.

The signals tell what the site learns, its own answers where it sends people, and the local Entra's
record what the API and the pages there saw. Nothing secret is among it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from django_entra_auth import signals

from . import local_entra, runs
from .prompts import Prompt, find_prompt

PREFIXES = ("/conditional-access/", "/auth/")
PAGES = {
    "/sign-in/password": "your password",
    "/sign-in/account": "the account to use",
    "/sign-in/mfa": "a one-time code",
    "/sign-in/device": "the registration of this device",
    "/sign-in/terms": "your agreement to the terms of use",
    "/sign-in/change": "a new password",
    "/sign-in/accept": "your consent",
    "/sign-in/decline": "your consent",
}

REPEATED = "The site got a token with these claims without asking you, and repeated the call."
CHECKED = (
    "The site exchanged the code for tokens and checked the answer: the same account, and what"
    " was asked for is there."
)


def connect() -> None:
    """Listen to the app's signals."""
    signals.token_error.connect(_note_token_error)
    signals.claims_challenged.connect(_note_challenge)
    signals.signed_in.connect(_note_signed_in)
    signals.sign_in_failed.connect(_note_failure)


def watch(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware: what comes back from Entra, and how the site answers."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not request.path.startswith(PREFIXES):
            return get_response(request)
        _note_return(request)
        response = get_response(request)
        _note_answer(request, response)
        return response

    return middleware


def note_api_calls(request: HttpRequest) -> None:
    """Add what the API has answered since the last look."""
    run = runs.load(request)
    if run is None:
        return
    with suppress(local_entra.LocalEntraDown):
        calls = local_entra.load_graph_calls(run.oid)
        _add_calls(request, calls[run.seen_calls :])
        runs.note_calls(request, len(calls))


def _add_calls(request: HttpRequest, calls: Sequence[Mapping[str, Any]]) -> None:
    is_refused = False
    for call in calls:
        if is_refused:
            runs.add_step(request, "site", REPEATED)
        is_refused = call["status"] in {401, 403}
        text = f"Graph answered {call['method']} {call['path']} with {call['status']}"
        wants = ": it wants a token with further claims." if is_refused else "."
        runs.add_step(request, "api", text + wants)


def _note_token_error(request: HttpRequest | None, result: Mapping[str, Any], **sent: Any) -> None:
    if request is None:
        return
    note_api_calls(request)
    verdict = "asks to wait" if result.get("throttled") else "refuses it"
    runs.add_step(
        request,
        "entra",
        f"The site wants a token for {_list(sent['scopes'])}; Entra {verdict}.",
        error=result.get("error"),
        sub_error=result.get("suberror"),
        number=_list(f"AADSTS{number}" for number in result.get("error_codes") or ()),
        claims_wanted=result.get("claims"),
        wait=_seconds(result.get("retry_after")),
    )


def _note_challenge(request: HttpRequest, claims: str | None, **sent: Any) -> None:
    note_api_calls(request)
    runs.add_step(
        request,
        "site",
        "The site decided that this needs you.",
        claims=claims,
        scopes=_list(sent["scopes"]),
    )


def _note_signed_in(request: HttpRequest, claims: Mapping[str, Any], **_: Any) -> None:
    runs.add_step(
        request,
        "site",
        CHECKED,
        authentication_contexts=_list(claims.get("acrs") or ()),
        credentials_given=_moment(claims.get("auth_time")),
    )


def _note_failure(
    request: HttpRequest, reason: str, result: Mapping[str, Any] | None = None, **_: Any
) -> None:
    note_api_calls(request)
    numbers = (result or {}).get("error_codes") or ()
    runs.add_step(
        request,
        "site",
        "The site stopped here.",
        reason=reason.replace("_", " "),
        number=_list(f"AADSTS{number}" for number in numbers),
    )
    runs.end(request, "The site stopped, and a page said why.", is_over=False)


def _note_return(request: HttpRequest) -> None:
    """Entra's answer, in the request that has this site's cookies."""
    if request.path != reverse("django_entra_auth:callback") or request.method != "GET":
        return
    run = runs.load(request)
    if run is None:
        return
    _note_pages(request, run.flow)
    runs.add_step(request, "back", "Entra sent you back to the site.")


def _note_pages(request: HttpRequest, flow: str) -> None:
    """What Entra's pages asked this browser for during the prompt, as far as its record tells."""
    try:
        recorded = local_entra.load_requests()
    except local_entra.LocalEntraDown:
        return
    starts = [index for index, one in enumerate(recorded) if flow and one.get("flow") == flow]
    if not starts:
        return
    browser = recorded[starts[-1]].get("browser")
    since = [one for one in recorded[starts[-1] :] if browser and one.get("browser") == browser]
    asked = dict.fromkeys(PAGES[one["path"]] for one in since if one["path"] in PAGES)
    if asked:
        runs.add_step(request, "entra", f"Entra asked you for {', then for '.join(asked)}.")
    elif browser:
        runs.add_step(request, "entra", "Entra knew enough already, and showed no page.")


def _note_answer(request: HttpRequest, response: HttpResponse) -> None:
    prompt = find_prompt(response, local_entra.get_origin())
    if prompt is not None:
        _note_prompt(request, prompt)
    elif response.status_code == 401:
        text = "The site answered the script with 401, the claims, and an address for you."
        runs.add_step(request, "site", text)
    elif response.status_code == 503 and "Retry-After" in response:
        wait = _seconds(response["Retry-After"])
        runs.add_step(request, "site", "The site answered 503: nobody is signed out.", wait=wait)
        runs.end(request, "Entra asked to wait. Its page says when to try again.", is_over=False)


def _note_prompt(request: HttpRequest, prompt: Prompt) -> None:
    runs.note_flow(request, hashlib.sha256(prompt.state.encode()).hexdigest()[:16])
    runs.add_step(
        request,
        "redirect",
        f"{prompt.how} to Entra.",
        claims=prompt.claims,
        scopes=prompt.scopes,
        prompt=prompt.prompt,
        max_age=prompt.max_age,
    )


def _list(values: Any) -> str:
    return ", ".join(values)


def _seconds(value: object) -> str:
    return f"{value} s" if value else ""


def _moment(value: object) -> str:
    if not isinstance(value, int):
        return ""
    return f"{datetime.fromtimestamp(value, tz=timezone.utc):%H:%M:%S} UTC"
