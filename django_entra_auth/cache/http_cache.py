"""Throttle state and fetched documents, shared by all workers through the Django cache."""

from __future__ import annotations

import base64
import logging
import pickle
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

from django_entra_auth.cache.entries import Entries, build_key
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import TemporarilyUnavailable

MAPPING_SECONDS = 24 * 3600

logger = logging.getLogger(__name__)


class DjangoHTTPCache(MutableMapping[str, Any]):
    """A dict-like HTTP cache on the cache alias of ENTRA_AUTH; msal's `http_cache=` takes it too.

    `get`, `set` and `add` keep JSON values and expire them natively. As a mapping it keeps any
    picklable value for a day; it cannot be listed, so it is empty to those who look around.
    Everything is sealed. While the cache is down it forgets rather than fails: asking Entra
    once too often is better than not asking at all.
    """

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default`; also when the cache is down."""
        try:
            kept = self._entries.load(build_key("http", key))
        except TemporarilyUnavailable:
            logger.warning("The cache is down: throttle state is not known")
            return default
        return default if kept is None else _unpack(kept)

    def get_many(self, keys: Sequence[str]) -> dict[str, Any]:
        """The values there are, in one round trip; none when the cache is down."""
        names = {build_key("http", key): key for key in keys}
        try:
            kept = self._entries.load_many(list(names))
        except TemporarilyUnavailable:
            logger.warning("The cache is down: throttle state is not known")
            return {}
        return {key: _unpack(kept[name]) for name, key in names.items() if name in kept}

    def set(self, key: str, value: Any, timeout: float) -> None:
        """Keep a JSON value for `timeout` seconds."""
        self._save(key, ["json", value], timeout)

    def add(self, key: str, value: Any, timeout: float) -> bool:
        """Keep a JSON value unless there is one; True when kept, or when the cache is down."""
        try:
            return self._entries.add(build_key("http", key), ["json", value], timeout)
        except TemporarilyUnavailable:
            return True

    def delete(self, key: str) -> None:
        """Forget a value; while the cache is down it ends by itself."""
        try:
            self._entries.delete(build_key("http", key))
        except TemporarilyUnavailable:
            logger.warning("The cache is down: throttle state is not forgotten")

    def __getitem__(self, key: str) -> Any:
        missing = object()
        value = self.get(key, missing)
        if value is missing:
            raise KeyError(key)
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        packed = base64.b64encode(pickle.dumps(value)).decode()
        self._save(key, ["pickle", packed], MAPPING_SECONDS)

    def __delitem__(self, key: str) -> None:
        self.delete(key)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    @property
    def _entries(self) -> Entries:
        return Entries(get_settings())

    def _save(self, key: str, value: list[Any], timeout: float) -> None:
        try:
            self._entries.save(build_key("http", key), value, timeout)
        except TemporarilyUnavailable:
            logger.warning("The cache is down: throttle state is not kept")


def _unpack(kept: Any) -> Any:
    form, value = kept
    # Only what was sealed with our own key gets here.
    return value if form == "json" else pickle.loads(base64.b64decode(value))  # noqa: S301
