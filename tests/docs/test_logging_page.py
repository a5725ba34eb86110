"""docs/reference/logging.md has every logger with the levels it writes at, and its code works."""

from __future__ import annotations

import ast
import logging.config
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import django_entra_auth
from tests.docs.tables import code, read, rows

PAGE = read("logging")
PACKAGE = Path(django_entra_auth.__file__).parent
LEVELS = {"debug": "DEBUG", "info": "INFO", "warning": "WARNING", "error": "ERROR"}
LEVELS["exception"] = "ERROR"


def find_levels() -> dict[str, set[str]]:
    """The levels each module writes at, read from its source."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        levels = set(_read_levels(ast.parse(path.read_text())))
        if levels:
            found[name.removesuffix(".__init__")] = levels
    return found


def _read_levels(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        target = node.func.value
        if isinstance(target, ast.Name) and target.id in {"logger", "log", "_logger"}:
            yield LEVELS[node.func.attr]


def test_every_logger_is_on_the_page_with_its_levels() -> None:
    documented = {code(row[0])[0]: set(row[1].split(", ")) for row in rows(PAGE, "logger")}
    assert documented == find_levels()


def test_whoever_gets_a_logger_uses_it() -> None:
    """So that the reader above misses none."""
    sources = {p: p.read_text() for p in PACKAGE.rglob("*.py")}
    named = {p for p, text in sources.items() if "getLogger(" in text}
    assert len(named) == len(find_levels())
    assert all("getLogger(__name__)" in sources[path] for path in named)


def test_the_configuration_writes_the_ids(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    namespace: dict[str, Any] = {}
    exec(block, namespace)
    logger = logging.getLogger("django_entra_auth")
    before = (logger.handlers[:], logger.level, logger.propagate)
    try:
        logging.config.dictConfig(namespace["LOGGING"])
        child = logger.getChild("somewhere")
        child.warning("one", extra={"correlation_id": "abc", "error_codes": [50076]})
        child.warning("two")
    finally:
        logger.handlers[:], logger.level, logger.propagate = before
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("one correlation_id=abc error_codes=[50076]")
    assert second.endswith("two correlation_id=- error_codes=-")
