"""Finds sentences in Python code that no translator will ever see."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

MARKS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "pgettext"}
# For developers and operators: logs, which are English everywhere, and lines of the admin's log,
# which are kept for readers of every language.
LOGS = {"debug", "info", "warning", "error", "exception", "write_log"}

_MARKUP = re.compile(r"<[^>]*>|\A[^<]*>|<[^>]*\Z|.*=\"")
_SENTENCE = re.compile(r"[A-Za-z][a-z'-]+ [A-Za-z]|\A *[A-Za-z]{2,} | [A-Za-z]{2,} *\Z")


def find_prose(source: str) -> list[str]:
    """Literals that read like a sentence, are not marked and may reach a page."""
    tree = ast.parse(source)
    skipped = {id(child) for node in ast.walk(tree) for child in _list_unread(node)}
    return [
        node.value
        for node in _walk(tree, skipped)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and _SENTENCE.search(_MARKUP.sub("", node.value))
    ]


def _walk(node: ast.AST, skipped: set[int]) -> Iterator[ast.AST]:
    if id(node) not in skipped:
        yield node
        for child in ast.iter_child_nodes(node):
            yield from _walk(child, skipped)


def _list_unread(node: ast.AST) -> list[ast.AST]:
    """The parts that no page shows."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return [node.value]  # a docstring
    if isinstance(node, ast.Raise):
        return [node.exc] if node.exc else []
    if isinstance(node, ast.Call) and _name(node.func) in MARKS | LOGS:
        return [*node.args, *node.keywords]
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        return [node.value] if _name(node.targets[0].value) == "response" else []  # a header
    return [node.value] if isinstance(node, ast.keyword) and node.arg == "log" else []


def _name(node: ast.expr) -> str:
    return getattr(node, "attr", "") or getattr(node, "id", "")
