"""The budgets, and what a run says about each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks import id_token, silent_hit, whole_request
from benchmarks.measure import Estimate, divide, estimate
from benchmarks.results import Results

TIMES: Final = "\N{MULTIPLICATION SIGN}"
NO_BUDGET: Final = "reported only"
FLOOR_RATIO: Final = 1.3
REBUILT_RATIOS: Final = {1: 4.0, 100: 25.0}
FLAT_RATIO: Final = 1.1
COPY_MICROSECONDS: Final = 20.0
GUARD_MICROSECONDS: Final = 25.0
ID_TOKEN_RATIO: Final = 1.15
BYTES_RATIO: Final = 1.25


@dataclass(frozen=True)
class Verdict:
    """One budget: what is measured, what was allowed, what it came to.

    ``is_met`` is ``None`` when the run was too noisy to say.
    """

    what: str
    budget: str
    measured: str
    is_met: bool | None
    profile: str = ""


def judge(results: Results) -> list[Verdict]:
    """Return a verdict on every budget that is a time or a size."""
    return [
        *_judge_floor(results),
        *_judge_rebuilt(results),
        _judge_flatness(results),
        _judge_copy(results),
        *_judge_distances(results),
        *_judge_guard(results),
        _judge_id_token(results),
        _judge_bytes(results),
    ]


def _stays_below(estimates: Sequence[Estimate], limit: float) -> bool | None:
    if all(one.high <= limit for one in estimates):
        return True
    return False if any(one.low > limit for one in estimates) else None


def _stays_above(estimates: Sequence[Estimate], limit: float) -> bool | None:
    if all(one.low >= limit for one in estimates):
        return True
    return False if any(one.high < limit for one in estimates) else None


def _show(estimates: Sequence[Estimate], unit: str, *, digits: int = 2) -> str:
    """Show the medians, and in brackets the bounds that the verdict goes by."""
    medians = sorted({f"{one.median:.{digits}f}" for one in estimates}, key=float)
    low = min(one.low for one in estimates)
    high = max(one.high for one in estimates)
    span = " to ".join(dict.fromkeys((medians[0], medians[-1])))
    if math.isinf(high):
        return f"{span} {unit} (too few rounds for bounds)"
    return f"{span} {unit} ({low:.{digits}f} to {high:.{digits}f})"


def _judge_floor(results: Results) -> Iterator[Verdict]:
    for shares_core, place in ((True, "on the same core"), (False, "on another core")):
        ratios = [
            divide(hit.timings[silent_hit.FROM_REDIS], hit.timings[silent_hit.FLOOR])
            for hit in results.hits
            if hit.shares_core is shares_core
        ]
        yield Verdict(
            f"silent hit from Redis {place}, over `cache.get` + AES-GCM + JSON",
            f"≤ {FLOOR_RATIO} {TIMES}",
            _show(ratios, TIMES),
            _stays_below(ratios, FLOOR_RATIO),
            silent_hit.FROM_REDIS,
        )


def _judge_rebuilt(results: Results) -> Iterator[Verdict]:
    rebuilt = silent_hit.MSAL_REBUILT + silent_hit.WITH_SESSION
    readings = {
        "the session read counted for msal, whose tokens are in it": silent_hit.FROM_REDIS,
        "the session read counted for both": silent_hit.FROM_REDIS + silent_hit.WITH_SESSION,
        "with the bare floor in our place, which no design can beat": silent_hit.FLOOR,
    }
    for hit in results.hits:
        allowed = REBUILT_RATIOS.get(hit.resources)
        if allowed is None:
            continue
        for reading, own in readings.items():
            ratios = [divide(hit.timings[rebuilt], hit.timings[own])]
            place = "same core" if hit.shares_core else "another core"
            yield Verdict(
                f"msal rebuilt from the session / silent hit from Redis ({place}),"
                f" resources: {hit.resources}; {reading}",
                f"≥ {allowed:.0f} {TIMES}" if _is_judged(hit, own) else NO_BUDGET,
                _show(ratios, TIMES, digits=1),
                _stays_above(ratios, allowed),
                silent_hit.FROM_REDIS,
            )


def _is_judged(hit: Any, own: str) -> bool:
    return bool(hit.shares_core) and own != silent_hit.FLOOR


def _judge_flatness(results: Results) -> Verdict:
    sizes = list(results.flatness)
    first = results.flatness[sizes[0]]
    ratios = [divide(results.flatness[size], first) for size in sizes[1:]]
    return Verdict(
        f"silent hit from Redis, {sizes[0]} to {sizes[-1]} resources, over that with {sizes[0]}",
        f"flat (≤ {FLAT_RATIO} {TIMES})",
        _show(ratios, TIMES),
        _stays_below(ratios, FLAT_RATIO),
    )


def _judge_copy(results: Results) -> Verdict:
    times = [estimate(step.timings[whole_request.COPY_ALWAYS].samples) for step in results.steps]
    return Verdict(
        "silent hit from the local copy, inside a request",
        f"≤ {COPY_MICROSECONDS:.0f} µs",
        _show(times, "µs", digits=1),
        _stays_below(times, COPY_MICROSECONDS),
        silent_hit.FROM_COPY,
    )


def _judge_distances(results: Results) -> Iterator[Verdict]:
    opponents = {whole_request.IDENTITY: True, whole_request.IDENTITY_ALONE: False}
    for opponent, counts in opponents.items():
        for distance in results.distances:
            ratios = [
                divide(one.timings[opponent], one.timings[whole_request.COPY_ALWAYS])
                for one in results.requests
                if one.distance == distance
            ]
            yield Verdict(
                f"whole request: {opponent} / local copy, {distance.wanted:g} ms added",
                f"> 1 {TIMES}" if counts else NO_BUDGET,
                _show(ratios, TIMES),
                _stays_above(ratios, 1),
            )


def _judge_guard(results: Results) -> Iterator[Verdict]:
    guard = results.guard
    added = [estimate(guard.added.samples)]
    yield Verdict(
        "view with `entra_login_required` and no token, over Django's `login_required`",
        f"≤ {GUARD_MICROSECONDS:.0f} µs",
        _show(added, "µs", digits=1),
        _stays_below(added, GUARD_MICROSECONDS),
        "guarded view",
    )
    extra = {kind: ours - djangos for kind, (djangos, ours) in guard.operations.items()}
    yield Verdict(
        "the same: operations besides Django's own",
        "0",
        ", ".join(f"{count:g} {kind}" for kind, count in extra.items()),
        not any(extra.values()),
    )


def _judge_id_token(results: Results) -> Verdict:
    timings = results.id_token
    ratios = [divide(timings[id_token.OURS], timings[id_token.PYJWT])]
    return Verdict(
        "ID-token validation over PyJWT with a parsed key",
        f"≤ {ID_TOKEN_RATIO} {TIMES}",
        _show(ratios, TIMES),
        _stays_below(ratios, ID_TOKEN_RATIO),
        "ID-token validation",
    )


def _judge_bytes(results: Results) -> Verdict:
    raw, ours = (
        results.weights[name].bytes for name in ("the same strings, raw", "this project: tokens")
    )
    return Verdict(
        "Redis bytes of a sign-in with 3 resources, over the same strings stored raw",
        f"≤ {BYTES_RATIO} {TIMES}",
        f"{ours / raw:.2f} {TIMES}",
        ours / raw <= BYTES_RATIO,
    )
