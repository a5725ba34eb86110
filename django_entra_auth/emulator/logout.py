"""Sign-out at the local Entra, with the front channel to the apps of the session."""

from urllib.parse import urlencode, urlsplit, urlunsplit

from .browsers import Browser, Session
from .directory import Application
from .errors import PageError
from .interaction import require_browser
from .messages import Request, Response
from .pages import render_page
from .shapes import find_issuer
from .state import State


def logout(state: State, request: Request, segment_text: str) -> Response:
    """End the session of the browser; asks which account when that is not clear."""
    if state.resolve(segment_text) is None:
        raise PageError(90002)
    browser = state.browsers.find(request.cookies.get(state.cookie_name, ""))
    sessions = browser.sessions() if browser else []
    if browser is None or not sessions:
        return render_page("signed_out.html", person=None)
    hint = request.parameters.get("logout_hint", "")
    hinted = [s for s in sessions if hint and s.person.login_hint == hint]
    if len(hinted or sessions) > 1:
        return _ask_which(browser, sessions, request)
    return _sign_out(state, browser, (hinted or sessions)[0], request.parameters)


def _ask_which(browser: Browser, sessions: list[Session], request: Request) -> Response:
    return render_page(
        "pick_sign_out.html",
        csrf=browser.csrf_token,
        sessions=sessions,
        post_logout_redirect_uri=request.parameters.get("post_logout_redirect_uri", ""),
        state=request.parameters.get("state", ""),
    )


def sign_out_chosen(state: State, request: Request) -> Response:
    """The person chose which account to sign out."""
    browser = require_browser(state, request)
    sid = request.form.get("sid", "")
    session = next((s for s in browser.sessions() if s.sid == sid), None)
    if session is None:
        raise PageError(50089)
    return _sign_out(state, browser, session, request.form)


def _sign_out(
    state: State, browser: Browser, session: Session, parameters: dict[str, str]
) -> Response:
    browser.sign_out(session)
    applications = [state.applications[client_id] for client_id in sorted(session.client_ids)]
    frames = [_front_channel_uri(state, app, session) for app in applications]
    frames = [frame for frame in frames if frame]
    return render_page(
        "signed_out.html",
        with_script=True,
        frames=tuple({f"{urlsplit(f).scheme}://{urlsplit(f).netloc}" for f in frames}),
        person=session.person,
        iframes=frames,
        continue_url=_continue_url(applications, parameters),
    )


def _front_channel_uri(state: State, application: Application, session: Session) -> str:
    registered = application.front_channel_logout_uri
    if not registered:
        return ""
    fields = {"sid": session.sid}
    if application.front_channel_sends_issuer:
        tid = session.person.tid
        fields["iss"] = find_issuer(state.origin, state.find_tenant(tid), tid)
    return _add_query(registered, fields)


def _continue_url(applications: list[Application], parameters: dict[str, str]) -> str:
    uri = parameters.get("post_logout_redirect_uri", "")
    if not uri or not any(app.has_redirect_uri(uri) for app in applications):
        return ""
    state = parameters.get("state", "")
    return _add_query(uri, {"state": state}) if state else uri


def _add_query(uri: str, fields: dict[str, str]) -> str:
    parts = urlsplit(uri)
    query = "&".join(part for part in (parts.query, urlencode(fields)) if part)
    return urlunsplit(parts._replace(query=query))
