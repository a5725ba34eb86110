"""Each package is really used, left as its guide says, and gone back to."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.migration.peers import (
    ADFS,
    ALLAUTH,
    IDENTITY,
    MOZILLA,
    MSAL,
    MSAL_BY_BACKEND,
    Peer,
    write_export,
)
from tests.migration.running import Person, running

WITH_USERS = (ADFS, MOZILLA, ALLAUTH, MSAL)
LINKED = (*WITH_USERS, MSAL_BY_BACKEND)


def _id(peer: Peer) -> str:
    return f"{peer.name}-{peer.after}"


@dataclass
class Seen:
    """What a project showed to people, their browsers, and the database it left."""

    database: Path
    me: dict[str, dict[str, Any]] = field(default_factory=dict)
    graph: dict[str, Any] = field(default_factory=dict)
    browsers: dict[str, requests.Session] = field(default_factory=dict)
    answered_at: list[str] = field(default_factory=list)
    had_to_sign_in: bool = True

    def copy(self, path: Path) -> Path:
        """The database, for somebody else to write to."""
        return Path(shutil.copy(self.database, path))


@pytest.fixture(scope="module")
def export(tls_entra: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_export(tls_entra, tmp_path_factory.mktemp("export") / "users.csv")


@pytest.fixture(scope="module")
def before(tls_entra: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Peer], Seen]:
    """The project with the package: alice and erin have signed in."""

    @functools.cache
    def run(name: str, erins_way: str) -> Seen:
        seen = Seen(tmp_path_factory.mktemp(name) / "db.sqlite3")
        with running(f"{name}.before", entra=tls_entra, database=seen.database) as site:
            alice = Person(tls_entra, site, "alice")
            seen.me["alice"] = alice.read("/me/")
            seen.graph = alice.read("/graph/") if name != "adfs" else {}
            erin = Person(tls_entra, site, "erin")
            assert erin.open(erins_way).ok
            seen.me["erin"] = erin.read("/me/")
            seen.answered_at = alice.answered_at
            seen.browsers = {"alice": alice.browser, "erin": erin.browser}
        return seen

    return lambda peer: run(peer.name, peer.erins_way)


@pytest.fixture(scope="module")
def moved(
    tls_entra: Any,
    before: Callable[[Peer], Seen],
    export: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Peer], Seen]:
    """The project after the move, on the same database: both have come back."""

    @functools.cache
    def run(peer: Peer) -> Seen:
        old = before(peer)
        seen = Seen(old.copy(tmp_path_factory.mktemp(f"moved-{peer.name}") / "db.sqlite3"))
        with running(
            f"{peer.name}.{peer.after}",
            entra=tls_entra,
            database=seen.database,
            commands=peer.commands(export),
        ) as site:
            alice = Person(tls_entra, site, "alice", _copy_cookies(old.browsers["alice"]))
            seen.had_to_sign_in = alice.is_asked_to_sign_in("/me/")
            seen.me["alice"] = alice.read("/me/")
            seen.graph = alice.read("/graph/") if peer.calls_graph else {}
            seen.me["erin"] = Person(tls_entra, site, "erin").read("/me/")
            seen.answered_at = alice.answered_at
        return seen

    return run


def _copy_cookies(browser: requests.Session) -> requests.Session:
    copy = requests.Session()
    copy.cookies.update(browser.cookies)
    return copy


@pytest.mark.parametrize("peer", WITH_USERS, ids=_id)
def test_the_package_signs_people_in(before: Callable[[Peer], Seen], peer: Peer) -> None:
    seen = before(peer)
    assert seen.answered_at == [peer.callback]
    assert set(seen.me["alice"]["groups"]) == set(peer.groups)
    assert seen.me["alice"]["pk"] != seen.me["erin"]["pk"]


@pytest.mark.parametrize("peer", LINKED, ids=_id)
def test_people_are_the_same_users_after_the_move(
    before: Callable[[Peer], Seen], moved: Callable[[Peer], Seen], peer: Peer
) -> None:
    old, new = before(peer), moved(peer)
    for name in ("alice", "erin"):
        assert new.me[name]["pk"] == old.me[name]["pk"]
        assert new.me[name]["username"] == old.me[name]["username"]
        assert new.me[name].get("is_staff") == old.me[name].get("is_staff")
    assert new.me["alice"] | {"email": ""} == old.me["alice"] | {"email": ""}
    assert set(peer.groups) <= set(new.me["erin"]["groups"])


@pytest.mark.parametrize("peer", LINKED, ids=_id)
def test_everybody_signs_in_once_more_at_the_registered_address(
    moved: Callable[[Peer], Seen], peer: Peer
) -> None:
    seen = moved(peer)
    assert seen.had_to_sign_in
    assert seen.answered_at == [peer.callback]


@pytest.mark.parametrize("peer", [p for p in LINKED if p.calls_graph], ids=_id)
def test_what_called_graph_still_does(
    before: Callable[[Peer], Seen], moved: Callable[[Peer], Seen], peer: Peer
) -> None:
    assert moved(peer).graph == before(peer).graph == {"name": "Alice Adams"}


@pytest.mark.parametrize("peer", WITH_USERS, ids=_id)
def test_nobody_is_linked_by_themselves(
    tls_entra: Any, before: Callable[[Peer], Seen], tmp_path: Path, peer: Peer
) -> None:
    """Not by e-mail address and not by username: without the step people are new."""
    old = before(peer)
    database = old.copy(tmp_path / "db.sqlite3")
    with running(f"{peer.name}.after", entra=tls_entra, database=database) as site:
        new = Person(tls_entra, site, "alice").read("/me/")
    taken = {person["pk"] for person in old.me.values()}
    assert new["pk"] not in taken
    assert new["username"] != old.me["alice"]["username"]
    assert set(new["groups"]) == set(peer.groups)


@pytest.mark.parametrize("peer", WITH_USERS, ids=_id)
def test_the_way_back(
    tls_entra: Any, moved: Callable[[Peer], Seen], tmp_path: Path, peer: Peer
) -> None:
    """The old code runs on the database of the new one, and finds its users."""
    new = moved(peer)
    database = new.copy(tmp_path / "db.sqlite3")
    with running(f"{peer.name}.before", entra=tls_entra, database=database) as site:
        assert Person(tls_entra, site, "alice").read("/me/")["pk"] == new.me["alice"]["pk"]


def test_rows_of_people_without_users_are_theirs_after_the_move(
    tls_entra: Any, tmp_path: Path
) -> None:
    """identity has no users: what the project wrote down names people by `sub`."""
    database = tmp_path / "db.sqlite3"
    with running("identity.before", entra=tls_entra, database=database) as site:
        alice = Person(tls_entra, site, "alice")
        alice.read("/notes/add/")
        old, old_graph = alice.read("/me/"), alice.read("/graph/")
        assert set(alice.answered_at) == {IDENTITY.callback}
    assert old == {"name": "Alice Adams", "is_editor": True, "notes": ["written before the move"]}
    with running("identity.after", entra=tls_entra, database=database) as site:
        again = Person(tls_entra, site, "alice", _copy_cookies(alice.browser))
        assert again.is_asked_to_sign_in("/me/")
        assert again.read("/me/") == old
        assert again.read("/graph/") == old_graph
        assert again.answered_at == [IDENTITY.callback]
        assert Person(tls_entra, site, "heidi").read("/me/")["notes"] == []
