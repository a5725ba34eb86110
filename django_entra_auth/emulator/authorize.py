"""The authorize endpoint: checks the request, then signs in silently or with pages."""

from .answers import deliver_error
from .authorization_request import (
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
from .steps import require_silent


def authorize(state: State, request: Request, segment_text: str) -> Response:
    """Answer an authorize request: with a page, a redirect, or a self-submitting form."""
    segment = state.resolve(segment_text)
    if segment is None:
        raise PageError(90002)
    application = require_application(state.applications, request, segment)
    reply = require_reply(request, application)
    browser, cookie = _open_browser(state, request)
    try:
        asked = parse_authorization_request(request, application, segment, reply)
        response = _sign_in(state, browser, browser.start(asked, state.clock()))
    except PageError:
        raise
    except EntraError as error:
        response = _refuse(state, request, reply, error)
    return response.with_headers(*cookie)


def _sign_in(state: State, browser: Browser, pending: Pending) -> Response:
    if pending.request.prompt != "none":
        return show_next_page(state, browser, pending)
    try:
        require_silent(browser, pending, state.clock())
    except EntraError:
        browser.finish(pending)
        raise
    return finish(state, browser, pending)


def _refuse(state: State, request: Request, reply: Reply, error: EntraError) -> Response:
    stamp = make_stamp(request, state.clock())
    return deliver_error(reply, error, stamp, state.origin, separator=state.error_separator)


def _open_browser(state: State, request: Request) -> tuple[Browser, tuple[tuple[str, str], ...]]:
    known = state.browsers.find(request.cookies.get(state.cookie_name, ""))
    if known is not None:
        return known, ()
    value, browser = state.browsers.create()
    secure = "; Secure; SameSite=None" if state.origin.startswith("https:") else "; SameSite=Lax"
    field = f"{state.cookie_name}={value}; Path=/; HttpOnly{secure}"
    return browser, (("Set-Cookie", field),)
