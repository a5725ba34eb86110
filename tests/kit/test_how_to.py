"""The how-to shows the very files of the project that is tested."""

from __future__ import annotations

import re

import pytest

from tests.kit.conftest import PROJECT, ROOT

PAGE = ROOT / "docs" / "how-to" / "test-your-project.md"
BLOCK = re.compile(
    r"^```python\n# (?P<path>[\w/]+\.py)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
FENCE = re.compile(r"^```(\w*)", re.MULTILINE)
BLOCKS = BLOCK.findall(PAGE.read_text())


@pytest.mark.parametrize(("path", "text"), BLOCKS, ids=[path for path, _ in BLOCKS])
def test_a_block_is_in_the_project(path: str, text: str) -> None:
    assert text.strip("\n") in (PROJECT / path).read_text()


def test_every_python_block_names_its_file() -> None:
    languages = [language for language in FENCE.findall(PAGE.read_text()) if language]
    assert languages.count("python") == len(BLOCKS) > 3


def test_the_page_shows_every_test_file_of_the_project() -> None:
    shown = {path for path, _ in BLOCKS}
    files = {path.relative_to(PROJECT).as_posix() for path in PROJECT.rglob("*test*.py")}
    assert files <= shown
