"""Lets something happen at a certain step of the cache's work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from django_entra_auth.cache.entries import Entries


def hook(
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    act: Callable[[str], object],
    kind: str,
    *,
    before: bool = False,
) -> None:
    """Let something happen right after (or before) the next `method` on a key of this kind."""
    original = getattr(Entries, method)
    done = []

    def hooked(self: Entries, asked: Any, *args: Any) -> Any:
        key = str(asked)  # one key, or a list of them
        is_meant = f":{kind}:" in key and not done
        if is_meant and before:
            done.append(key)
            act(key)
        result = original(self, asked, *args)
        if is_meant and not before:
            done.append(key)
            act(key)
        return result

    monkeypatch.setattr(Entries, method, hooked)
