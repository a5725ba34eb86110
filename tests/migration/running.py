"""Starts a project of this folder in a process of its own, and a person who signs in to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from django_entra_auth.emulator import CLIENT_ID, CLIENT_SECRET, TENANT_ID

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 30
START_SECONDS = 120
MAX_STEPS = 12


@contextmanager
def running(
    project: str, *, entra: Any, database: Path, commands: Sequence[Sequence[str]] = ()
) -> Iterator[str]:
    """The address of a project ("adfs.before") that runs on `database` until the block ends.

    `commands` are management commands, run after `migrate` and before the first request.
    """
    words = [f"tests.migration.{project}.settings", *map(json.dumps, map(list, commands))]
    environment = {
        **os.environ,
        "ENTRA_ORIGIN": entra.origin,
        "REQUESTS_CA_BUNDLE": entra.ca_bundle,
        "SITE_DATABASE": str(database),
        "ENTRA_CLIENT_ID": CLIENT_ID,
        "ENTRA_CLIENT_SECRET": CLIENT_SECRET,
        "ENTRA_TENANT_ID": TENANT_ID,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.migration.serve", *words],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        watchdog = threading.Timer(START_SECONDS, process.kill)
        watchdog.start()
        try:
            address = _read_address(process.stdout)
        finally:
            watchdog.cancel()
        yield address
    finally:
        process.stdin.close()
        process.wait(timeout=TIMEOUT_SECONDS)
        process.stdout.close()


def _read_address(lines: Any) -> str:
    """The first line that is an address; commands may print others before it."""
    for line in lines:
        if line.startswith("http://127.0.0.1:"):
            return str(line.strip())
    raise AssertionError("the project did not start; its own words are above")


@dataclass
class Person:
    """Somebody with a browser of their own, as far as `requests` can be one.

    `answered_at` are the paths of the site that Entra's answers went to.
    """

    entra: Any
    site: str
    name: str = "alice"
    browser: requests.Session = field(default_factory=requests.Session)
    answered_at: list[str] = field(default_factory=list)

    def open(self, path: str) -> requests.Response:
        """The page at `path`, through every redirect and sign-in on the way."""
        return self._follow(self._get(urljoin(self.site, path)))

    def read(self, path: str) -> dict[str, Any]:
        """The JSON of the page at `path`."""
        response = self.open(path)
        assert response.ok, (response.status_code, response.url, response.text[:2000])
        found: dict[str, Any] = response.json()
        return found

    def is_asked_to_sign_in(self, path: str) -> bool:
        """Whether the page at `path` sends this browser elsewhere."""
        return self._get(urljoin(self.site, path)).is_redirect

    def _get(self, url: str) -> requests.Response:
        return self.browser.get(url, allow_redirects=False, timeout=TIMEOUT_SECONDS)

    def _follow(self, response: requests.Response) -> requests.Response:
        for _ in range(MAX_STEPS):
            target = _find_target(response)
            if target is None:
                return response
            if target.startswith(self.site):
                response = self._get(target)
            elif "/authorize?" in target:
                response = self._deliver(self.entra.complete_sign_in(target, person=self.name))
            else:
                return response
        raise AssertionError(f"sent in circles, at last to {response.url}")

    def _deliver(self, answer: Any) -> requests.Response:
        """Bring Entra's answer to the site; the cross-site POST carries no cookie."""
        self.answered_at.append(urlsplit(answer.url).path)
        if answer.method == "GET":
            return self._get(answer.url)
        return requests.post(
            answer.url, data=answer.fields, allow_redirects=False, timeout=TIMEOUT_SECONDS
        )


def _find_target(response: requests.Response) -> str | None:
    """Where the response sends the browser: by its status, or by a page that refreshes itself."""
    if response.is_redirect:
        return urljoin(response.url, response.headers["Location"])
    _, found, rest = response.text.partition("<meta http-equiv='refresh' content='0; URL=")
    return rest.partition("'")[0].replace("&amp;", "&") if found else None
