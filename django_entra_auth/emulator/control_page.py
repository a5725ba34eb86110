"""The control page: buttons for what a person wants to see happen."""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from .control import READY_MADE, act, refuse_other_sites
from .control_input import ControlError, Members
from .faults import OUTAGES, Outage
from .messages import Request, Response
from .pages import render_page
from .policies import Policy
from .state import State

# One for the whole process: pages of other origins cannot read it, and programs need none.
_CSRF = secrets.token_urlsafe(32)

THROTTLE_SECONDS = 30
_THROTTLE_TITLES = {
    "token": f"Throttle for {THROTTLE_SECONDS} s",
    "graph": f"Throttle Graph for {THROTTLE_SECONDS} s",
}
_OUTAGE_TITLES: dict[Outage, str] = {
    "500": "Fails (500)",
    "503": "Is down (503)",
    "hang": "Never answers",
    "reset": "Cuts connections",
    "html": "Answers HTML (502)",
}


@dataclass(frozen=True)
class Switch:
    """A policy on the page; `value` is what its button sends."""

    title: str
    is_on: bool
    value: str
    is_ready_made: bool = True


def show_control(state: State, request: Request, _: str) -> Response:
    """The page."""
    return _show(state)


def _show(state: State, *, status: int = 200, trouble: str = "") -> Response:
    return render_page(
        "control.html",
        status=status,
        trouble=trouble,
        csrf=_CSRF,
        switches=_switches(state.policies.all()),
        faults=", ".join(sorted(set(state.faults.pending()))),
        people=list(state.people.items()),
        outages=[(kind, _OUTAGE_TITLES[kind]) for kind in OUTAGES],
        throttles=list(_THROTTLE_TITLES.items()),
    )


def _switches(active: list[Policy]) -> list[Switch]:
    known = [Switch(p.name, p in active, key) for key, p in READY_MADE.items()]
    others = [p.name for p in active if p not in READY_MADE.values()]
    return known + [Switch(name, True, name, is_ready_made=False) for name in others]


def press_control(state: State, request: Request, button: str) -> Response:
    """A button was pressed: act, and show the page again; its forms carry a token."""
    try:
        refuse_other_sites(state, request)
        _require_token(request)
        action, make_members = _BUTTONS[button]
        act(state, action, make_members(request.form.get("value", "")))
    except ControlError as error:
        return _show(state, status=error.status, trouble=str(error))
    return Response(303, b"", (("Location", "/control"), ("Cache-Control", "no-store")))


def _require_token(request: Request) -> None:
    sent = request.form.get("csrf", "")
    if not hmac.compare_digest(sent.encode(), _CSRF.encode()):
        raise ControlError(403, "This page is from before a restart. Press the button again.")


_BUTTONS: dict[str, tuple[str, Callable[[str], Members]]] = {
    "on": ("policies", lambda value: {"ready_made": value}),
    "off": ("policies/remove", lambda value: {"ready_made": value}),
    "remove": ("policies/remove", lambda value: {"name": value}),
    "revoke": ("revoke", lambda value: {"person": value}),
    "throttle": ("throttle", lambda value: {"endpoint": value, "seconds": THROTTLE_SECONDS}),
    "outage": ("outage", lambda value: {"kind": value}),
    "calm": ("faults/clear", lambda _: {}),
    "reset": ("reset", lambda _: {}),
}
BUTTONS = frozenset(_BUTTONS)
