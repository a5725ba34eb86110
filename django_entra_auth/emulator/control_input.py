"""What the control API is sent: JSON with known members of known types, nothing else."""

import json
from collections.abc import Mapping
from typing import Any, cast

from .constants import GRAPH_RESOURCE_ID
from .faults import Fault
from .messages import Request
from .policies import Policy

Members = dict[str, Any]
_TEXT, _NUMBER, _LIST = (str,), (int, float), (list,)
_MAYBE_TEXT, _MAYBE_INT, _MAYBE_LIST = (str, type(None)), (int, type(None)), (list, type(None))

TARGET: Mapping[str, tuple[type, ...]] = {
    "endpoint": _TEXT,
    "times": _MAYBE_INT,
    "grant": _MAYBE_TEXT,
    "person": _MAYBE_TEXT,
}
FAULT: Mapping[str, tuple[type, ...]] = {
    "status": _MAYBE_INT,
    "body": _TEXT,
    "headers": (dict,),
    "delay": _NUMBER,
    "drip": _NUMBER,
    "reset": (bool,),
    "hang": (bool,),
}
_POLICY: Mapping[str, tuple[type, ...]] = {
    "name": _TEXT,
    "control": _TEXT,
    "resource": _MAYBE_TEXT,
    "context": _MAYBE_TEXT,
    "people": _MAYBE_LIST,
    "scopes": _MAYBE_LIST,
    "seconds": _MAYBE_INT,
}

_MAIL = frozenset({"Mail.Read"})
READY_MADE: dict[str, Policy] = {
    "mfa": Policy(name="MFA for every sign-in", control="mfa"),
    "mfa-mail": Policy(name="MFA for mail", control="mfa", scopes=_MAIL),
    "mfa-graph": Policy(name="MFA for Graph", control="mfa", resource=GRAPH_RESOURCE_ID),
    "device": Policy(name="Compliant device", control="compliant_device"),
    "terms": Policy(name="Terms of use", control="terms_of_use"),
    "sign-in-frequency": Policy(
        name="Sign-in every 60 seconds", control="sign_in_frequency", seconds=60
    ),
    "password-change": Policy(name="Password change", control="password_change"),
    "risk": Policy(name="Risky sign-in", control="risk"),
    "block": Policy(name="Block everybody", control="block"),
    "block-mail": Policy(name="Block mail", control="block", scopes=_MAIL),
    "app-protection": Policy(name="App protection", control="app_protection"),
    "assignment": Policy(name="Assignment required", control="assignment"),
    "user-consent-mail": Policy(name="Consent for mail", control="user_consent", scopes=_MAIL),
    "admin-consent-mail": Policy(
        name="Administrator's consent for mail", control="admin_consent", scopes=_MAIL
    ),
    "c1-mfa": Policy(name="Context c1 needs MFA", control="mfa", context="c1"),
    "c1-device": Policy(
        name="Context c1 needs a compliant device", control="compliant_device", context="c1"
    ),
    "c1-block": Policy(name="Context c1 is blocked", control="block", context="c1"),
}


class ControlError(Exception):
    """A request the control API or page refuses; the text tells the caller why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def read_members(request: Request) -> Members:
    """The JSON object in the body."""
    try:
        value = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ControlError(400, "The body is not a JSON object.")
    return value


def check_members(sent: Members, known: Mapping[str, tuple[type, ...]]) -> Members:
    """`sent`, when it has no other members than `known` ones, each of its type."""
    for name, value in sent.items():
        if name not in known:
            raise ControlError(400, f"No such member: {name!r}.")
        if not _fits(value, known[name]):
            raise ControlError(400, f"The member {name!r} is of another type.")
    return sent


def _fits(value: object, types: tuple[type, ...]) -> bool:
    # To Python true is also a number, to JSON it is not.
    return isinstance(value, types) and (not isinstance(value, bool) or bool in types)


def require_member(sent: Members, name: str) -> Any:
    """A member that must be there."""
    if name not in sent:
        raise ControlError(400, f"The member {name!r} is missing.")
    return sent[name]


def parse_policy(sent: Members) -> Policy:
    """A policy written out, or `{"ready_made": name}`."""
    if "ready_made" in sent:
        check_members(sent, {"ready_made": _TEXT})
        return find_ready_made(sent["ready_made"])
    members = check_members(sent, _POLICY)
    sets = {name: _texts(members.get(name), name) for name in ("people", "scopes")}
    require_member(members, "name")
    require_member(members, "control")
    return Policy(**{**members, **sets})


def find_ready_made(name: str) -> Policy:
    """The ready-made policy called `name`."""
    if name not in READY_MADE:
        raise ControlError(400, f"No such ready-made policy: {name!r}.")
    return READY_MADE[name]


def parse_names(value: object, name: str) -> frozenset[str]:
    """A list of texts as a set."""
    return _texts(value, name) or frozenset()


def _texts(value: object, name: str) -> frozenset[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise ControlError(400, f"The member {name!r} is a list of texts.")
    return frozenset(cast("list[str]", value))


def parse_fault(sent: Members) -> tuple[Fault, Members]:
    """A fault, and the requests it is for as the keywords of `Faults.add`."""
    check_members(sent, {**FAULT, **TARGET})
    headers = sent.get("headers", {})
    # A response is written as it stands: no header may bring a second one along.
    if not all(isinstance(v, str) and not set(k + v) & set("\r\n\0") for k, v in headers.items()):
        raise ControlError(400, "The member 'headers' holds texts of one line.")
    fault = Fault(**{name: value for name, value in sent.items() if name in FAULT})
    return fault, {name: value for name, value in sent.items() if name in TARGET}
