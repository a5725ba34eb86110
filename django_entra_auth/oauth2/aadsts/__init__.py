"""The catalogue of AADSTS numbers: help text, and a category where nothing else decides.

Microsoft may change numbers and texts at any time; they are never the first thing to go by.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .applications import APPLICATIONS
from .entry import Actor, Category, Entry
from .people import PEOPLE
from .policies import POLICIES
from .service import SERVICE

__all__ = ["Actor", "Category", "Entry", "all_entries", "find"]


def all_entries() -> tuple[Entry, ...]:
    """Return the whole catalogue as it was written down."""
    return (*PEOPLE, *POLICIES, *APPLICATIONS, *SERVICE)


def find(number: int) -> Entry | None:
    """Return the catalogue's entry for an AADSTS number, ``None`` when it is not listed."""
    return _BY_NUMBER.get(number)


def _index(entries: Iterable[Entry]) -> Mapping[int, Entry]:
    by_number: dict[int, Entry] = {}
    for entry in entries:
        if entry.number in by_number:
            raise ValueError(f"AADSTS{entry.number} is in the catalogue twice")
        by_number[entry.number] = entry
    return by_number


_BY_NUMBER = _index(all_entries())
