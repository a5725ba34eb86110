"""RSA keys for tests: making one takes longer than most tests."""

from __future__ import annotations

import itertools

from cryptography.hazmat.primitives.asymmetric import rsa

COUNT = 8
_keys: list[rsa.RSAPrivateKey] = []
_turns = itertools.count()


def next_key() -> rsa.RSAPrivateKey:
    """Another key than the seven before; they come again after that."""
    turn = next(_turns) % COUNT
    if turn == len(_keys):
        _keys.append(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    return _keys[turn]
