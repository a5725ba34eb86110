"""Discovery: the OpenID configuration, the key set, instance discovery."""

from urllib.parse import quote, urlsplit

from .directory import Segment
from .errors import EntraError
from .messages import Request, Response, json_response
from .shapes import segment_issuer
from .state import State

_PUBLIC = (
    ("Cache-Control", "max-age=86400, private"),
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET, OPTIONS"),
)
_CLAIMS = (
    "sub iss cloud_instance_name cloud_instance_host_name cloud_graph_host_name msgraph_host aud "
    "exp iat auth_time acr nonce preferred_username name tid ver at_hash c_hash email"
)
_B2C_CLAIMS = "name emails idp sub oid tfp iss iat exp aud acr nonce auth_time"
_COMMON = {
    "response_modes_supported": ["query", "fragment", "form_post"],
    "subject_types_supported": ["pairwise"],
    "id_token_signing_alg_values_supported": ["RS256"],
    "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
}
_B2C = {
    "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
    "scopes_supported": ["openid"],
    "claims_supported": _B2C_CLAIMS.split(),
}


def require_segment(state: State, text: str, error: str = "invalid_request") -> Segment:
    """The tenant segment's meaning; 90002 when there is no such tenant."""
    segment = state.resolve(text)
    if segment is None:
        raise EntraError(90002, error=error)
    return segment


def configuration(state: State, request: Request, segment_text: str) -> Response:
    """The OpenID configuration; endpoints keep the segment as asked, the issuer has the GUID."""
    segment = require_segment(state, segment_text, "invalid_tenant")
    base = f"{state.origin}/{quote(segment_text)}"
    app_id = request.query.get("appid")
    document = {
        "issuer": segment_issuer(state.origin, segment),
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
        "jwks_uri": f"{base}/discovery/v2.0/keys" + (f"?appid={quote(app_id)}" if app_id else ""),
        **_COMMON,
        **(_B2C if segment.policy else _entra_members(state.origin, base, segment)),
    }
    return json_response(document).with_headers(*_PUBLIC)


def _entra_members(origin: str, base: str, segment: Segment) -> dict[str, object]:
    # The names of hosts are Microsoft's own; addresses that clients call lead nowhere but here.
    return {
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
        ],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": f"{origin}/oidc/userinfo",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "claims_supported": _CLAIMS.split(),
        "kerberos_endpoint": f"{base}/kerberos",
        "tenant_region_scope": "WW" if segment.tenant else None,
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    }


def keys(state: State, request: Request, segment_text: str) -> Response:
    """The key set; each key names the issuer it may vouch for, except B2C's, which name none."""
    segment = require_segment(state, segment_text, "invalid_tenant")
    is_own = segment.tenant is not None and segment.tenant.kind != "workforce"
    issuer = segment_issuer(state.origin, segment if is_own else Segment("common"))
    entries = [key.public_jwk(issuer) for key in state.keys.published]
    if segment.policy:
        for entry in entries:
            del entry["issuer"]
    return json_response({"keys": entries}).with_headers(*_PUBLIC)


def instance(state: State, request: Request, segment_text: str) -> Response:
    """Instance discovery: knows the emulator's own host and no other."""
    own = urlsplit(state.origin)
    try:
        asked = urlsplit(request.query.get("authorization_endpoint", ""))
    except ValueError:
        raise EntraError(50049) from None
    if asked.netloc.lower() != own.netloc:
        raise EntraError(50049)
    tenant = asked.path.strip("/").partition("/")[0] or "common"
    document = {
        "tenant_discovery_endpoint": (
            f"{state.origin}/{quote(tenant)}/v2.0/.well-known/openid-configuration"
        ),
        "api-version": "1.1",
        "metadata": [
            {
                "preferred_network": own.netloc,
                "preferred_cache": own.netloc,
                "aliases": [own.netloc],
            }
        ],
    }
    return json_response(document).with_headers(*_PUBLIC)
