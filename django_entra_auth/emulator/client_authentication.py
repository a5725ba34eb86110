"""Client authentication at the token endpoint."""

import hmac
from base64 import b64decode
from binascii import Error as Base64Error
from urllib.parse import unquote_plus

from .authorization_request import require_audience
from .directory import Application, Segment
from .errors import EntraError
from .messages import Request
from .state import State


def require_field(request: Request, name: str) -> str:
    """A form field that must be there; 900144 when it is not."""
    value = request.form.get(name, "")
    if not value:
        raise EntraError(900144, f"Missing: '{name}'.")
    return value


def authenticate_client(state: State, request: Request, segment: Segment) -> Application:
    """The client that asks, its secret checked; from the body or HTTP Basic."""
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
    secret = request.form.get("client_secret") or (basic[1] if basic else "")
    if not secret:
        raise EntraError(_missing_credential(request))
    if not hmac.compare_digest(secret.encode(), application.client_secret.encode()):
        raise EntraError(7000215)
    return application


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
    if require_field(request, "grant_type") not in (
        "authorization_code",
        "refresh_token",
        "client_credentials",
    ):
        raise EntraError(70003)


def _missing_credential(request: Request) -> int:
    if request.form.get("client_assertion"):
        return 700027
    return 7000216 if request.form["grant_type"] == "client_credentials" else 7000218
