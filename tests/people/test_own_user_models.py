"""User models of a project's own: settings are read once, so each needs another process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from django_entra_auth.emulator import Emulator

ROOT = Path(__file__).parent.parent.parent


def run(model: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "tests.people.own_users_run", model],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_address_is_the_name() -> None:
    statuses, users = run("Customer")
    assert statuses == [302] * 4
    people = Emulator().people
    guest, tid = people["carol"].oid, people["carol"].tid
    assert users == [
        # There before: a person of the same address is somebody else.
        ["bob@contoso.example", "boss", None, None, True],
        # The nickname is taken, and a claim is never a relation; groups the model does not have.
        ["alice@contoso.example", None, 12, None, True],
        ["bob@contoso.example-0a11ce00", "bobby", None, None, False],
        # Nobody vouches for a guest's address.
        [f"{guest}@{tid}.invalid", None, None, None, False],
    ]


def test_an_address_has_to_be_there_and_is_unique() -> None:
    statuses, users = run("Member")
    assert statuses == [302] * 3
    assert users == [
        ["old", ""],
        ["alice@contoso.example", "alice@contoso.example"],
        ["bob@contoso.example", "bob@contoso.example"],
    ]
