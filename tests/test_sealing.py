"""Seals: what was cut, altered, moved or made elsewhere does not open."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import pytest
from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from django_entra_auth.conf import get_settings
from django_entra_auth.sealing import (
    SEAL_OVERHEAD,
    KeyRing,
    SealError,
    decode_text,
    encode_text,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@dataclass(frozen=True)
class Keys:
    """Where the keys of a test come from."""

    sealing_keys: tuple[bytes, ...] = (b"first secret",)
    client_id: str = "client"
    authority: str = "https://login.microsoftonline.com/contoso"


HOME = Keys()
RING = KeyRing(HOME, "entry")
VALUE = {"access_token": "secret words", "n": 1}


def seal(name: str = "key") -> bytes:
    return RING.seal_json(VALUE, name=name)


def refuses(ring: KeyRing, sealed: bytes, name: str = "key") -> bool:
    try:
        ring.open_json(sealed, name=name)
    except SealError:
        return True
    return False


@given(JSON, st.text(max_size=30))
def test_what_was_sealed_opens(value: object, name: str) -> None:
    assert RING.open_json(RING.seal_json(value, name=name), name=name) == value


def test_a_seal_shows_nothing_and_is_never_the_same_twice() -> None:
    first, second = seal(), seal()
    assert b"secret words" not in first
    assert first != second
    assert len(first) == SEAL_OVERHEAD + len(b'{"access_token":"secret words","n":1}')


def test_altered_at_any_byte_it_does_not_open() -> None:
    sealed = seal()
    for place in range(len(sealed)):
        for bit in (0x01, 0x80):
            altered = bytearray(sealed)
            altered[place] ^= bit
            assert refuses(RING, bytes(altered)), place


def test_cut_or_lengthened_it_does_not_open() -> None:
    sealed = seal()
    for size in range(len(sealed)):
        assert refuses(RING, sealed[:size]), size
        assert refuses(RING, sealed[size + 1 :]), size
    assert refuses(RING, sealed + b"\0")


@given(st.binary(max_size=200))
def test_noise_does_not_open(noise: bytes) -> None:
    assert refuses(RING, noise)
    assert refuses(RING, RING.current().key_id + noise)


@pytest.mark.parametrize("name", ["", "kez", "key2", "key\0"])
def test_moved_to_another_name_it_does_not_open(name: str) -> None:
    assert refuses(RING, seal(), name=name)


@pytest.mark.parametrize(
    "ring",
    [
        KeyRing(HOME, "state"),
        KeyRing(replace(HOME, client_id="other"), "entry"),
        KeyRing(replace(HOME, authority="https://login.microsoftonline.com/fabrikam"), "entry"),
        KeyRing(replace(HOME, sealing_keys=(b"unknown",)), "entry"),
    ],
    ids=["purpose", "client", "authority", "secret"],
)
def test_moved_to_another_use_it_does_not_open(ring: KeyRing) -> None:
    sealed = seal()
    assert refuses(ring, sealed)
    renamed = ring.current().key_id + sealed[4:]
    assert refuses(ring, renamed)


def test_purpose_is_authenticated_apart_from_the_key() -> None:
    key = RING.current()
    with pytest.raises(SealError):
        replace(key, purpose=b"state").open(key.seal(b"text"))


def test_a_period_has_keys_of_its_own() -> None:
    sealed = RING.current(7).seal(b"text")
    assert RING.find(sealed, periods=range(9, 5, -1)).open(sealed) == b"text"
    with pytest.raises(SealError):
        RING.find(sealed, periods=(6, 8))
    with pytest.raises(SealError):
        RING.find(sealed)
    assert RING.current(7).mac("label", b"x") != RING.current(8).mac("label", b"x")


def test_a_rotated_key_still_opens_and_no_longer_seals() -> None:
    sealed = seal()
    rotated = KeyRing(replace(HOME, sealing_keys=(b"second secret", b"first secret")), "entry")
    assert rotated.open_json(sealed, name="key") == VALUE
    assert refuses(RING, rotated.seal_json(VALUE, name="key"))


def test_secret_key_fallbacks_open_and_an_unknown_secret_key_does_not() -> None:
    with override_settings(SECRET_KEY="old" * 20):
        sealed = KeyRing(get_settings(), "entry").seal_json(VALUE, name="key")
    with override_settings(SECRET_KEY="new" * 20, SECRET_KEY_FALLBACKS=["mid" * 20, "old" * 20]):
        assert KeyRing(get_settings(), "entry").open_json(sealed, name="key") == VALUE
    with override_settings(SECRET_KEY="new" * 20):
        assert refuses(KeyRing(get_settings(), "entry"), sealed)


def test_mac_keeps_labels_and_parts_apart() -> None:
    key = RING.current()
    macs = [
        key.mac("a", b"bc"),
        key.mac("ab", b"c"),
        key.mac("a", b"b", b"c"),
        key.mac("a", b"", b"bc"),
        key.mac("a"),
    ]
    assert len(set(macs)) == len(macs)
    assert key.mac("a", b"bc") == macs[0]
    assert len(macs[0]) == 32


def test_no_key_shows_in_a_repr() -> None:
    key = RING.current()
    assert key.mac_key.hex() not in repr(key)
    assert repr(key.mac_key) not in repr(key)


@given(st.binary(max_size=100))
def test_text_is_base64url_without_padding(data: bytes) -> None:
    text = encode_text(data)
    assert re.fullmatch(r"[A-Za-z0-9_-]*", text)
    assert decode_text(text) == data


@settings(max_examples=1000)
@given(st.text(alphabet="AQgwZz019-_=+/ \n\u00e9", max_size=12) | st.text(max_size=12))
def test_only_the_canonical_spelling_is_decoded(text: str) -> None:
    try:
        data = decode_text(text)
    except SealError:
        return
    assert encode_text(data) == text


@pytest.mark.parametrize(
    "text",
    ["AA==", "AB", "A", "AA=", "A A", "AA\n", "++++", "//8", "\u0660\u0660", "AA\0", "AAAA===="],
)
def test_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(SealError):
        decode_text(text)
