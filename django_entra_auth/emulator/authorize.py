"""The authorize endpoint: checks the request, then signs in silently or with pages."""

from dataclasses import replace

from .answers import deliver_error
from .authorization_request import (
    AuthorizationRequest,
    Reply,
    parse_authorization_request,
    require_application,
    require_reply,
)
from .browsers import Browser, Pending
from .errors import EntraError, PageError, make_stamp
from .interaction import finish, show_next_page
from .messages import Request, Response
from .state import State
from .steps import next_step, require_silent


def authorize(state: State, request: Request, segment_text: str) -> Response:
    """Answer an authorize request: with a page, a redirect, or a self-submitting form."""
    segment = state.resolve(segment_text)
    if segment is None:
        raise PageError(90002)
    application = require_application(state.applications, request, segment)
    reply = require_reply(request, application)
    browser, cookie = open_browser(state, request)
    try:
        asked = parse_authorization_request(request, application, segment, reply)
        asked = _without_claims(asked) if state.ignores_claims else asked
        response = _sign_in(state, browser, browser.start(asked, state.clock()))
    except PageError:
        raise
    except EntraError as error:
        response = refuse(state, request, reply, error)
    return response.with_headers(*cookie)


def _without_claims(asked: AuthorizationRequest) -> AuthorizationRequest:
    nothing: frozenset[str] = frozenset()
    return replace(asked, contexts=nothing, access_contexts=nothing, policy_ids=nothing)


def _sign_in(state: State, browser: Browser, pending: Pending) -> Response:
    try:
        if pending.request.prompt == "none":
            require_silent(state, browser, pending)
            return finish(state, browser, pending)
        _refuse_loop(state, browser, pending)
    except EntraError:
        browser.finish(pending)
        raise
    return show_next_page(state, browser, pending)


def _refuse_loop(state: State, browser: Browser, pending: Pending) -> None:
    """Refuse a silent sign-in that comes again and again; a page would have stopped the loop."""
    if not state.loop_detection or next_step(state, browser, pending) != "done":
        return
    if browser.is_looping(pending.request, state.clock()):
        raise EntraError(50196)


def refuse(state: State, request: Request, reply: Reply, error: EntraError) -> Response:
    """Tell the client that its request is refused."""
    stamp = make_stamp(request, state.clock())
    return deliver_error(reply, error, stamp, state.origin, separator=state.error_separator)


def open_browser(state: State, request: Request) -> tuple[Browser, tuple[tuple[str, str], ...]]:
    """The browser that asks, and the header fields that give a new one its cookie."""
    known = state.browsers.find(request.cookies.get(state.cookie_name, ""))
    if known is not None:
        return known, ()
    value, browser = state.browsers.create()
    secure = "; Secure; SameSite=None" if state.origin.startswith("https:") else "; SameSite=Lax"
    field = f"{state.cookie_name}={value}; Path=/; HttpOnly{secure}"
    return browser, (("Set-Cookie", field),)
