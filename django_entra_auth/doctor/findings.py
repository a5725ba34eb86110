"""What the doctor says: one finding for each thing it has looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, ParamSpec

from django_entra_auth.oauth2 import classify

Status = Literal["pass", "warn", "fail", "skip"]
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: `reason` says what was found, `fix` what to do; never a secret."""

    topic: str
    status: Status
    reason: str
    fix: str = ""


Findings = Iterator[Finding]


def passed(topic: str, reason: str) -> Finding:
    """It is as it should be."""
    return Finding(topic, "pass", reason)


def warned(topic: str, reason: str, fix: str) -> Finding:
    """It works, or may work, and will not always."""
    return Finding(topic, "warn", reason, fix)


def failed(topic: str, reason: str, fix: str) -> Finding:
    """It does not work."""
    return Finding(topic, "fail", reason, fix)


def skipped(topic: str, reason: str, fix: str = "") -> Finding:
    """It was not, or could not be, looked at."""
    return Finding(topic, "skip", reason, fix)


def explain(result: Mapping[str, Any]) -> tuple[str, str]:
    """Reason and fix for an error dict, in the catalogue's words alone."""
    found = classify(result)
    number = f" (AADSTS{found.number})" if found.number else ""
    return f"{found.title}{number}", found.remedy


def never_breaking(topic: str) -> Callable[[Callable[P, Findings]], Callable[P, Findings]]:
    """Make a finding of what an examination itself stumbles over; only its kind is told.

    What the project's own code raises (a backend, an assertion function, a URLconf) may have a
    secret in its text.
    """

    def decorate(examine: Callable[P, Findings]) -> Callable[P, Findings]:
        @wraps(examine)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> Findings:
            try:
                yield from examine(*args, **kwargs)
            except Exception as exc:  # noqa: BLE001  every other examination still counts
                name = type(exc).__name__
                reason = f"This could not be looked at to its end: {name}."
                yield failed(topic, reason, f"Find out where the {name} comes from.")

        return wrapper

    return decorate
