"""Client authentication at the token endpoint."""

import hmac
from base64 import b64decode
from binascii import Error as Base64Error
from urllib.parse import unquote_plus

from .authorization_request import require_audience
from .directory import Application, Segment
from .errors import EntraError
from .messages import Request
from .shapes import segment_issuer
from .state import State

ON_BEHALF_OF = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_GRANT_TYPES = ("authorization_code", "refresh_token", "client_credentials", ON_BEHALF_OF)
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def require_field(request: Request, name: str) -> str:
    """A form field that must be there; 900144 when it is not."""
    value = request.form.get(name, "")
    if not value:
        raise EntraError(900144, f"Missing: '{name}'.")
    return value


def authenticate_client(state: State, request: Request, segment: Segment) -> Application:
    """The client that asks, its secret or assertion checked; from the body or HTTP Basic."""
    basic = _basic_credentials(request)
    client_id = request.form.get("client_id") or (basic[0] if basic else "")
    if not client_id:
        raise EntraError(900144, "Missing: 'client_id'.")
    if basic and basic[0] != client_id:
        raise EntraError(7000110)
    application = state.applications.get(client_id.lower())
    if application is None:
        raise EntraError(700016)
    require_audience(application, segment)
    _require_grant_type(request)
    secret = _read_secret(request)
    if secret:
        _check_secret(application, secret)
    else:
        _check_assertion(state, request, segment, application)
    return application


def read_azpacr(request: Request) -> str:
    """How an authenticated client proved itself, as tokens say it: "1" secret, "2" assertion."""
    return "1" if _read_secret(request) else "2"


def _read_secret(request: Request) -> str:
    basic = _basic_credentials(request)
    return request.form.get("client_secret") or (basic[1] if basic else "")


def _check_secret(application: Application, secret: str) -> None:
    if secret in application.credentials.expired_secrets:
        raise EntraError(7000222)
    if not hmac.compare_digest(secret.encode(), application.client_secret.encode()):
        raise EntraError(7000215)


def _check_assertion(
    state: State, request: Request, segment: Segment, application: Application
) -> None:
    assertion = request.form.get("client_assertion", "")
    if not assertion:
        is_own_grant = request.form["grant_type"] == "client_credentials"
        raise EntraError(7000216 if is_own_grant else 7000218)
    if not application.credentials.knows_keys:
        raise EntraError(700027)
    if request.form.get("client_assertion_type") != ASSERTION_TYPE:
        raise EntraError(90023, "The client assertion's type is not supported.")
    application.credentials.check_assertion(
        assertion,
        client_id=application.client_id,
        audiences=(f"{state.origin}{request.path}", segment_issuer(state.origin, segment)),
        now=state.clock(),
    )


def _basic_credentials(request: Request) -> tuple[str, str] | None:
    scheme, _, value = request.headers.get("authorization").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, secret = b64decode(value.strip(), validate=True).decode().partition(":")
    except (Base64Error, UnicodeDecodeError):
        raise EntraError(90004, "Unreadable: the Authorization field.") from None
    return unquote_plus(name), unquote_plus(secret)


def _require_grant_type(request: Request) -> None:
    if require_field(request, "grant_type") not in _GRANT_TYPES:
        raise EntraError(70003)
