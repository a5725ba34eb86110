"""From a request to its endpoint, and from an endpoint's errors to pages or JSON."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from . import discovery
from .admin_consent import admin_consent_v1, admin_consent_v2
from .authorize import authorize
from .catalogue import CATALOGUE
from .constants import PASSWORD
from .control import control
from .control_page import BUTTONS as CONTROL_BUTTONS
from .control_page import press_control, show_control
from .directory import Tenant
from .errors import EntraError, PageError, Stamp, error_body, make_stamp
from .graph_api import graph
from .interaction import BUTTONS, press
from .logout import logout, sign_out_chosen
from .messages import Request, Response, json_response
from .pages import read_static, render_page
from .state import State
from .token_endpoint import token

Endpoint = Callable[[State, Request, str], Response]


@dataclass(frozen=True)
class Route:
    """An address pattern with one group; `name` is what faults call the endpoint.

    `refuses_sites` says that the endpoint itself refuses the pages of other origins.
    """

    pattern: re.Pattern[str]
    endpoint: Endpoint
    methods: tuple[str, ...] = ("GET", "HEAD")
    name: str = ""
    refuses_sites: bool = False


def _home(state: State, request: Request, _: str) -> Response:
    return render_page(
        "home.html",
        authority=f"{state.origin}/{state.tenant_id}",
        graph=f"{state.origin}/v1.0",
        application=state.application,
        many=f"{state.origin}/organizations",
        directories=[(one, _authority(state, one)) for one in state.tenants],
        people=list(state.people.values()),
        password=PASSWORD,
    )


def _authority(state: State, tenant: Tenant) -> str:
    """Where people of `tenant` sign in; at B2C by its first user flow."""
    return "/".join((state.origin, tenant.domains[0], *tenant.policies[:1]))


def _static(state: State, request: Request, name: str) -> Response:
    content_type = "image/svg+xml" if name.endswith("svg") else "text/css; charset=utf-8"
    fields = (("Content-Type", content_type), ("Cache-Control", "no-cache"))
    return Response(200, read_static(name), fields)


def _error_help(state: State, request: Request, _: str) -> Response:
    code = request.query.get("code", "")
    number = int(code) if code.isascii() and code.isdecimal() and len(code) < 10 else 0
    known = CATALOGUE.get(number)
    return render_page("error_help.html", number=number, definition=known)


def _press(state: State, request: Request, button: str) -> Response:
    return press(state, request, button)


def _sign_out(state: State, request: Request, _: str) -> Response:
    return sign_out_chosen(state, request)


# A tenant; B2C's user flow behind it, and sometimes "tfp" before it.
_SEGMENT = r"/((?:tfp/)?[^/]+(?:/[^/]+)?)"
_PAGE = ("GET", "HEAD", "POST")
_PUBLIC = ("GET", "HEAD", "OPTIONS")
ROUTES = (
    Route(
        re.compile(_SEGMENT + r"/v2\.0/\.well-known/openid-configuration"),
        discovery.configuration,
        _PUBLIC,
        "discovery",
    ),
    Route(re.compile(_SEGMENT + r"/discovery/v2\.0/keys"), discovery.keys, _PUBLIC, "keys"),
    Route(re.compile(r"/([^/]+)/discovery/instance"), discovery.instance, _PUBLIC),
    Route(re.compile(_SEGMENT + r"/oauth2/v2\.0/authorize"), authorize, _PAGE, "authorize"),
    Route(re.compile(_SEGMENT + r"/oauth2/v2\.0/token"), token, _PAGE, "token"),
    Route(re.compile(_SEGMENT + r"/oauth2/v2\.0/logout"), logout, _PAGE, "logout"),
    Route(re.compile(r"/([^/]+)/v2\.0/adminconsent"), admin_consent_v2),
    Route(re.compile(r"/([^/]+)/adminconsent"), admin_consent_v1),
    Route(re.compile(rf"/sign-in/({'|'.join(sorted(BUTTONS))})"), _press, ("POST",)),
    Route(re.compile(r"/sign-(out)"), _sign_out, ("POST",)),
    Route(re.compile(r"/static/(emulator\.(?:css|svg))"), _static),
    Route(re.compile(r"/(error)"), _error_help),
    Route(re.compile(r"/(v1\.0/.+|oidc/userinfo)"), graph, _PAGE, "graph"),
    Route(re.compile(r"/(control)"), show_control),
    Route(
        re.compile(rf"/control/press/({'|'.join(sorted(CONTROL_BUTTONS))})"),
        press_control,
        ("POST",),
        refuses_sites=True,
    ),
    Route(re.compile(r"/control/([a-z/]+)"), control, _PAGE, refuses_sites=True),
    Route(re.compile(r"/()"), _home),
)


def find_route(path: str) -> tuple[Route, str] | None:
    """The route for `path` and the text its pattern captured."""
    for route in ROUTES:
        match = route.pattern.fullmatch(path)
        if match:
            return route, unquote(match[1])
    return None


def answer(state: State, request: Request) -> Response:
    """Answer `request`; never raises an EntraError."""
    stamp = make_stamp(request, state.clock())
    found = find_route(request.path)
    if found is None:
        return render_page("message.html", status=404, title="There is no such page here")
    route, captured = found
    if request.method not in route.methods:
        return _refuse_method(route)
    try:
        _require_same_origin(state, request, route)
        response = route.endpoint(state, request, captured)
    except PageError as error:
        response = _error_page(error, stamp)
    except EntraError as error:
        body = error_body(error, stamp, state.origin, separator=state.error_separator)
        response = json_response(body, status=error.status)
        response = response.with_headers(("x-ms-clitelem", f"1,{error.number},0,,"))
    return response.with_headers(*_common_headers(request, response, stamp))


def _refuse_method(route: Route) -> Response:
    allow = ("Allow", ", ".join(route.methods))
    page = render_page("message.html", status=405, title="This address takes other requests")
    return page.with_headers(allow)


def _require_same_origin(state: State, request: Request, route: Route) -> None:
    """Forms of our own pages come from our own pages; protocol endpoints take requests of all."""
    origin = request.headers.get("origin")
    if request.method != "POST" or route.name or route.refuses_sites or not origin:
        return
    if origin.lower().partition("://")[2] != request.headers.get("host").lower():
        raise PageError(50089)


def _error_page(error: EntraError, stamp: Stamp) -> Response:
    return render_page("error.html", error=error, number=error.number, stamp=stamp)


def _common_headers(
    request: Request, response: Response, stamp: Stamp
) -> tuple[tuple[str, str], ...]:
    # No Strict-Transport-Security: it would outlive the emulator for every port of localhost.
    fields = [
        ("X-Content-Type-Options", "nosniff"),
        ("x-ms-request-id", stamp.trace_id),
        ("x-ms-ests-server", "local emulator"),
        ("X-XSS-Protection", "0"),
    ]
    names = {name.lower() for name, _ in response.headers}
    if "cache-control" not in names:
        fields += [
            ("Cache-Control", "no-store, no-cache"),
            ("Pragma", "no-cache"),
            ("Expires", "-1"),
        ]
    if request.headers.get("return-client-request-id").lower() == "true":
        fields.append(("client-request-id", stamp.correlation_id))
    return tuple(fields)
