"""The page on the doctor: its topics, options, statuses and requests are those of the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from django_entra_auth.doctor import ONLINE, TOPICS, Status
from django_entra_auth.doctor.credentials import WARN_DAYS
from django_entra_auth.management.commands.entra_doctor import Command
from tests.diagnosis import SITE, at, diagnose
from tests.test_doctor import CASES

DOCS = Path(__file__).parents[1] / "docs"
PATHS = (DOCS / "reference" / "doctor.md", DOCS / "doctor.md")
TEXT = next(path for path in PATHS if path.exists()).read_text()
ROWS = dict(re.findall(r"^\| `([^`]+)` \| (.+) \|$", TEXT, re.MULTILINE))
DJANGOS = {
    "--help", "--version", "--verbosity", "--settings", "--pythonpath", "--traceback",
    "--no-color", "--force-color", "--skip-checks",
}  # fmt: skip


def options() -> set[str]:
    parser = Command().create_parser("manage.py", "entra_doctor")
    return {word for word in parser._option_string_actions if word.startswith("--")} - DJANGOS


def test_every_topic_has_its_row_in_the_order_they_are_told() -> None:
    topics = [name for name in ROWS if not name.startswith("--")]
    assert topics == list(TOPICS)


def test_every_option_has_its_row() -> None:
    assert {name.partition(" ")[0] for name in ROWS if name.startswith("--")} == options()


@pytest.mark.django_db
def test_every_topic_is_one_that_findings_have(entra: Any, entra_settings: Any) -> None:
    told = {one.topic for one in diagnose(options=at(SITE))}
    assert told == set(TOPICS) - {"cache"}
    assert {case.topic for case in CASES} >= set(TOPICS) - {"cache"}, "each has a seeded fault"


def test_it_names_the_statuses() -> None:
    sentence = next(line for line in TEXT.splitlines() if line.startswith("Each line is"))
    assert re.findall(r"`(\w+)`", sentence) == list(get_args(Status))


def test_it_names_the_days() -> None:
    assert f"a warning from {WARN_DAYS} days" in ROWS["credentials"]


@pytest.mark.django_db
def test_it_names_every_kind_of_request_that_is_sent(entra: Any, entra_settings: Any) -> None:
    diagnose(options=at(SITE))
    sent = {(one.method, one.path.rpartition("/")[2]) for one in entra.requests}
    assert sent == {
        ("GET", "openid-configuration"), ("GET", "keys"), ("POST", "token"), ("GET", "authorize"),
    }  # fmt: skip
    section = TEXT.partition("## What it sends to Entra")[2].partition("\n## ")[0]
    for words in (
        "OpenID configuration and the keys",
        "one token request",
        "one authorize request",
    ):
        assert words in section


def test_what_offline_leaves_out_is_what_asks_entra() -> None:
    assert set(TOPICS) > ONLINE
    assert "ask Entra nothing" in ROWS["--offline"]
