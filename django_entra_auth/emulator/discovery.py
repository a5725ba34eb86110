"""Discovery: the OpenID configuration, the key set, instance discovery."""

from urllib.parse import quote, urlsplit

from .directory import Segment
from .errors import EntraError
from .messages import Request, Response, json_response
from .state import State
from .tokens import issuer_of

_PUBLIC = (
    ("Cache-Control", "max-age=86400, private"),
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET, OPTIONS"),
)
_CLAIMS = (
    "sub iss cloud_instance_name cloud_instance_host_name cloud_graph_host_name msgraph_host aud "
    "exp iat auth_time acr nonce preferred_username name tid ver at_hash c_hash email"
)


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
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
        ],
        "jwks_uri": f"{base}/discovery/v2.0/keys" + (f"?appid={quote(app_id)}" if app_id else ""),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": issuer_of(state.origin, segment.issuer_tenant),
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
        "claims_supported": _CLAIMS.split(),
        "kerberos_endpoint": f"{base}/kerberos",
        "tenant_region_scope": "WW" if segment.tenant else None,
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    }
    return json_response(document).with_headers(*_PUBLIC)


def keys(state: State, request: Request, segment_text: str) -> Response:
    """The key set; each key names the issuer it may vouch for."""
    require_segment(state, segment_text, "invalid_tenant")
    issuer = issuer_of(state.origin, "{tenantid}")
    entries = [key.public_jwk(issuer) for key in state.keys.published]
    return json_response({"keys": entries}).with_headers(*_PUBLIC)


def instance(state: State, request: Request, segment_text: str) -> Response:
    """Instance discovery: knows the emulator's own host and no other."""
    asked = urlsplit(request.query.get("authorization_endpoint", ""))
    own = urlsplit(state.origin)
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
