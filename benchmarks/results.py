"""Everything that a run has found out, as the report takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.explain import Share
from benchmarks.measure import Row, Timing
from benchmarks.memory import Weight
from benchmarks.served import Served
from benchmarks.silent_hit import HitResult
from benchmarks.stage import Distance
from benchmarks.whole_request import GuardResult, RequestResult


@dataclass(frozen=True)
class Results:
    """One run."""

    distances: Sequence[Distance]
    hits: Sequence[HitResult]
    flatness: Mapping[int, Timing]
    requests: Sequence[RequestResult]
    steps: Sequence[RequestResult]
    guard: GuardResult
    served: Sequence[Served]
    served_resources: int
    id_token: Mapping[str, Timing]
    weights: Mapping[str, Weight]
    client: Sequence[Row]
    kept: Mapping[int, int]
    sent: int
    profiles: dict[str, list[Share]] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
