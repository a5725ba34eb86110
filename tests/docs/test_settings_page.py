"""docs/reference/settings.md has every key, with its type, its default and its unit."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import MISSING
from typing import Any

import pytest

from django_entra_auth.conf import SETTING_FIELDS
from tests.docs.tables import code, read, rows

# The words of the page for the annotations of the code.
TYPES = {
    "Any": "see below",
    "str": "text",
    "bool": "flag",
    "int": "whole number",
    "float": "number",
    "tuple[str, ...]": "list of texts",
    "tuple[float, float]": "pair of numbers",
    "Mapping[str, str]": "mapping",
    "Mapping[str, str | Sequence[str]]": "mapping",
}
UNITS = {"_SECONDS": "seconds", "_BYTES": "bytes", "_DAYS": "days", "_TIMEOUT": "seconds"}
ROWS = {code(row[0])[0]: row[1:] for row in rows(read("settings"), "key")}


def test_the_page_has_every_key_once() -> None:
    assert sorted(ROWS) == sorted(SETTING_FIELDS)
    assert len(rows(read("settings"), "key")) == len(ROWS)


@pytest.mark.parametrize("key", SETTING_FIELDS)
def test_the_page_says_type_and_default(key: str) -> None:
    field = SETTING_FIELDS[key]
    kind, default, meaning = ROWS[key]
    annotation, _, optional = str(field.type).partition(" | None")
    maybe = " or None" if str(field.type).endswith("| None") else ""
    assert not optional
    assert kind == TYPES[annotation] + maybe
    assert default == "required" or ast.literal_eval(code(default)[0]) == read_default(field)
    assert (default == "required") == (read_default(field) is MISSING)
    assert len(meaning) > 10
    for ending, unit in UNITS.items():
        assert not key.endswith(ending) or unit in meaning


def read_default(field: Any) -> Any:
    default = field.default if field.default is not MISSING else field.default_factory
    value = default() if callable(default) else default
    if isinstance(value, Mapping):
        return dict(value)
    # The dict of the settings has lists where the object has tuples; a pair stays one.
    is_list = isinstance(value, tuple) and str(field.type) == "tuple[str, ...]"
    return list(value) if is_list else value
