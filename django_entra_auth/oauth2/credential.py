"""Proves the client's identity to the token endpoint, with one credential or the next."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .credential_forms import Credential, CredentialUnavailable, check_form, find_files
from .credential_sources import Credentials, Files, Fixed, Function, Source

ROLLOVER_NUMBERS: Final = frozenset(
    {50012, 70002, 700024, 700027, 700030, 700213, 1000502}
    | {7000213, 7000214, 7000215, 7000222, 7000274, 7000277}
)
"""AADSTS numbers that mean: this secret, certificate or assertion is not one that counts now."""

OnRejected = Callable[[int, Mapping[str, Any]], None]
"""Told of a credential that was rejected while another one of the list was accepted.

Called with its place in the list, from 1, and the error dictionary; must not raise.
"""


@dataclass(frozen=True)
class Attempt:
    """One credential to try: ``place`` is that of its entry in the list, from 1."""

    place: int
    position: int
    credential: Credential = field(repr=False)


@dataclass(frozen=True)
class _Missing:
    """Stands for the credential of an entry that has none at the moment."""

    text: str

    def authenticate(self, *, client_id: str, token_endpoint: str, now: float) -> dict[str, str]:
        raise CredentialUnavailable(self.text)


class CredentialChain:
    """Credentials in the order to try; remembers which one Entra accepted last."""

    def __init__(
        self, sources: tuple[Source, ...], *, on_rejected: OnRejected | None = None
    ) -> None:
        self.sources = sources
        self._on_rejected = on_rejected
        self._current = (1, 0)

    def __iter__(self) -> Iterator[Credential]:
        """Return the credentials as they are now. Raises ``CredentialUnavailable``."""
        return (credential for source in self.sources for credential in source.load())

    def attempts(self) -> Iterator[Attempt]:
        """Return what to try, the remembered one first; to ask on says that it was rejected.

        An entry whose credentials were all rejected is asked once whether it has others by now.
        """
        first = self._current
        places = range(1, len(self.sources) + 1)
        for place in sorted(places, key=lambda number: number != first[0]):
            position = first[1] if place == first[0] else 0
            source = self.sources[place - 1]
            loaded = _load(source)
            yield from _begin_with(position, place, loaded)
            newer = _renew(source, loaded)
            yield from (one for one in _begin_with(0, place, newer) if one.credential not in loaded)

    def accept(self, attempt: Attempt, rejected: Mapping[int, Mapping[str, Any]]) -> None:
        """Begin with ``attempt`` from now on, and tell of the other entries that were rejected.

        ``rejected`` has their error dictionaries by place.
        """
        self._current = (attempt.place, attempt.position)
        for place, result in rejected.items():
            if place != attempt.place and self._on_rejected is not None:
                self._on_rejected(place, result)


def parse_credentials(
    value: Any,
    *,
    on_rejected: OnRejected | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> CredentialChain:
    """Return the credentials that ``client_credential`` describes.

    * a secret, or ``client_secret_path``
    * ``private_key`` and ``public_certificate`` (PEM), each also as ``…_path``; a file with the
      key may hold the certificate too
    * ``private_key_pfx_path`` (PKCS #12)
    * ``client_assertion`` (text, or a function called for each request) or
      ``client_assertion_path``
    * a function that returns one of these, or a list of them
    * a list of all these

    Keys may have ``passphrase`` or ``passphrase_path``, and ``send_x5c``. Files are not read and
    functions not called yet. ``monotonic`` returns seconds. Raises ``ValueError``, without
    repeating the value.
    """
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    if not values:
        raise ValueError("client_credential is empty")
    sources = tuple(_make_source(item, monotonic) for item in values)
    return CredentialChain(sources, on_rejected=on_rejected)


def _make_source(value: Any, monotonic: Callable[[], float]) -> Source:
    if callable(value):
        return Function(value, monotonic=monotonic)
    check_form(value)
    return Files(value) if find_files(value) else Fixed(value)


def _load(source: Source) -> Credentials:
    try:
        return source.load()
    except CredentialUnavailable as exc:
        return (_Missing(str(exc)),)


def _renew(source: Source, rejected: Credentials) -> Credentials:
    if isinstance(rejected[0], _Missing):
        return ()
    return source.renew(rejected)


def _begin_with(position: int, place: int, credentials: Credentials) -> Iterator[Attempt]:
    numbers = range(len(credentials))
    for number in sorted(numbers, key=lambda number: number != position):
        yield Attempt(place, number, credentials[number])
