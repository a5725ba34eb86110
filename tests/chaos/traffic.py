"""People at work while something breaks, and a count of what became of each of their requests."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.chaos.browser import PAGES, Browser, Result
from tests.chaos.redis_servers import wait_until

NAMES = ("alice", "bob", "carol", "erin")
THINK_SECONDS = 0.02
JOIN_SECONDS = 60
COMERS = 2
OUTCOMES = ("served", "refused", "healed", "prompted", "failed")


@dataclass(frozen=True)
class Seen:
    """A request, or a whole sign-in: what was asked, in which phase, what came of it."""

    phase: str
    kind: str
    outcome: str
    seconds: float
    waits: int = 0
    wait_seconds: float = 0.0
    note: str = ""
    browser: Browser | None = None


class Tally:
    """What was seen, by all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: list[Seen] = []
        self.phase = "before"

    def add(self, seen: Seen) -> None:
        with self._lock:
            self._seen.append(seen)

    def find(self, **wanted: Any) -> list[Seen]:
        with self._lock:
            seen = list(self._seen)
        return [one for one in seen if all(getattr(one, k) == v for k, v in wanted.items())]

    def count(self, **wanted: Any) -> int:
        return len(self.find(**wanted))

    def report(self, title: str) -> str:
        """A table: each phase and kind of request, how many had which outcome, the longest."""
        lines = [f"\n{title}", f"{'phase':9} {'kind':12} " + " ".join(f"{o:>8}" for o in OUTCOMES)]
        lines[-1] += f" {'longest':>8} {'waits':>5} {'waited':>7}"
        phases = dict.fromkeys(one.phase for one in self.find())
        for phase in phases:
            kinds = sorted({one.kind for one in self.find(phase=phase)})
            lines += [self._line(phase, kind) for kind in kinds]
        notes = Counter(one.note for one in self.find() if one.note)
        lines += [f"  {count} x {note}" for note, count in notes.most_common(12)]
        return "\n".join(lines)

    def _line(self, phase: str, kind: str) -> str:
        seen = self.find(phase=phase, kind=kind)
        counts = Counter(one.outcome for one in seen)
        cells = " ".join(f"{counts[outcome]:8}" for outcome in OUTCOMES)
        longest = max(one.seconds for one in seen)
        waits, waited = max(one.waits for one in seen), max(one.wait_seconds for one in seen)
        return f"{phase:9} {kind:12} {cells} {longest:7.2f}s {waits:5} {waited:6.2f}s"


class Traffic:
    """Threads with a browser each, and threads in which people come and go."""

    def __init__(
        self, sites: Sequence[str], entra: Any, *, pages: Sequence[str] = PAGES, people: int = 6
    ) -> None:
        self.tally = Tally()
        self._pages = pages
        self._sites = sites
        self._entra = entra
        self._stopping = threading.Event()
        self.residents = [self._open(number) for number in range(people)]

    def sign_in_all(self) -> None:
        """Everybody signs in, and has had a token at each site."""
        for resident in self.residents:
            assert resident.sign_in().outcome == "served"
        assert {self._look(resident) for resident in self.residents} == {"served"}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Traffic goes on inside; afterwards all threads have ended."""
        jobs: list[tuple[Any, Browser]] = [(self._work, resident) for resident in self.residents]
        jobs += [(self._come_and_go, self._open(number)) for number in range(COMERS)]
        threads = [threading.Thread(target=job, args=(one,), daemon=True) for job, one in jobs]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join(JOIN_SECONDS)

    @contextmanager
    def edge(self, phase: str) -> Iterator[None]:
        """What is asked while something breaks or is mended; the phase after it comes next."""
        self.tally.phase = f">{phase}"
        yield

    def go_on(self, phase: str, *, rounds: int = 2, seconds: float = 0.0) -> None:
        """Let a phase last until every page was asked for so often in it, by everybody together."""
        self.tally.phase = phase
        begun = time.monotonic()
        kinds = (*self._pages, "sign-in")

        def is_enough() -> bool:
            asked = all(self.tally.count(phase=phase, kind=kind) >= rounds for kind in kinds)
            return asked and time.monotonic() - begun >= seconds

        wait_until(is_enough, seconds=90)

    def count_lost(self) -> int:
        """Residents who are not signed in any more; nothing is healed for them."""
        return sum(
            resident.visit("plain", heals=False).outcome != "served" for resident in self.residents
        )

    def _open(self, number: int) -> Browser:
        return Browser(self._sites, self._entra, NAMES[number % len(NAMES)], shift=number)

    def _look(self, resident: Browser) -> str:
        """A token at each site."""
        outcomes = {resident.visit("token").outcome for _ in self._sites}
        return outcomes.pop() if len(outcomes) == 1 else "mixed"

    def _work(self, resident: Browser) -> None:
        while True:
            for kind in self._pages:
                if self._stopping.wait(THINK_SECONDS):
                    return
                self._note(kind, resident, partial(resident.visit, kind))

    def _come_and_go(self, browser: Browser) -> None:
        while not self._stopping.wait(THINK_SECONDS):
            browser.forget()
            self._note("sign-in", browser, browser.sign_in)
            if browser.is_signed_in and not self._stopping.is_set():
                self._note("first-token", browser, partial(browser.visit, "token"))
                self._note("sign-out", browser, browser.sign_out)

    def _note(self, kind: str, browser: Browser, act: Callable[[], Result]) -> None:
        phase, begun = self.tally.phase, time.monotonic()
        result = act()
        if self.tally.phase != phase:  # begun in one, ended in another
            phase = f">{self.tally.phase.lstrip('>')}"
        self.tally.add(
            Seen(
                phase,
                kind,
                result.outcome,
                seconds=result.longest or time.monotonic() - begun,
                waits=result.waits,
                wait_seconds=result.waited,
                note=result.note,
                browser=browser,
            )
        )
