"""What the addresses of the Graph-like API answer to a call that may be carried out."""

import json
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .directory import Account, Person
from .graph import LARGEST_PAGE, TRANSFER_PATH
from .graph_tokens import AccessToken
from .messages import Request
from .state import State
from .tokens import pairwise_subject

_CONTEXTS = ("c1", "c2", "c3")


class GraphError(Exception):
    """An answer other than success; `fields` are the values of `WWW-Authenticate`."""

    def __init__(
        self, status: int, code: str, message: str, *, fields: tuple[str, ...] = ()
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields


@dataclass(frozen=True)
class Call:
    """A call that may be carried out."""

    state: State
    request: Request
    token: AccessToken
    account: Account

    @property
    def person(self) -> Person:
        """Who calls."""
        return self.account.person

    def context_of(self, what: str) -> str:
        """The value of `@odata.context`."""
        return f"{self.state.origin}/v1.0/$metadata#{what}"


@dataclass(frozen=True)
class Operation:
    """What one address does; any one of `scopes` is enough, none at all when it is empty."""

    run: Callable[[Call], dict[str, Any]]
    scopes: tuple[str, ...] = ()


def _me(call: Call) -> dict[str, Any]:
    first, _, last = call.person.name.partition(" ")
    return {
        "@odata.context": call.context_of("users/$entity"),
        "businessPhones": [],
        "displayName": call.person.name,
        "givenName": first,
        "jobTitle": None,
        "mail": call.person.mail,
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": last,
        "userPrincipalName": call.person.username,
        "id": call.account.oid,
    }


def _messages(call: Call) -> dict[str, Any]:
    sender = {"name": "Local Entra", "address": "noreply@contoso.example"}
    subjects = ("Welcome", "Your timesheet is due", "Lunch on Friday?")
    values = [
        {
            "id": f"message-{number}",
            "subject": subject,
            "bodyPreview": f"{subject}, {call.person.name}.",
            "isRead": number > 1,
            "from": {"emailAddress": sender},
        }
        for number, subject in enumerate(subjects, start=1)
    ]
    return {
        "@odata.context": call.context_of(f"users('{call.account.oid}')/messages"),
        "value": values,
    }


def _revoke_sign_in_sessions(call: Call) -> dict[str, Any]:
    call.state.revoke(call.person)
    return {"@odata.context": call.context_of("Edm.Boolean"), "value": True}


def _member_objects(call: Call) -> dict[str, Any]:
    if not isinstance(_json_body(call.request).get("securityEnabledOnly"), bool):
        raise GraphError(400, "Request_BadRequest", "The body lacks 'securityEnabledOnly'.")
    return {
        "@odata.context": call.context_of("Collection(Edm.String)"),
        "value": list(call.person.groups),
    }


def _transitive_member_of(call: Call) -> dict[str, Any]:
    """Memberships by page: their ids alone, as for a token that may not read groups."""
    query, groups = call.request.query, call.person.groups
    start = _read_skip_token(query.get("$skiptoken", ""))
    size = min(_read_top(query.get("$top", "")), call.state.graph.largest_page)
    answer: dict[str, Any] = {
        "@odata.context": call.context_of("directoryObjects"),
        "value": [
            {"@odata.type": "#microsoft.graph.group", "id": group}
            for group in groups[start : start + size]
        ],
    }
    if start + size < len(groups):
        token = urlsafe_b64encode(f"after {start + size}".encode()).decode()
        address = f"{call.state.origin}{_MEMBERSHIPS_PATH}"
        answer["@odata.nextLink"] = f"{address}?$top={size}&$skiptoken={token}"
    return answer


def _read_top(text: str) -> int:
    if not text:
        return _PAGE
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= LARGEST_PAGE:
        raise GraphError(400, "Request_BadRequest", "Invalid page size specified in '$top'.")
    return int(text)


def _read_skip_token(text: str) -> int:
    try:
        start = urlsafe_b64decode(text).decode("ascii").removeprefix("after ") if text else "0"
        return int(start[:9])
    except ValueError:
        raise GraphError(400, "Request_BadRequest", "The '$skiptoken' cannot be read.") from None


def _transfer(call: Call) -> dict[str, Any]:
    """A made-up operation: it stands for what an API protects by an authentication context."""
    sent = _json_body(call.request)
    return {"id": str(uuid.uuid4()), "status": "transferred", **_plain_members(sent)}


def _plain_members(sent: Mapping[str, Any]) -> dict[str, Any]:
    wanted = {name: sent.get(name) for name in ("amount", "to")}
    return {name: value for name, value in wanted.items() if isinstance(value, (str, int, float))}


def _json_body(request: Request) -> dict[str, Any]:
    try:
        value = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise GraphError(400, "BadRequest", "The body is not a JSON object.")
    return value


def _authentication_contexts(call: Call) -> dict[str, Any]:
    named = {policy.context for policy in call.state.policies.all() if policy.context}
    contexts = sorted({*_CONTEXTS, *named}, key=lambda name: (len(name), name))
    values = [
        {
            "id": name,
            "displayName": f"Context {name}",
            "description": "Granted to everybody" if name not in named else "Has a policy",
            "isAvailable": True,
        }
        for name in contexts
    ]
    what = "identity/conditionalAccess/authenticationContextClassReferences"
    return {"@odata.context": call.context_of(what), "value": values}


def _user_info(call: Call) -> dict[str, Any]:
    first, _, last = call.person.name.partition(" ")
    client_id = str(call.token.claims.get("azp", ""))
    claims = {
        "sub": pairwise_subject(client_id, call.account),
        "name": call.person.name,
        "family_name": last,
        "given_name": first,
        "picture": f"{call.state.origin}/v1.0/me/photo/$value",
        "email": call.person.mail,
    }
    return {name: value for name, value in claims.items() if value}


_PAGE = 100
_READ = ("User.Read", "User.ReadWrite", "User.Read.All", "User.ReadWrite.All")
_MAIL = ("Mail.Read", "Mail.ReadWrite", "Mail.ReadBasic")
_MEMBERS = (*_READ, "GroupMember.Read.All", "Group.Read.All", "Directory.Read.All")
_MEMBERSHIPS_PATH = "/v1.0/me/transitiveMemberOf"
_CONTEXTS_PATH = "/v1.0/identity/conditionalAccess/authenticationContextClassReferences"
_CONTEXT_SCOPES = ("Policy.Read.ConditionalAccess", "Policy.Read.All", "AuthenticationContext.Read")
_OPERATIONS: dict[tuple[str, str], Operation] = {
    ("GET", "/v1.0/me"): Operation(_me, _READ),
    ("GET", "/v1.0/me/messages"): Operation(_messages, _MAIL),
    ("POST", "/v1.0/me/revokeSignInSessions"): Operation(_revoke_sign_in_sessions, _READ),
    ("POST", "/v1.0/me/getMemberObjects"): Operation(_member_objects, _MEMBERS),
    ("GET", _MEMBERSHIPS_PATH): Operation(_transitive_member_of, _MEMBERS),
    ("POST", TRANSFER_PATH): Operation(_transfer, _READ),
    ("GET", _CONTEXTS_PATH): Operation(_authentication_contexts, _CONTEXT_SCOPES),
    ("GET", "/oidc/userinfo"): Operation(_user_info),
    ("POST", "/oidc/userinfo"): Operation(_user_info),
}


def find_operation(request: Request) -> Operation:
    """What `request` asks for; GraphError when there is no such address or method."""
    method = "GET" if request.method == "HEAD" else request.method
    operation = _OPERATIONS.get((method, request.path))
    if operation is not None:
        return operation
    if any(path == request.path for _, path in _OPERATIONS):
        raise GraphError(405, "Request_BadRequest", "The address takes another method.")
    raise GraphError(400, "BadRequest", "There is no such resource here.")
