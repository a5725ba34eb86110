"""Authenticated encryption of what leaves this process: AES-256-GCM under keys made by HKDF.

Every purpose has keys of its own, bound to the client id and the authority, so that what was
sealed for one use, client or tenant opens in no other. A seal is
``key id (4) | nonce (12) | ciphertext and tag``; the purpose is authenticated with it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_ID_BYTES = 4
NONCE_BYTES = 12
SEAL_OVERHEAD = KEY_ID_BYTES + NONCE_BYTES + 16


class SealError(ValueError):
    """A seal was cut, altered, moved, or made with a key that is not ours."""


class KeySource(Protocol):
    """Where keys come from; the settings object is one."""

    @property
    def sealing_keys(self) -> tuple[bytes, ...]:
        """Key material, newest first."""

    @property
    def client_id(self) -> str:
        """The client the keys are bound to."""

    @property
    def authority(self) -> str:
        """The authority the keys are bound to."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class SealingKey:
    """One derived key; `key_id` names it inside a seal."""

    key_id: bytes
    purpose: bytes
    cipher: AESGCM
    mac_key: bytes

    def seal(self, plaintext: bytes, *, name: str = "") -> bytes:
        """Encrypt under `name`; only the same name opens it."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self.cipher.encrypt(nonce, plaintext, self._associated(name))
        return self.key_id + nonce + sealed

    def open(self, sealed: bytes, *, name: str = "") -> bytes:
        """Decrypt; raises SealError."""
        nonce = sealed[KEY_ID_BYTES : KEY_ID_BYTES + NONCE_BYTES]
        body = sealed[KEY_ID_BYTES + NONCE_BYTES :]
        try:
            return self.cipher.decrypt(nonce, body, self._associated(name))
        except (InvalidTag, ValueError):
            raise SealError("The seal does not open.") from None

    def mac(self, label: str, *parts: bytes) -> bytes:
        """HMAC-SHA-256 of length-prefixed parts; labels keep uses apart."""
        message = b"".join(len(part).to_bytes(4, "big") + part for part in (label.encode(), *parts))
        return hmac.digest(self.mac_key, message, hashlib.sha256)

    def _associated(self, name: str) -> bytes:
        return self.purpose + b"\0" + name.encode()


class KeyRing:
    """The keys of one purpose: the newest seals, all open.

    `period` (a number, e.g. the UTC day) makes keys that are used for that period alone.
    """

    def __init__(self, source: KeySource, purpose: str) -> None:
        """Take key material, client id and authority from `source`; nothing is derived yet."""
        self._secrets = source.sealing_keys
        self._purpose = purpose
        self._context = f"{source.client_id}\0{source.authority}"

    def current(self, period: int = 0) -> SealingKey:
        """The key to seal with."""
        return self._key(self._secrets[0], period)

    def find(self, sealed: bytes, *, periods: Iterable[int] = (0,)) -> SealingKey:
        """The key that made a seal; raises SealError when it is none of ours."""
        if len(sealed) >= SEAL_OVERHEAD:
            for period in periods:
                for secret in self._secrets:
                    key = self._key(secret, period)
                    if hmac.compare_digest(key.key_id, sealed[:KEY_ID_BYTES]):
                        return key
        raise SealError("The seal names no key of ours.")

    def seal_json(self, value: Any, *, name: str = "") -> bytes:
        """Seal a JSON value."""
        return self.current().seal(json.dumps(value, separators=(",", ":")).encode(), name=name)

    def open_json(self, sealed: bytes, *, name: str = "") -> Any:
        """Open a JSON value; raises SealError."""
        # Nearly every seal is of the newest key; key ids are no secret.
        newest = self._newest
        key = newest if sealed.startswith(newest.key_id) else self.find(sealed)
        return json.loads(key.open(sealed, name=name).decode())

    @cached_property
    def _newest(self) -> SealingKey:
        return self.current()

    def _key(self, secret: bytes, period: int) -> SealingKey:
        return _derive(secret, self._purpose, self._context, period)


@lru_cache(maxsize=256)
def _derive(secret: bytes, purpose: str, context: str, period: int) -> SealingKey:
    info = f"django_entra_auth\0{purpose}\0{context}\0{period}".encode()
    material = HKDF(SHA256(), length=32 + 32 + KEY_ID_BYTES, salt=None, info=info).derive(secret)
    return SealingKey(
        key_id=material[64:],
        purpose=purpose.encode(),
        cipher=AESGCM(material[:32]),
        mac_key=material[32:64],
    )


def encode_text(data: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode_text(text: str) -> bytes:
    """The reverse; raises SealError for anything that `encode_text` does not write."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise SealError("Not base64url.") from None
    if encode_text(data) != text:
        raise SealError("Not the canonical spelling.")
    return data
