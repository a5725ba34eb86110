"""Conditional Access policies of the local Entra: what they demand, of whom, and which are on."""

import re
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from .constants import GRAPH_RESOURCE_ID
from .scopes import resource_of, resource_scopes

Control = Literal[
    "mfa",
    "compliant_device",
    "block",
    "terms_of_use",
    "sign_in_frequency",
    "password_change",
    "risk",
    "app_protection",
    "assignment",
    "user_consent",
    "admin_consent",
]
CONTROLS: tuple[Control, ...] = get_args(Control)

_CONTEXT = re.compile(r"c[1-9][0-9]?")
_GRAPH = "https://graph.microsoft.com"


def policy_id(name: str) -> str:
    """The GUID of the policy called `name`, the same at every start; `capolids` hold it."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://policies.contoso.example/{name}"))


@dataclass(frozen=True, kw_only=True)
class Policy:
    """One rule; every condition left at None is met by everything.

    `resource` may be written as in scopes (`https://graph.microsoft.com`, `api://thing`).
    `context` (c1 to c99) limits the rule to requests for that authentication context, `people`
    (short names) to these people. `scopes` limits it to requests for one of them; they are what
    consent is needed for. `seconds` is how long a sign-in counts, 0 for none at all.
    """

    name: str
    control: Control
    resource: str | None = None
    context: str | None = None
    people: frozenset[str] | None = None
    scopes: frozenset[str] | None = None
    seconds: int | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a policy needs a name")
        if self.control not in CONTROLS:
            raise ValueError(f"no such control: {self.control!r}")
        if self.context is not None and not _CONTEXT.fullmatch(self.context):
            raise ValueError(f"an authentication context is one of c1 to c99: {self.context!r}")
        if (self.seconds is None) == (self.control == "sign_in_frequency"):
            raise ValueError("seconds belong to the control 'sign_in_frequency', which needs them")

    @property
    def policy_id(self) -> str:
        """The GUID that `capolids` name it by."""
        return policy_id(self.name)

    def applies_to(self, person: str, scopes: Iterable[str], contexts: Iterable[str]) -> bool:
        """Whether it has a say when `person` asks for `scopes` and authentication `contexts`."""
        asked = tuple(scopes)
        return (
            self.is_about(person)
            and (self.context is None or self.context in contexts)
            and (self.resource is None or self._names_resource_of(asked))
            and (self.scopes is None or bool(self.scopes_among(asked)))
        )

    def is_about(self, person: str) -> bool:
        """Whether it has a say about `person` at all."""
        return self.people is None or person in self.people

    def _names_resource_of(self, asked: tuple[str, ...]) -> bool:
        wanted = _normalise_resource(self.resource or "")
        return wanted in {resource_of(scope).casefold() for scope in resource_scopes(asked)}

    def scopes_among(self, asked: Iterable[str]) -> tuple[str, ...]:
        """Those of the scopes `asked` that it is about."""
        if self.scopes is None:
            return tuple(asked)
        return tuple(scope for scope in asked if _is_about(self.scopes, scope))


def _normalise_resource(text: str) -> str:
    name = text.rstrip("/").removeprefix("api://").casefold()
    return GRAPH_RESOURCE_ID if name == _GRAPH else name


def _is_about(named: frozenset[str], asked: str) -> bool:
    short = {scope.removeprefix(f"{_GRAPH}/") for scope in named}
    if asked.endswith(".default"):
        # It stands for every permission of its resource.
        return resource_of(asked) in {resource_of(scope) for scope in short}
    return asked.casefold() in {scope.casefold() for scope in short}


@dataclass(frozen=True)
class ActivePolicy:
    """A policy that is on; `serial` is another one each time it is switched on."""

    policy: Policy
    serial: int


class Policies:
    """The policies that are on; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: dict[str, ActivePolicy] = {}
        self._last_serial = 0

    def add(self, policy: Policy) -> None:
        """Switch `policy` on, in place of one with the same name; no effect if it is on as it is.

        Accepted terms and changed passwords count for the time a policy is on: switched off and
        on again, it asks again.
        """
        with self._lock:
            known = self._active.get(policy.name)
            if known is None or known.policy != policy:
                self._last_serial += 1
                self._active[policy.name] = ActivePolicy(policy, self._last_serial)

    def remove(self, name: str) -> None:
        """Switch the policy called `name` off; no effect when it is not on."""
        with self._lock:
            self._active.pop(name, None)

    def clear(self) -> None:
        """Switch all policies off."""
        with self._lock:
            self._active.clear()

    def all(self) -> list[Policy]:
        """The policies that are on, the longest one first."""
        return [active.policy for active in self.active()]

    def active(self) -> list[ActivePolicy]:
        """The same, with the serial each was switched on under."""
        with self._lock:
            return list(self._active.values())

    def policy_id(self, name: str) -> str:
        """The GUID of the policy called `name`, whether it is on or not."""
        return policy_id(name)
