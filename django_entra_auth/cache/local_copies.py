"""What this process has read from the shared cache a moment ago."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from django.core.signals import setting_changed
from django.dispatch import receiver

from django_entra_auth.oauth2.token_cache import CachedToken

LOCAL_COPIES = 10_000
# With other settings another cache, or other keys, would have given another answer.
RESETTING = frozenset({"CACHES", "ENTRA_AUTH", "SECRET_KEY", "SECRET_KEY_FALLBACKS"})

Tokens = tuple[CachedToken, ...]
CopyKey = tuple[str, str]  # the sign-in's hash, the entry's key


class LocalCopies:
    """What this process read a moment ago; bounded, the least recently used goes first."""

    def __init__(
        self, *, maximum: int = LOCAL_COPIES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._maximum = maximum
        self._clock = clock
        self._lock = threading.Lock()
        self._copies: OrderedDict[CopyKey, tuple[float, Tokens]] = OrderedDict()
        self._drops = 0

    def get(self, key: CopyKey, seconds: float) -> Tokens | None:
        """A copy that is at most `seconds` old."""
        with self._lock:
            kept = self._copies.get(key)
            if kept is None or self._clock() - kept[0] >= seconds:
                return None
            self._copies.move_to_end(key)
            return kept[1]

    def get_last(self, key: CopyKey) -> Tokens | None:
        """A copy of any age, which counts as fresh again: who needs it cannot ask the cache."""
        with self._lock:
            kept = self._copies.get(key)
            if kept is None:
                return None
            self._copies[key] = (self._clock(), kept[1])
            return kept[1]

    @property
    def drops(self) -> int:
        """How often something was dropped; note it before reading what is to be put."""
        return self._drops

    def put(self, key: CopyKey, tokens: Tokens, *, drops: int) -> None:
        """Keep a copy of what was read, unless a writer has dropped something since."""
        with self._lock:
            if drops != self._drops:
                return
            self._copies[key] = (self._clock(), tokens)
            self._copies.move_to_end(key)
            if len(self._copies) > self._maximum:
                self._copies.popitem(last=False)

    def drop(self, key: CopyKey) -> None:
        """Forget a copy."""
        with self._lock:
            self._copies.pop(key, None)
            self._drops += 1

    def drop_sign_in(self, id_hash: str) -> None:
        """Forget all copies of one sign-in."""
        with self._lock:
            for key in [key for key in self._copies if key[0] == id_hash]:
                del self._copies[key]
            self._drops += 1

    def clear(self) -> None:
        """Forget all copies."""
        with self._lock:
            self._copies.clear()
            self._drops += 1


local_copies: LocalCopies = LocalCopies()


@receiver(setting_changed, dispatch_uid="django_entra_auth.clear_local_copies")
def clear_local_copies(*, setting: str, **kwargs: Any) -> None:
    """Forget what was read under other settings (tests)."""
    if setting in RESETTING:
        local_copies.clear()
