"""Which requests are the same to the throttle, in whatever form they are sent."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from django_entra_auth.oauth2 import ThrottledHttpClient
from django_entra_auth.oauth2.http import HttpResponse
from django_entra_auth.oauth2.throttle_rules import clean_text, make_keys, read_form

URL = "https://login.example/token"
CODE = {"grant_type": "authorization_code", "client_id": "c", "scope": "a b", "code": "the-code"}

encodings = pytest.mark.parametrize(
    "encode",
    [
        dict,
        urlencode,
        lambda form: urlencode(form).encode(),
        lambda form: list(form.items()),
    ],
    ids=["mapping", "text", "bytes", "pairs"],
)


@encodings
def test_a_form_is_the_same_however_it_is_written(encode):
    assert read_form(encode(CODE)) == CODE
    assert make_keys(URL, None, read_form(encode(CODE))) == make_keys(URL, None, CODE)


@pytest.mark.parametrize("data", [None, "", b"", (), iter([b"once"])])
def test_anything_else_is_a_form_too(data):
    assert make_keys(URL, None, read_form(data))
    if data not in (None, "", b"", ()):
        assert list(data) == [b"once"]


@encodings
def test_a_secret_that_comes_back_is_not_kept(encode):
    assert clean_text("no: the-code", read_form(encode(CODE))) == ""


class Refusing:
    """Counts, and refuses everything."""

    def __init__(self):
        self.count = 0

    def post(self, url, **kwargs):
        self.count += 1
        return HttpResponse(400, '{"error": "invalid_grant"}')


@encodings
def test_a_refused_code_is_never_answered_from_the_cache(encode):
    client = Refusing()
    throttled = ThrottledHttpClient(client)
    for _ in range(2):
        assert not throttled.post(URL, data=encode(CODE)).throttled
    assert client.count == 2
