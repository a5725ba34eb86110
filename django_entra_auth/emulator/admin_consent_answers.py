"""What the admin consent endpoints tell the client at the end."""

from .answers import deliver
from .authorization_request import AuthorizationRequest
from .constants import GRAPH_RESOURCE_ID
from .errors import EntraError, Stamp, describe
from .messages import Response
from .scopes import RESERVED, resource_of

_GIVEN = {"admin_consent": "True"}


def deliver_admin_consent(request: AuthorizationRequest, tid: str) -> Response:
    """An administrator of the tenant `tid` accepted."""
    fields = {**_GIVEN, "tenant": tid}
    if request.admin_consent == "v2":
        fields["scope"] = " ".join(_full_name(scope) for scope in request.scopes)
    return deliver(request.reply, fields)


def _full_name(scope: str) -> str:
    is_graph = scope not in RESERVED and resource_of(scope) == GRAPH_RESOURCE_ID
    return f"https://graph.microsoft.com/{scope}" if is_graph else scope


def deliver_admin_refusal(
    request: AuthorizationRequest, stamp: Stamp, *, separator: str = " "
) -> Response:
    """The administrator declined; version 2 says `admin_consent=True` even then, as Entra does."""
    if request.admin_consent == "v1":
        text = "The admin canceled the request"
        return deliver(request.reply, {"error": "permission_denied", "error_description": text})
    description = describe(EntraError(65004), stamp, separator=separator)
    fields = {"error": "consent_required", "error_description": description}
    return deliver(request.reply, _GIVEN | fields)
