"""Writes what a run has found as a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from benchmarks import id_token, silent_hit, whole_request
from benchmarks.budgets import NO_BUDGET, Verdict, judge
from benchmarks.explain import Share
from benchmarks.measure import build_table, show
from benchmarks.results import Results
from benchmarks.seed import ACCESS_TOKEN_CHARS, REFRESH_TOKEN_CHARS
from benchmarks.served import CONNECTIONS, THREADS

INTRODUCTION: Final = """# Performance

Written by `python -m benchmarks`; no figure on this page was typed by hand. Times are medians in
microseconds with the middle half of the rounds in brackets. They say something only beside the
other times of the same table, which were measured in alternating turns; ratios are medians of the
ratios within each round. A budget is met, or not, when the 95 % interval of the median lies on one
side of it (in brackets), and undecided when the run was too noisy to say.
"""
MEASURED: Final = f"""## How it was measured

* One run, one Redis started for it, django-redis with hiredis, sessions in the same Redis
  (`django.contrib.sessions.backends.cache`). Tables name where Redis ran: on the application's
  core or on another one.
* Everybody keeps the same strings, all random: access tokens of {ACCESS_TOKEN_CHARS} characters, a
  refresh token of {REFRESH_TOKEN_CHARS}. Every call is a hit.
* MSAL was given all that saves it work: instance discovery off, a warm HTTP cache and a
  `requests.Session` shared by all its applications, a cache that is written back only when it has
  changed, the one account there is. *kept application*: one application for each thread; each
  request loads the session's blob into a `SerializableTokenCache` and hangs it in. *rebuilt*:
  application and cache are made for each request. `identity.django` is used through its own
  decorator `login_required(scopes=...)`, which rebuilds too, with its own shared HTTP cache.
* The pages of all contenders need Django's user; *no Django user* is `identity` on a site
  that has none and saves the query.
* Delay: a TCP relay in a process of its own holds every request on its way to Redis. It is
  calibrated with PING before the run; the tables say what it really adds. Bandwidth is not limited.
* *copy found by half, never*: the worker's copies are dropped before every other request, or
  every one.
* Each call is timed by itself and a turn counts with its median, so that calls interrupted by
  other processes of the machine drop out.
"""


def build_report(results: Results, *, plot: str) -> str:
    """Return the page; ``plot`` is the file name of its picture."""
    verdicts = judge(results)
    parts = [
        INTRODUCTION,
        _facts(results),
        _budgets(verdicts),
        f"![Time of a silent hit by resources, and of a request by distance]({plot})\n",
        _hits(results),
        _requests(results),
        _steps(results),
        _served(results),
        _guard(results),
        _id_token(results),
        _weights(results),
        _client(results),
        _profiles(results, verdicts),
        MEASURED,
    ]
    return "\n".join(part for part in parts if part)


def _facts(results: Results) -> str:
    return "\n".join(f"* {name}: {value}" for name, value in results.facts.items()) + "\n"


def _budgets(verdicts: Sequence[Verdict]) -> str:
    rows = [(v.what, v.budget, v.measured, _say_met(v)) for v in verdicts]
    text = (
        "\nOne token request for many callers, and none while Entra has asked to wait, are"
        " counts; the tests assert them.\n"
    )
    return "## Budgets\n\n" + _table(("what", "budget", "measured", "met"), rows) + text


def _say_met(verdict: Verdict) -> str:
    if verdict.budget == NO_BUDGET:
        return ""
    if verdict.is_met is None:
        return "undecided"
    return "yes" if verdict.is_met else "**no**"


def _hits(results: Results) -> str:
    parts = ["## The silent hit by itself\n"]
    for shares_core, place in ((True, "the same core as the application"), (False, "another core")):
        chosen = [hit for hit in results.hits if hit.shares_core is shares_core]
        sizes = [hit.resources for hit in chosen]
        names = silent_hit.names_of(chosen)
        rows = [
            (name, f"{chosen[0].reads[name]:g}", *(show(hit.timings[name]) for hit in chosen))
            for name in names
        ]
        heads = ("way", "Redis reads", *(_count(size) for size in sizes))
        parts.append(f"Redis on {place}; *+ session* includes reading the session from Redis.\n")
        parts.append(_table(heads, rows))
    limited = {size: kept for size, kept in results.kept.items() if kept < size}
    for size, kept in limited.items():
        parts.append(f"Of {size} resources this project kept {kept}; msal kept all.\n")
    return "\n".join(parts)


def _requests(results: Results) -> str:
    parts = ["## Whole requests through Django's handler\n"]
    for distance in results.distances:
        chosen = [one for one in results.requests if one.distance == distance]
        parts.append(f"{distance.wanted:g} ms added (measured: {distance.added:.3f} ms).\n")
        parts.append(_by_resources(chosen, tuple(whole_request.PATHS)))
    return "\n".join(parts)


def _steps(results: Results) -> str:
    text = "## Inside a request: the step that yields the token\n\nThe session is loaded by then.\n"
    return text + "\n" + _by_resources(results.steps, whole_request.STEPS)


def _by_resources(chosen: Sequence[whole_request.RequestResult], names: Iterable[str]) -> str:
    rows = [(name, *(show(one.timings[name]) for one in chosen)) for name in names]
    return _table(("way", *(_count(one.resources) for one in chosen)), rows)


def _served(results: Results) -> str:
    heads = ("way", *(f"{d.wanted:g} ms" for d in results.distances))
    found = {(one.name, one.distance): one for one in results.served}
    rows = []
    for name in whole_request.PATHS:
        cells = [found[name, distance] for distance in results.distances]
        rows.append((name, *(f"{one.per_second:.0f} / {one.latency:.2f}" for one in cells)))
    text = (
        f"One gthread worker with {THREADS} threads on one core; Redis, relay and client on the"
        f" other; {results.served_resources} resources. Requests a second over {CONNECTIONS} kept"
        " connections / median milliseconds over one.\n"
    )
    return f"## Under gunicorn\n\n{text}\n" + _table(heads, rows)


def _guard(results: Results) -> str:
    guard = results.guard
    rows = [
        ("`login_required`, without this project's middleware", show(guard.djangos)),
        ("`entra_login_required`, with it", show(guard.ours)),
        ("difference within each round", show(guard.added)),
    ]
    heads = ("operations of a request", *guard.operations)
    counted = [
        (name, *(f"{pair[which]:g}" for pair in guard.operations.values()))
        for which, name in enumerate(("Django's", "this project's"))
    ]
    table = _table(("view that uses no token", "µs"), rows)
    return f"## What the decorator costs\n\n{table}\n" + _table(heads, counted)


def _id_token(results: Results) -> str:
    rows = [(name, show(results.id_token[name])) for name in (id_token.PYJWT, id_token.OURS)]
    return "## ID-token validation\n\n" + _table(("RS256, 2048 bits", "µs"), rows)


def _weights(results: Results) -> str:
    rows = [(name, f"{one.bytes:,}", str(one.keys)) for name, one in results.weights.items()]
    heads = ("what a sign-in with 3 resources leaves", "bytes (MEMORY USAGE)", "keys")
    return "## Memory in Redis\n\n" + _table(heads, rows)


def _client(results: Results) -> str:
    lines = build_table(results.client, opponent="msal", own="ours")
    return "## The token client, in one process\n\n" + "\n".join(lines) + "\n"


def _profiles(results: Results, verdicts: Sequence[Verdict]) -> str:
    missed = {one.profile for one in verdicts if not one.is_met and one.budget != NO_BUDGET}
    parts = [
        f"`{name}`\n\n" + _table(("where", "with all it calls", "alone", "calls"), _shares(found))
        for name, found in results.profiles.items()
        if name in missed
    ]
    if not parts:
        return ""
    text = (
        "## Where the time goes in what missed its budget\n\nBy cProfile, which makes small"
        " functions look dearer than they are; this project's functions first.\n"
    )
    return "\n".join([text, *parts])


def _shares(found: Sequence[Share]) -> list[tuple[str, ...]]:
    return [
        (f"`{one.where}`", f"{one.whole:.0%}", f"{one.alone:.0%}", f"{one.calls:g}")
        for one in found
    ]


def _count(resources: int) -> str:
    return "1 resource" if resources == 1 else f"{resources} resources"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)
