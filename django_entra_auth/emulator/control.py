"""The control API: switches a running emulator from another process, by JSON.

Plainly unsafe: whoever reaches loopback may use it. Only web pages of other origins are refused.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from .control_input import (
    READY_MADE,
    TARGET,
    ControlError,
    Members,
    check_members,
    find_ready_made,
    parse_fault,
    parse_names,
    parse_policy,
    read_members,
    require_member,
)
from .messages import RecordedRequest, Request, Response, json_response, parse_cookies
from .policies import Policy
from .state import State

__all__ = ["READY_MADE", "control"]

_SWITCHES = ("loop_detection", "ignores_claims", "always_challenges")
_OWN_SITES = ("", "same-origin", "none")


def control(state: State, request: Request, action: str) -> Response:
    """Answer a call of the control API; errors are JSON with one member `error`."""
    try:
        return json_response(_answer(state, request, action))
    except ControlError as error:
        return json_response({"error": str(error)}, status=error.status)


def _answer(state: State, request: Request, action: str) -> dict[str, Any]:
    if request.method in ("GET", "HEAD"):
        if action not in _VIEWS:
            raise ControlError(404, "There is nothing to read at this address.")
        return _VIEWS[action](state)
    if action not in _ACTIONS:
        raise ControlError(404, "There is no such action.")
    refuse_other_sites(state, request)
    if request.headers.get("content-type").partition(";")[0].strip().lower() != "application/json":
        raise ControlError(415, "The body has to be application/json.")
    act(state, action, read_members(request))
    return describe(state)


def refuse_other_sites(state: State, request: Request) -> None:
    """ControlError 403 when a page of another origin sends the request.

    Programs send no Origin; the server has checked the Host field before.
    """
    origin, host = request.headers.get("origin"), request.headers.get("host").lower()
    own = f"{state.origin.partition(':')[0]}://{host}"
    site = request.headers.get("sec-fetch-site").lower()
    if (origin and origin.lower() != own) or site not in _OWN_SITES:
        raise ControlError(403, "Another site may not switch this emulator.")


def act(state: State, action: str, sent: Members) -> None:
    """Carry out one action; ControlError 400 for what makes no sense."""
    try:
        _ACTIONS[action](state, sent)
    except (ValueError, OverflowError) as error:
        raise ControlError(400, str(error)) from None


def _add_policy(state: State, sent: Members) -> None:
    policy = parse_policy(sent)
    for name in sorted(policy.people or ()):
        _require_person(state, name)
    state.policies.add(policy)


def _remove_policy(state: State, sent: Members) -> None:
    if "ready_made" in sent:
        check_members(sent, {"ready_made": (str,)})
        state.policies.remove(find_ready_made(sent["ready_made"]).name)
        return
    state.policies.remove(require_member(check_members(sent, {"name": (str,)}), "name"))


def _clear_policies(state: State, sent: Members) -> None:
    check_members(sent, {})
    state.policies.clear()


def _require_person(state: State, name: str) -> None:
    if name not in state.people:
        raise ControlError(400, f"There is no such person: {name!r}.")


def _revoke(state: State, sent: Members) -> None:
    name = require_member(check_members(sent, {"person": (str,)}), "person")
    _require_person(state, name)
    state.revoke(state.people[name])


def _target(state: State, members: Members) -> Members:
    if members.get("person") is not None:
        _require_person(state, members["person"])
    return {name: value for name, value in members.items() if name in TARGET}


def _fault(state: State, sent: Members) -> None:
    fault, members = parse_fault(sent)
    target = {"times": 1, **_target(state, members)}
    state.faults.add(require_member(target, "endpoint"), fault, **_without(target, "endpoint"))


def _without(members: Members, name: str) -> Members:
    return {known: value for known, value in members.items() if known != name}


def _throttle(state: State, sent: Members) -> None:
    check_members(sent, {**TARGET, "seconds": (int, float), "as_date": (bool,)})
    seconds: float = require_member(sent, "seconds")
    moment = datetime.fromtimestamp(state.clock() + seconds, timezone.utc)
    after = moment if sent.get("as_date") else seconds
    state.faults.throttle(after, **_target(state, sent))


def _outage(state: State, sent: Members) -> None:
    check_members(sent, {**TARGET, "kind": (str,)})
    state.faults.outage(require_member(sent, "kind"), **_target(state, sent))


def _clear_faults(state: State, sent: Members) -> None:
    check_members(sent, {})
    state.faults.clear()


def _graph(state: State, sent: Members) -> None:
    texts = (str,)
    check_members(
        sent,
        {
            "challenge_style": texts,
            "challenge_once": (dict,),
            "path": texts,
            "context": (str, type(None)),
        },
    )
    if "challenge_style" in sent:
        state.graph.challenge_style = sent["challenge_style"]
    if "challenge_once" in sent:
        state.graph.challenge_once(sent["challenge_once"])
    if "path" in sent or "context" in sent:
        path, context = require_member(sent, "path"), require_member(sent, "context")
        state.graph.require_context(path, context)


def _switch(state: State, sent: Members) -> None:
    known = dict.fromkeys(_SWITCHES, (bool,)) | {"grants_fewer_scopes": (list,)}
    for name, value in check_members(sent, known).items():
        setattr(state, name, parse_names(value, name) if isinstance(value, list) else value)


def _reset(state: State, sent: Members) -> None:
    """Everything back to the start, except what the start options and the tests' clock set."""
    check_members(sent, {})
    applications, optional_claims = state.applications, state.optional_claims
    clock = state.clock
    state.reset()
    state.applications, state.optional_claims = applications, optional_claims
    state.clock = clock
    for application in applications.values():
        application.consents.clear()
        application.tenant_consents.clear()


_ACTIONS: dict[str, Callable[[State, Members], None]] = {
    "policies": _add_policy,
    "policies/remove": _remove_policy,
    "policies/clear": _clear_policies,
    "revoke": _revoke,
    "faults": _fault,
    "faults/clear": _clear_faults,
    "throttle": _throttle,
    "outage": _outage,
    "graph": _graph,
    "switches": _switch,
    "reset": _reset,
}


def describe(state: State) -> dict[str, Any]:
    """How the emulator is switched now, as JSON."""
    return {
        "policies": [_describe_policy(policy) for policy in state.policies.all()],
        "ready_made": list(READY_MADE),
        "faults": state.faults.pending(),
        "switches": {
            **{name: getattr(state, name) for name in _SWITCHES},
            "grants_fewer_scopes": sorted(state.grants_fewer_scopes),
        },
        "graph": {
            "challenge_style": state.graph.challenge_style,
            "contexts": state.graph.contexts,
        },
        "people": list(state.people),
    }


def _describe_policy(policy: Policy) -> dict[str, Any]:
    return {
        "name": policy.name,
        "control": policy.control,
        "resource": policy.resource,
        "context": policy.context,
        "people": None if policy.people is None else sorted(policy.people),
        "scopes": None if policy.scopes is None else sorted(policy.scopes),
        "seconds": policy.seconds,
    }


def _calls(state: State) -> dict[str, Any]:
    names = ("method", "path", "oid", "status")
    return {
        "calls": [{name: getattr(call, name) for name in names} for call in list(state.graph.calls)]
    }


def _requests(state: State) -> dict[str, Any]:
    # Codes, tokens and secrets stay out: what somebody over HTTP counts is enough.
    return {
        "requests": [
            {
                "method": one.method,
                "path": one.path,
                "grant_type": one.form.get("grant_type", ""),
                "status": one.status,
                "browser": _digest(_read_browser(state, one)),
                "flow": _digest(one.query.get("state", "")),
            }
            for one in list(state.requests)
        ]
    }


def _read_browser(state: State, one: RecordedRequest) -> str:
    return parse_cookies(one.headers.get("Cookie")).get(state.cookie_name, "")


def _digest(secret: str) -> str:
    """What tells two browsers or sign-ins apart without giving either away; 16 hex digits."""
    return hashlib.sha256(secret.encode()).hexdigest()[:16] if secret else ""


_VIEWS: dict[str, Callable[[State], dict[str, Any]]] = {
    "state": describe,
    "calls": _calls,
    "requests": _requests,
}
