"""The shape of a catalogue entry, and how entries with one remedy are written down together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Category = Literal[
    "interaction",
    "additional_action",
    "consent",
    "password_change",
    "blocked",
    "expired_grant",
    "throttled",
    "transient",
    "configuration",
    "cancelled",
    "invalid_answer",
]
Actor = Literal["person", "administrator", "operator", "nobody"]


@dataclass(frozen=True)
class Entry:
    """One AADSTS number: ``title`` says what happened, ``remedy`` what to do about it."""

    number: int
    category: Category
    actor: Actor
    title: str
    remedy: str


def gettext_noop(text: str) -> str:
    """Mark a text for translators; who shows it to people translates it.

    `makemessages` goes by this name, and by `_`.
    """
    return text


def group(
    category: Category, actor: Actor, remedy: str, titles: Mapping[int, str]
) -> tuple[Entry, ...]:
    """Return entries that share everything but number and title."""
    return tuple(Entry(number, category, actor, titles[number], remedy) for number in titles)
