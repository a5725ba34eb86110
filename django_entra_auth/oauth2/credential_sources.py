"""Where credentials come from, and when they are looked for again: values, files, functions."""

from __future__ import annotations

import inspect
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from .credential_forms import (
    Credential,
    CredentialUnavailable,
    build_credential,
    call_safely,
    find_files,
)

logger = logging.getLogger(__name__)

KEEP_SECONDS: Final = 300
"""How long what a function returned is used before the function is called again."""
RETRY_SECONDS: Final = 10
"""How long a function is left alone that failed, or had nothing new for a rejected credential."""
WAIT_SECONDS: Final = 20
"""How long a caller that cannot go on waits for another one's call of the function."""

Credentials = tuple[Credential, ...]


class Source(Protocol):
    """One entry of ``client_credential``."""

    def load(self) -> Credentials:
        """Return what counts now. Raises ``CredentialUnavailable`` when there is nothing."""

    def renew(self, rejected: Credentials) -> Credentials:
        """Return what counts now that Entra has rejected what ``load`` returned; maybe the same."""


class Fixed:
    """A credential that stands in the configuration itself."""

    def __init__(self, value: Any) -> None:
        self._credentials = (build_credential(value),)

    def load(self) -> Credentials:
        """Return the one."""
        return self._credentials

    def renew(self, rejected: Credentials) -> Credentials:
        """Return the same again: it does not change."""
        return self._credentials


class _Kept:
    """The last good credentials, and whether what they come from is out of order since."""

    def __init__(self) -> None:
        self.credentials: Credentials = ()
        self._fault: str | None = None

    def replace(self, credentials: Credentials) -> None:
        """Keep ``credentials``; equal ones stay the same objects, with what they have parsed."""
        self._fault = None
        if credentials != self.credentials:
            self.credentials = credentials

    def note_fault(self, exc: CredentialUnavailable) -> None:
        """Log what is wrong, once until it is right again; without any, every request tells."""
        if self._fault is None and self.credentials:
            logger.warning("The last good credential goes on being used: %s", exc)
        self._fault = str(exc)

    def require(self) -> Credentials:
        """Return them; raises ``CredentialUnavailable`` when there have never been any."""
        if not self.credentials:
            raise CredentialUnavailable(self._fault or "client_credential: there is none yet")
        return self.credentials


class Files:
    """A credential in files, which are read again when they are other files than before.

    They are looked at before each token request, and read whatever they look like after Entra
    has rejected what was in them. While they cannot be used the last good content counts.
    """

    def __init__(self, value: Any) -> None:
        self._value = value
        self._paths = find_files(value)
        self._lock = threading.Lock()
        self._seen: object = None
        self._kept = _Kept()

    def load(self) -> Credentials:
        """Return the credential in the files as they are now."""
        with self._lock:
            if self._seen is None or self._seen != self._look():
                self._read()
            return self._kept.require()

    def renew(self, rejected: Credentials) -> Credentials:
        """Read the files whether or not they look changed, unless another caller has done so."""
        with self._lock:
            if self._kept.credentials == rejected:
                self._read()
            return self._kept.require()

    def _look(self) -> object:
        return tuple(map(_look_at, self._paths))

    def _read(self) -> None:
        seen = self._look()
        try:
            self._kept.replace((build_credential(self._value),))
        except CredentialUnavailable as exc:
            # Not noted as seen: a file may be whole a moment later without looking different.
            self._seen = None
            self._kept.note_fault(exc)
        else:
            self._seen = seen


class Function:
    """A credential, or several, that a function of the project's fetches, from a vault perhaps.

    What it returns is kept for ``KEEP_SECONDS``. It is called sooner when Entra rejects that, and
    by one caller at a time; meanwhile, and while it fails, the last good answer counts.
    ``monotonic`` returns seconds.
    """

    def __init__(
        self, function: Callable[[], Any], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        if inspect.iscoroutinefunction(function):
            raise ValueError("client_credential: the function must not be asynchronous")
        self._function = function
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._kept = _Kept()
        self._due = -1.0
        self._rest = -1.0

    def load(self) -> Credentials:
        """Return what the function returned last, or now if that was too long ago."""
        known = self._kept.credentials
        if not known or self._is_due():
            # Whoever has something to go on with does not wait for a slow vault.
            self._alone(self._call_if_due, wait=0 if known else WAIT_SECONDS)
        return self._kept.require()

    def renew(self, rejected: Credentials) -> Credentials:
        """Call the function now, unless another caller has, or it had nothing new just before."""
        self._alone(lambda: self._call_for_another(rejected), wait=WAIT_SECONDS)
        return self._kept.require()

    def _is_due(self) -> bool:
        return self._monotonic() >= self._due

    def _call_if_due(self) -> None:
        if self._is_due():
            self._call()

    def _call_for_another(self, rejected: Credentials) -> None:
        if self._kept.credentials == rejected and self._monotonic() >= self._rest:
            self._call()
            if self._kept.credentials == rejected:
                self._rest = self._monotonic() + RETRY_SECONDS

    def _alone(self, action: Callable[[], None], *, wait: float) -> None:
        if self._lock.acquire(timeout=wait):
            try:
                action()
            finally:
                self._lock.release()

    def _call(self) -> None:
        try:
            fetched = _read_answer(call_safely("the function", self._function))
        except CredentialUnavailable as exc:
            self._due = self._rest = self._monotonic() + RETRY_SECONDS
            self._kept.note_fault(exc)
        else:
            self._due = self._monotonic() + KEEP_SECONDS
            self._kept.replace(fetched)


def _read_answer(answer: Any) -> Credentials:
    values = list(answer) if isinstance(answer, (list, tuple)) else [answer]
    text = "client_credential: the function returned none"
    try:
        built = tuple(map(build_credential, values))
    except ValueError as exc:
        text = str(exc)
    else:
        if built:
            return built
    raise CredentialUnavailable(text)


def _look_at(path: str) -> object:
    """Return what tells a file from the one that takes its place; links are followed."""
    try:
        found = os.stat(path)  # noqa: PTH116  a path given as text, looked at for each request
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
