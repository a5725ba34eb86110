"""The workflow of a public host: every action pinned to a commit, nothing allowed but reading."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

WORKFLOWS = sorted((Path(__file__).resolve().parent.parent / ".github/workflows").glob("*.yml"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_to_commits_and_say_their_version(path: Path) -> None:
    uses = re.findall(r"uses: (.+)", path.read_text())
    assert uses
    for action in uses:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", action), action


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_nothing_is_allowed_but_reading(path: Path) -> None:
    text = path.read_text()
    assert "\npermissions: {}\n" in text
    assert not re.search(r":\s*write\b", text)
    assert "pull_request_target" not in text
    checkouts = text.count("actions/checkout@")
    assert checkouts == text.count("persist-credentials: false")


def test_there_is_a_workflow() -> None:
    assert WORKFLOWS
