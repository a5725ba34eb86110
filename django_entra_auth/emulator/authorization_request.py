"""Reading an authorize request: who asks, where the answer goes, what is asked."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from .claims_request import parse_claims, requested_contexts, requested_policies
from .directory import Application, Segment
from .errors import EntraError, PageError, make_stamp
from .messages import Request
from .scopes import parse_scopes

AdminConsent = Literal["v1", "v2"]
ResponseMode = Literal["query", "fragment", "form_post"]
_RESPONSE_MODES = ("query", "fragment", "form_post")
_PROMPTS = ("login", "none", "consent", "select_account", "create")
_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}")


@dataclass(frozen=True)
class Reply:
    """Where and how the answer to an authorize request is delivered."""

    redirect_uri: str
    response_mode: ResponseMode
    state: str | None = field(default=None, repr=False)

    @property
    def address(self) -> tuple[str, str]:
        """The part that is the same for all requests of a client."""
        return self.redirect_uri, self.response_mode


@dataclass(frozen=True)
class AuthorizationRequest:
    """A valid authorize request; `max_age` in seconds, `claims` decoded.

    `contexts` were asked for in the ID token, `access_contexts` in the access token. `policy_ids`
    name policies that refused a token, and that the person is sent to satisfy. A request for an
    administrator's consent is one too, of the version `admin_consent`.
    """

    application: Application
    segment: Segment
    reply: Reply
    scopes: tuple[str, ...]
    nonce: str | None = field(default=None, repr=False)
    code_challenge: str | None = field(default=None, repr=False)
    code_challenge_method: str = "plain"
    prompt: str = ""
    login_hint: str = ""
    domain_hint: str = ""
    sid: str = ""
    max_age: int | None = None
    contexts: frozenset[str] = frozenset()
    access_contexts: frozenset[str] = frozenset()
    policy_ids: frozenset[str] = frozenset()
    client_info: bool = False
    correlation_id: str = ""
    admin_consent: AdminConsent | None = None

    @property
    def all_contexts(self) -> frozenset[str]:
        """The authentication contexts asked for, whichever token they are for."""
        return self.contexts | self.access_contexts

    @property
    def loop_key(self) -> tuple[object, ...]:
        """Equal for requests that count as the same one when loops are looked for."""
        hints = (self.login_hint, self.sid, self.domain_hint)
        return (
            self.application.client_id,
            self.segment.key,
            self.reply.address,
            self.scopes,
            hints,
        )


def require_application(
    applications: Mapping[str, Application], request: Request, segment: Segment
) -> Application:
    """The client that asks; a PageError when it is unknown or not for this tenant."""
    client_id = request.parameters.get("client_id", "")
    if not client_id:
        raise PageError(900144, "Missing: 'client_id'.")
    if "client_id" in request.repeated:
        raise PageError(7000110)
    application = applications.get(client_id.lower())
    if application is None or not _is_guid(client_id):
        raise PageError(700016)
    require_audience(application, segment, PageError)
    return application


def require_audience(
    application: Application, segment: Segment, failure: type[EntraError] = EntraError
) -> None:
    """Raise when a single-tenant application is used through another tenant or through many."""
    if application.multi_tenant:
        return
    if segment.tenant is None:
        raise failure(50194)
    if segment.tenant.tenant_id != application.home_tid:
        raise failure(700016)


def _is_guid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def require_reply(request: Request, application: Application) -> Reply:
    """Where the answer goes; a PageError when that is not a registered redirect URI."""
    parameters = request.parameters
    if "redirect_uri" in request.repeated:
        raise PageError(90004, "Sent twice: 'redirect_uri'.")
    if not application.redirect_uris:
        raise PageError(500113)
    redirect_uri = parameters.get("redirect_uri") or application.redirect_uris[0]
    if not application.has_redirect_uri(redirect_uri):
        raise PageError(50011)
    asked = parameters.get("response_mode", "")
    mode = asked if asked in _RESPONSE_MODES else _default_mode(parameters)
    return Reply(redirect_uri, cast("ResponseMode", mode), parameters.get("state"))


def _default_mode(parameters: Mapping[str, str]) -> ResponseMode:
    asks_token = {"id_token", "token"} & set(parameters.get("response_type", "").split())
    return "fragment" if asks_token else "query"


def parse_authorization_request(
    request: Request, application: Application, segment: Segment, reply: Reply
) -> AuthorizationRequest:
    """The rest of the request; an EntraError here is redirected to the client."""
    parameters = request.parameters
    if request.repeated:
        raise EntraError(90004, "A parameter was sent twice.")
    _require_response_type(parameters)
    challenge, method = _parse_challenge(parameters)
    claims = parse_claims(parameters.get("claims", ""))
    if parameters.get("sid") and parameters.get("login_hint"):
        raise EntraError(90005)
    return AuthorizationRequest(
        application,
        segment,
        reply,
        scopes=_require_scopes(parameters),
        nonce=parameters.get("nonce"),
        code_challenge=challenge,
        code_challenge_method=method,
        prompt=_parse_prompt(parameters),
        login_hint=parameters.get("login_hint", ""),
        domain_hint=parameters.get("domain_hint", ""),
        sid=parameters.get("sid", ""),
        max_age=_parse_max_age(parameters),
        contexts=requested_contexts(claims, "id_token"),
        access_contexts=requested_contexts(claims, "access_token"),
        policy_ids=requested_policies(claims),
        client_info=parameters.get("client_info") == "1",
        correlation_id=make_stamp(request, 0).correlation_id,
    )


def _require_response_type(parameters: Mapping[str, str]) -> None:
    asked = parameters.get("response_type", "").split()
    if not asked:
        raise EntraError(900144, "Missing: 'response_type'.")
    if "id_token" in asked:
        raise EntraError(700054)
    if "token" in asked:
        raise EntraError(700051)
    if asked != ["code"]:
        raise EntraError(70005)
    if parameters.get("response_mode", "query") not in _RESPONSE_MODES:
        raise EntraError(70007)


def _require_scopes(parameters: Mapping[str, str]) -> tuple[str, ...]:
    scopes = parse_scopes(parameters.get("scope", ""))
    if not scopes:
        raise EntraError(900144, "Missing: 'scope'.")
    return scopes


def _parse_prompt(parameters: Mapping[str, str]) -> str:
    prompt = parameters.get("prompt", "")
    if prompt and prompt not in _PROMPTS:
        raise EntraError(90023, "Not supported: 'prompt'.")
    return prompt


def _parse_max_age(parameters: Mapping[str, str]) -> int | None:
    text = parameters.get("max_age", "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise EntraError(90100, "Not a number of seconds: 'max_age'.")
    return int(text)


def _parse_challenge(parameters: Mapping[str, str]) -> tuple[str | None, str]:
    challenge = parameters.get("code_challenge") or None
    method = parameters.get("code_challenge_method") or "plain"
    if method not in ("plain", "S256"):
        raise EntraError(50149)
    if challenge is not None and not _CHALLENGE.fullmatch(challenge):
        raise EntraError(501491)
    return challenge, method
