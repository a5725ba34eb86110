"""docs/reference/signals.md names the arguments that are really sent, and its code works."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from django.dispatch import Signal

from django_entra_auth import signals
from django_entra_auth.cache.token_cache import local_copies
from tests.challenges.asking import BY_NAME, Walker, make_walker

TEXT = (Path(__file__).parents[2] / "docs/reference/signals.md").read_text()
ROWS = re.findall(r"^\| `(\w+)` \| .+? \| (`.+`) \|$", TEXT, re.MULTILINE)
DOCUMENTED = {name: set(re.findall(r"`(\w+)`", arguments)) for name, arguments in ROWS}
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
SENT_BY_DJANGO = {"signal", "sender"}


@pytest.fixture
def walker(entra: Any, entra_settings: Any, db: None) -> Walker:
    entra_settings.ENTRA_AUTH = {**entra_settings.ENTRA_AUTH, "SCOPES": ["User.Read"]}
    local_copies.clear()
    return make_walker(entra)


def live(walker: Walker) -> None:
    """A sign-in, a token that cannot be had, a prompt, a refusal, a sign-out."""
    walker.sign_in(next_url="/private/")
    walker.entra.faults.throttle(30, times=1)
    walker.ask(BY_NAME["navigation"], "/mail/")
    walker.entra.ignores_claims = True
    prompt = walker.ask(BY_NAME["navigation"], "/step-up/")["Location"]
    walker.deliver(walker.answer(prompt))
    walker.client.post(
        "/auth/logout/", {"csrfmiddlewaretoken": walker.client.cookies["csrftoken"].value}
    )


def all_signals() -> dict[str, Signal]:
    return {name: one for name, one in vars(signals).items() if isinstance(one, Signal)}


@pytest.fixture
def sent() -> Iterator[dict[str, set[str]]]:
    found: dict[str, set[str]] = {}
    receivers = {}
    for name, signal in all_signals().items():

        def note(name: str = name, **named: Any) -> None:
            found.setdefault(name, set()).update(named)

        receivers[name] = lambda note=note, **named: note(**named)
        signal.connect(receivers[name], weak=False)
    yield found
    for name, signal in all_signals().items():
        signal.disconnect(receivers[name])


@pytest.mark.urls("tests.site.urls_challenges")
def test_the_page_names_every_signal_with_its_arguments(
    walker: Walker, sent: dict[str, set[str]]
) -> None:
    assert set(DOCUMENTED) == set(all_signals())
    live(walker)
    assert {name: names - SENT_BY_DJANGO for name, names in sent.items()} == DOCUMENTED


def test_the_module_says_the_same() -> None:
    for name, arguments in DOCUMENTED.items():
        pattern = rf"(?ms)^\* `{name}`: (.+?)(?=^\*|\Z)"
        line = re.search(pattern, signals.__doc__ or "")
        assert line, name
        assert arguments <= set(re.findall(r"`(\w+)`", line[1])), name


def load(word: str, **known: Any) -> dict[str, Any]:
    (block,) = [one for one in BLOCKS if word in one]
    namespace = {"__name__": f"{__name__}.{word}", **known}
    exec(compile(block, "signals.md", "exec"), namespace)
    return namespace


def disconnect(namespace: dict[str, Any]) -> None:
    for signal in all_signals().values():
        for value in namespace.values():
            signal.disconnect(value)


@pytest.mark.django_db
def test_the_example_receiver_is_told() -> None:
    told: list[str] = []
    namespace = load("page_somebody", page_somebody=told.append)
    try:
        for reason in ("cancelled", "configuration"):
            signals.sign_in_failed.send(
                None, request=None, reason=reason, result={"error": "invalid_client"}
            )
    finally:
        disconnect(namespace)
    assert len(told) == 1


class Meter:
    """As much of OpenTelemetry as the recipe uses."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.events: list[tuple[str, dict[str, Any]]] = []

    def create_counter(self, name: str, description: str) -> Any:
        def add(amount: int, attributes: dict[str, Any] | None = None) -> None:
            for value in (attributes or {}).values():
                assert type(value) in {str, int}  # what an attribute may be
            self.counts[name] += amount

        return SimpleNamespace(add=add)

    def add_event(self, name: str, attributes: dict[str, Any]) -> None:
        self.events.append((name, attributes))


@pytest.mark.urls("tests.site.urls_challenges")
def test_the_recipe_for_opentelemetry_counts(
    walker: Walker, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter, module = Meter(), ModuleType("opentelemetry")
    module.metrics = SimpleNamespace(get_meter=lambda name: meter)  # type: ignore[attr-defined]
    module.trace = SimpleNamespace(get_current_span=lambda: meter)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "opentelemetry", module)
    namespace = load("opentelemetry")
    try:
        live(walker)
    finally:
        disconnect(namespace)
    assert meter.counts == {
        "entra.sign_ins": 1,
        "entra.token_errors": 1,
        "entra.prompts": 1,
        "entra.sign_in_failures": 1,
    }
    (_, attributes), *_ = [one for one in meter.events if one[0] == "entra.token_error"]
    assert attributes["entra.category"] == "throttled"
