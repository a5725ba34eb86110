"""docs/reference/storage.md has every kind of cache entry, session key, cookie and table."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps

import django_entra_auth
from django_entra_auth import session_entry, views
from django_entra_auth.cache import entries, single_flight
from django_entra_auth.interaction import answer, browser, limits, loop_guard, resume, revalidation
from tests.docs.tables import code, read, rows

PAGE = read("storage")
PACKAGE = Path(django_entra_auth.__file__).parent
SOURCES = [p for p in PACKAGE.rglob("*.py") if "emulator" not in p.parts]


def parse_all() -> Iterator[ast.AST]:
    for path in SOURCES:
        yield from ast.walk(ast.parse(path.read_text()))


def find_kinds() -> set[str]:
    """The first argument of every call of `build_key`, which has to be a constant."""
    calls = (
        node
        for node in parse_all()
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "build_key"
    )
    return {ast.literal_eval(call.args[0]) for call in calls}


def find_constants(ending: str) -> set[str]:
    """The texts of all module constants whose name ends so."""
    assigned = (node for node in parse_all() if isinstance(node, ast.Assign))
    return {
        node.value.value
        for node in assigned
        if isinstance(node.targets[0], ast.Name)
        and node.targets[0].id.endswith(ending)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


def column(first: str) -> list[str]:
    return [code(row[0])[0] for row in rows(PAGE, first)]


def test_every_kind_of_cache_entry_is_on_the_page() -> None:
    assert sorted(column("kind")) == sorted(find_kinds())
    assert f"`{entries.KEY_PREFIX}:<kind>:<SHA-256>`" in PAGE


def test_every_session_key_is_on_the_page() -> None:
    found = {name for name in find_constants("_KEY") if name.startswith("_entra")}
    assert set(column("key")) == found
    assert f"at most {session_entry.SESSION_MAX_BYTES:,} bytes" in PAGE


def test_every_cookie_is_on_the_page() -> None:
    assert set(column("cookie")) == find_constants("_COOKIE")


def test_every_table_is_on_the_page() -> None:
    models = apps.get_app_config("django_entra_auth").get_models()
    assert sorted(column("table")) == sorted(model.__name__ for model in models)


def test_times_of_the_page_are_those_of_the_code() -> None:
    lives = {code(row[0])[0]: row[2] for kind in ("kind", "cookie") for row in rows(PAGE, kind)}
    assert lives["lock"] == f"{single_flight.LOCK_SECONDS} seconds"
    assert lives["outcome"] == f"{single_flight.OUTCOME_SECONDS} seconds"
    assert lives["handle"] == f"{answer.KEPT_SECONDS // 60} minutes"
    assert lives["failures"] == f"{limits.WINDOW_SECONDS // 60} minutes"
    assert lives["checked"] == "a minute"
    assert revalidation.PAUSE_SECONDS == 60
    assert lives[browser.MARKER_COOKIE] == f"{browser.MARKER_SECONDS} seconds"
    assert lives[browser.SIGN_OUT_COOKIE] == f"{browser.SIGN_OUT_SECONDS} seconds"
    assert lives[views.HOP_COOKIE] == f"{views.HOP_SECONDS} seconds"
    minutes = loop_guard.MARK_SECONDS // 60
    assert f"at most {loop_guard.MARKS}, for {minutes} minutes" in PAGE
    assert f"may open; at most {resume.MAX_FORMS} |" in PAGE
