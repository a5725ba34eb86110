"""A browser of somebody who uses the site of the drills through a load balancer."""

from __future__ import annotations

import copy
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from tests.chaos.site import SECONDS_HEADER, WAITS_HEADER

PAGES = ("open", "plain", "token", "token-async", "fresh")
PATIENCE_SECONDS = 60
NAVIGATION = {
    "Accept": "text/html",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}
CSRF = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


@dataclass
class Result:
    """What became of a visit: its longest request, the calls of the cache that failed in one."""

    outcome: str = "failed"
    note: str = ""
    longest: float = 0.0
    waits: int = 0
    waited: float = 0.0

    def add(self, response: requests.Response) -> None:
        self.longest = max(self.longest, response.elapsed.total_seconds())
        self.waits = max(self.waits, int(response.headers.get(WAITS_HEADER, 0)))
        self.waited = max(self.waited, float(response.headers.get(SECONDS_HEADER, 0)))


@dataclass(eq=False)
class Browser:
    """Cookies at the site and at Entra; each request goes to the next worker in turn."""

    sites: Sequence[str]
    entra: Any
    person: str
    shift: int = 0
    is_signed_in: bool = False
    pages_shown: int = 0  # by Entra
    _oid: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self._oid = self.entra.people[self.person].oid
        self._turns: Iterator[str] = itertools.cycle(self.sites[self.shift :] or self.sites)
        self.forget()

    def at(self, site: str) -> Browser:
        """The same browser, bound to one worker: cookies do not tell ports apart."""
        bound = copy.copy(self)
        bound._turns = itertools.repeat(site)
        return bound

    def forget(self) -> None:
        """A new browser: no cookies, neither here nor at Entra."""
        self.is_signed_in = False
        self._here, self._there = _open(), _open()
        self._here.headers.update(NAVIGATION)
        self._there.hooks["response"].append(self._note_page)

    def visit(self, kind: str, *, heals: bool = True) -> Result:
        """Open a page as the signed-in person; through Entra where the site sends it there."""
        result = Result()
        try:
            response = self._get(f"/{kind}/", result)
            if response.status_code == 302 and heals:
                return self._go_through_entra(response.headers["Location"], result)
            return self._judge(response, result)
        except requests.RequestException as exc:
            result.note = f"{kind}: {type(exc).__name__}"
            return result

    def sign_in(self) -> Result:
        """The whole way from `login` to a page that says who is signed in."""
        result = Result()
        try:
            response = self._get("/auth/login/?next=/plain/", result)
            if response.status_code == 302:
                response = self._deliver(response.headers["Location"], result)
            result = self._judge(response, result)
        except requests.RequestException as exc:
            result.note = f"sign-in: {type(exc).__name__}"
        self.is_signed_in = result.outcome == "served"
        return result

    def sign_out(self) -> Result:
        """By the button; afterwards the session is gone."""
        result = Result()
        page = self._get("/auth/logout/", result)
        if page.status_code != 200:
            return self._judge(page, result)
        token = CSRF.search(page.text)
        form = {"csrfmiddlewaretoken": token[1] if token else ""}
        url = urljoin(next(self._turns), "/auth/logout/")
        answer = self._here.post(url, form, allow_redirects=False, timeout=PATIENCE_SECONDS)
        result.add(answer)
        gone = self._get("/plain/", result)
        if (answer.status_code, gone.status_code) == (200, 302):
            self.is_signed_in, result.outcome = False, "served"
            return result
        return self._judge(answer, result)

    def _go_through_entra(self, location: str, result: Result) -> Result:
        """Healed when Entra sends the person back without showing a page, else prompted."""
        before = self.pages_shown
        if urlsplit(location).path.startswith("/auth/login"):
            location = self._get(location, result).headers.get("Location", "")
        if not location.startswith(self.entra.origin):
            result.note = f"sent to {urlsplit(location).path}"
            return result
        response = self._deliver(location, result)
        outcome = self._judge(response, result).outcome
        if outcome == "served":
            result.outcome = "healed" if self.pages_shown == before else "prompted"
        return result

    def _deliver(self, auth_uri: str, result: Result) -> requests.Response:
        """Through Entra and the callback, to the page behind it or to a refusal."""
        answer = self.entra.complete_sign_in(auth_uri, person=self.person, browser=self._there)
        with _open() as cross_site:  # on whose POST no cookie travels
            response = cross_site.post(
                answer.url, answer.fields, allow_redirects=False, timeout=PATIENCE_SECONDS
            )
        result.add(response)
        while response.status_code in {302, 303}:
            location = response.headers["Location"]
            if location.startswith(self.entra.origin):
                break
            response = self._get(location, result)
        return response

    def _get(self, url: str, result: Result) -> requests.Response:
        response = self._here.get(
            urljoin(next(self._turns), url), allow_redirects=False, timeout=PATIENCE_SECONDS
        )
        result.add(response)
        return response

    def _judge(self, response: requests.Response, result: Result) -> Result:
        status = response.status_code
        if status == 200 and self._is_mine(response):
            result.outcome = "served"
        elif status == 503 and int(response.headers.get("Retry-After", 0)) > 0:
            result.outcome = "refused"
        elif status in {302, 401}:
            result.outcome = "prompted"
        else:
            path = urlsplit(response.url).path
            result.note = f"{path}: {status} {_title(response)}"
        return result

    def _is_mine(self, response: requests.Response) -> bool:
        """Nobody gets anybody else's page or token."""
        if not response.headers["Content-Type"].startswith("application/json"):
            return False
        return set(response.json().values()) <= {self._oid}

    def _note_page(self, response: requests.Response, **kwargs: Any) -> None:
        if response.request.method == "POST":  # a form of a page that was shown
            self.pages_shown += 1


def _open() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def _title(response: requests.Response) -> str:
    found = re.search(r"<title>(.*?)</title>", response.text, re.DOTALL)
    return found[1].strip() if found else response.text[:60]
