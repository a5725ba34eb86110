"""Finds every code block of the documentation, with the file and the line it begins on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
# A python block may hold several files, each after a comment that names it.
FILE_COMMENT = re.compile(r"^# ([\w/]+\.py)\b.*$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A code block; `info` is what stands after the fence, empty for an indented block."""

    path: str
    line: int
    info: str
    text: str

    @property
    def language(self) -> str:
        """The first word of `info`; indented blocks hold commands."""
        return self.info.split()[0] if self.info.split() else "console"

    @property
    def is_run(self) -> bool:
        """Whether the page promises that the commands work as they stand."""
        return "run" in self.info.split()[1:]

    @property
    def where(self) -> str:
        """For messages and test ids."""
        return f"{self.path}:{self.line}"

    def fail(self, reason: str) -> str:
        """What a failing test says."""
        return f"{self.where}: {reason}\n{self.text}"


def read_pages() -> dict[str, str]:
    """README.md and every Markdown file below docs/, by path."""
    pages = sorted(p for p in (ROOT / "docs").rglob("*.md") if "_build" not in p.parts)
    return {p.relative_to(ROOT).as_posix(): p.read_text() for p in (ROOT / "README.md", *pages)}


def find_blocks(pages: dict[str, str]) -> list[Block]:
    """All code blocks of all pages; directives of MyST have a language in braces."""
    return [block for path, text in pages.items() for block in _parse(path, text)]


def _parse(path: str, text: str) -> Iterator[Block]:
    for token in MarkdownIt("commonmark").parse(text):
        if token.type in {"fence", "code_block"} and token.map:
            info = token.info.strip() or ("(none)" if token.type == "fence" else "")
            yield Block(path, token.map[0] + 1, info, token.content)


def split_files(text: str) -> list[tuple[str, str]]:
    """The files a python block holds as (path, text); the path is empty where none is given."""
    starts = list(FILE_COMMENT.finditer(text))
    if not starts or text[: starts[0].start()].strip():
        return [("", text)]
    ends = [match.start() for match in starts[1:]] + [len(text)]
    return [
        (match[1], "\n" * text.count("\n", 0, match.start()) + text[match.start() : end])
        for match, end in zip(starts, ends, strict=True)
    ]
