"""The site builds without a warning, needs no network and no database, and says what it should."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT

BUILD_SECONDS = 300
OPTIONS = ["-W", "--keep-going", "-q", "-E", "-b", "html"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "sphinx",
            *OPTIONS,
            "-d",
            folder / "trees",
            ROOT / "docs",
            folder / "html",
        ],
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
        # Whatever asked the network would end here.
        env={"PATH": "", "HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


def test_every_page_is_there(site: Path) -> None:
    docs = ROOT / "docs"
    pages = {p.relative_to(docs).with_suffix("") for p in docs.rglob("*.md")}
    built = {p.relative_to(site).with_suffix("") for p in site.rglob("*.html")}
    assert {page for page in pages if "_build" not in page.parts} <= built


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    tags = re.compile(r"<(?:script|link|img)\b[^>]*?(?:src|href)=\"((?:https?:)?//[^\"]+)\"")
    foreign = {
        (page.relative_to(site).as_posix(), address)
        for page in site.rglob("*.html")
        for address in tags.findall(page.read_text())
    }
    assert foreign == set()


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("reference/views", "Let only people in who are signed in through Entra"),
        ("reference/request-entra", "An access token, or an exception that the middleware answers"),
        ("reference/oauth2", "A web application registered with Entra ID"),
        ("reference/local-entra", "A local Entra on loopback"),
        ("explanation/costs", "silent hit from Redis on the same core"),
    ],
)
def test_what_comes_from_elsewhere_has_arrived(site: Path, page: str, words: str) -> None:
    text = re.sub(r"<[^>]+>|\s+", " ", (site / f"{page}.html").read_text())
    assert words in re.sub(r"\s+", " ", text)


def test_the_pictures_are_there(site: Path) -> None:
    named = re.findall(
        r"src=\"\.\./(_images/[^\"]+)\"", (site / "explanation/sign-in.html").read_text()
    )
    assert named
    assert all((site / name).is_file() for name in named)
