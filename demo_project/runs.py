"""What happened since a button was pressed: one run for each session, kept in the cache."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, replace
from typing import Literal

from django.core.cache import cache
from django.http import HttpRequest

SESSION_KEY = "demo_run"
RUN_SECONDS = 3600
MAX_STEPS = 60

Kind = Literal["you", "site", "redirect", "entra", "back", "api", "end"]
ACTORS: dict[Kind, str] = {
    "you": "You",
    "site": "Site",
    "redirect": "Prompt",
    "entra": "Entra",
    "back": "Way back",
    "api": "Graph",
    "end": "Done",
}

# Requests of one session overlap, and each adds to what it has read.
_lock = threading.Lock()


@dataclass(frozen=True)
class Step:
    """One line of a timeline; `kind` "redirect" is a prompt, `after` is in seconds."""

    kind: Kind
    text: str
    details: tuple[tuple[str, str], ...] = ()
    after: float = 0.0

    @property
    def actor(self) -> str:
        """Who it was."""
        return ACTORS[self.kind]


@dataclass(frozen=True)
class Run:
    """One press of a button; `seen_calls` counts the API's calls that have a step already.

    `outcome` says what came of it; it is over when the case itself says so, while a stop page
    may still be followed by another try.
    """

    id: str
    case: str
    started: float
    oid: str = ""
    seen_calls: int = 0
    flow: str = ""
    steps: tuple[Step, ...] = ()
    outcome: str = ""
    is_over: bool = False

    @property
    def prompts(self) -> int:
        """How often the person was sent to Entra."""
        return sum(step.kind == "redirect" for step in self.steps)

    @property
    def prompted(self) -> str:
        """The same, as a sentence."""
        if not self.prompts:
            return "Nobody was prompted."
        times = "once" if self.prompts == 1 else f"{self.prompts} times"
        return f"You were prompted {times}."

    @property
    def is_back(self) -> bool:
        """Whether the person has come back from Entra."""
        return any(step.kind == "back" for step in self.steps)


def begin(request: HttpRequest, *, case: str, oid: str, seen_calls: int) -> None:
    """Start the run that is this session's newest from now on."""
    run = Run(secrets.token_urlsafe(16), case, time.time(), oid, seen_calls)
    request.session[SESSION_KEY] = run.id
    _save(run)


def load(request: HttpRequest) -> Run | None:
    """This session's newest run."""
    run_id = request.session.get(SESSION_KEY)
    return cache.get(_key(run_id)) if run_id else None


def add_step(request: HttpRequest, kind: Kind, text: str, **details: object) -> None:
    """Add a line to the newest run, if there is one; empty details are left out."""
    with _lock:
        run = load(request)
        if run is None or len(run.steps) >= MAX_STEPS:
            return
        shown = tuple((_title(name), str(value)) for name, value in details.items() if value)
        step = Step(kind, text, shown, time.time() - run.started)
        _save(replace(run, steps=(*run.steps, step)))


def note_calls(request: HttpRequest, seen: int) -> None:
    """Remember how many calls of the API have a step."""
    _change(request, seen_calls=seen)


def note_flow(request: HttpRequest, flow: str) -> None:
    """Remember by which name the local Entra's record knows the prompt."""
    _change(request, flow=flow)


def end(request: HttpRequest, outcome: str, *, is_over: bool = True) -> None:
    """Say what came of it."""
    _change(request, outcome=outcome, is_over=is_over)


def _change(request: HttpRequest, **members: object) -> None:
    with _lock:
        run = load(request)
        if run is not None:
            _save(replace(run, **members))  # type: ignore[arg-type]


def _save(run: Run) -> None:
    cache.set(_key(run.id), run, RUN_SECONDS)


def _key(run_id: str) -> str:
    return f"demo:run:{run_id}"


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()
