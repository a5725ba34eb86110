"""The admin consent endpoints: an administrator allows an application's permissions for all."""

from .authorization_request import (
    AdminConsent,
    AuthorizationRequest,
    Reply,
    require_application,
    require_reply,
)
from .authorize import open_browser, refuse
from .directory import Application, Segment
from .errors import EntraError, PageError, make_stamp
from .interaction import show_next_page
from .messages import Request, Response
from .scopes import parse_scopes
from .state import State


def admin_consent_v2(state: State, request: Request, segment_text: str) -> Response:
    """Answer `/{tenant}/v2.0/adminconsent`: asks for the permissions in `scope`, not at common."""
    segment = _require_segment(state, segment_text)
    if segment.audience == "common":
        raise PageError(90002, "Name a tenant, or organizations.")
    return _answer(state, request, segment, "v2")


def admin_consent_v1(state: State, request: Request, segment_text: str) -> Response:
    """Answer `/{tenant}/adminconsent`: asks for everything the application is registered with."""
    return _answer(state, request, _require_segment(state, segment_text), "v1")


def _require_segment(state: State, text: str) -> Segment:
    segment = state.resolve(text)
    if segment is None or segment.audience == "consumers":
        raise PageError(90002)
    return segment


def _answer(state: State, request: Request, segment: Segment, version: AdminConsent) -> Response:
    application = require_application(state.applications, request, segment)
    # These endpoints answer in the query only, whatever else is asked for.
    reply = Reply(
        require_reply(request, application).redirect_uri, "query", request.parameters.get("state")
    )
    browser, cookie = open_browser(state, request)
    try:
        asked = _parse(request, application, segment, reply, version)
        pending = browser.start(asked, state.clock())
        response = show_next_page(state, browser, pending)
    except PageError:
        raise
    except EntraError as error:
        response = refuse(state, request, reply, error)
    return response.with_headers(*cookie)


def _parse(
    request: Request,
    application: Application,
    segment: Segment,
    reply: Reply,
    version: AdminConsent,
) -> AuthorizationRequest:
    scopes: tuple[str, ...] = ()
    if version == "v2":
        scopes = parse_scopes(request.parameters.get("scope", ""))
        if not scopes:
            raise EntraError(900144, "Missing: 'scope'.")
    return AuthorizationRequest(
        application,
        segment,
        reply,
        scopes,
        correlation_id=make_stamp(request, 0).correlation_id,
        admin_consent=version,
    )
