"""What is kept of an interrupted form: each field in its order, and what never."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest, QueryDict
from django.test import RequestFactory, override_settings
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from hypothesis import given
from hypothesis import strategies as st

from django_entra_auth.cache.entries import Entries
from django_entra_auth.conf import EntraSettings, get_settings
from django_entra_auth.decorators import entra_login_required
from django_entra_auth.interaction.resume import FORMS_KEY, grant, load_form
from django_entra_auth.interaction.sent_form import URL_ENCODED, KeptForm, NotKept
from tests.interaction.kept_forms import (
    DOWN,
    PAIRS,
    TOKEN,
    check_csrf,
    keep,
    keep_and_open,
    open_with,
    send,
    send_multipart,
    view,
)


@pytest.fixture(name="conf")
def _conf() -> EntraSettings:
    return get_settings()


def test_a_form_comes_back_as_it_was_sent() -> None:
    form = keep_and_open(send())
    assert form == KeptForm(path="/money/?from=1", fields=tuple(PAIRS), left_out=())


def test_a_multipart_form_without_files_is_kept() -> None:
    request = send_multipart({"b": ["1", "3"], "a": "日本\r\n", "empty": ""})
    form = keep_and_open(request)
    assert form.fields == (("b", "1"), ("b", "3"), ("a", "日本\r\n"), ("empty", ""))


def test_a_file_field_left_empty_is_no_file() -> None:
    boundary = "xyz"
    parts = [
        f'name="csrfmiddlewaretoken"\r\n\r\n{TOKEN}',
        'name="note"\r\n\r\nhello',
        'name="file"; filename=""\r\nContent-Type: application/octet-stream\r\n\r\n',
    ]
    body = "".join(f"--{boundary}\r\nContent-Disposition: form-data; {part}\r\n" for part in parts)
    request = RequestFactory().generic(
        "POST", "/", f"{body}--{boundary}--\r\n", f"multipart/form-data; boundary={boundary}"
    )
    request.session = SessionStore()
    # Django takes it for an empty text, and so it stays one.
    assert keep_and_open(check_csrf(request)).fields == (("note", "hello"), ("file", ""))


def test_two_hundred_fields_come_back_in_order() -> None:
    pairs = [(f"field-{number % 150}", f"Wert {number} é") for number in range(200)]
    assert keep_and_open(send(pairs)).fields == tuple(pairs)


def test_a_form_that_is_only_a_button_is_kept() -> None:
    assert keep_and_open(send([])).fields == ()


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


@given(st.lists(st.tuples(TEXTS.filter(lambda name: name != "csrfmiddlewaretoken"), TEXTS)))
def test_any_fields_come_back_in_order(pairs: list[tuple[str, str]]) -> None:
    form = keep_and_open(send(pairs))
    password = [name for name, _ in pairs if "password" in name.lower()]
    assert form.fields == tuple(pair for pair in pairs if pair[0] not in password)
    assert dict(form.fields) == {
        name: value for name, value in send(pairs).POST.dict().items()
        if name not in [*password, "csrfmiddlewaretoken"]
    }  # fmt: skip
    cache.clear()


@given(st.binary(max_size=60))
def test_any_body_is_kept_as_django_reads_it_or_not_at_all(body: bytes) -> None:
    request = RequestFactory().post("/", body, content_type=URL_ENCODED)
    request.session = SessionStore()
    request.csrf_processing_done = True  # type: ignore[attr-defined]
    resume_id = keep(request)
    if not isinstance(resume_id, NotKept):
        grant(request.session, resume_id)
        fields = open_with(load_form, request.session, resume_id).fields
        again = QueryDict(urlencode(fields))
        for name in request.POST:
            if "password" not in name.lower() and name != "csrfmiddlewaretoken":
                assert again.getlist(name) == request.POST.getlist(name)
    cache.clear()


def test_what_a_middleware_made_of_the_form_counts() -> None:
    request = send([("a", "1"), ("b", "2")])
    request._post = QueryDict("b=2&a=1&a=3")  # type: ignore[attr-defined]
    assert keep_and_open(request).fields == (("b", "2"), ("a", "1"), ("a", "3"))


def test_a_body_that_is_gone_does_not_matter() -> None:
    request = send([("a", "1"), ("b", "2")])
    assert request.POST
    del request._body
    assert keep_and_open(request).fields == (("a", "1"), ("b", "2"))


def test_the_csrf_token_is_never_kept() -> None:
    request = send([("a", "1"), ("csrfmiddlewaretoken", TOKEN)])
    assert keep_and_open(request).fields == (("a", "1"),)


# Never kept


def never_kept(request: HttpRequest, view_func: Any = view, **changes: Any) -> NotKept:
    before = list(cache._cache)  # type: ignore[attr-defined]
    reason = keep(request, view_func, **changes)
    assert isinstance(reason, NotKept)
    assert FORMS_KEY not in request.session
    assert list(cache._cache) == before  # type: ignore[attr-defined]
    return reason


def test_a_view_that_is_exempt_is_never_kept() -> None:
    exempt = csrf_exempt(view)
    assert never_kept(send(), exempt) is NotKept.CSRF_EXEMPT
    assert never_kept(send(), entra_login_required(csrf_exempt(view))) is NotKept.CSRF_EXEMPT
    assert never_kept(send(), csrf_exempt(csrf_protect(view))) is NotKept.CSRF_EXEMPT


def test_the_view_of_the_urlconf_counts_too() -> None:
    request = send()
    request.resolver_match = type("Match", (), {"func": csrf_exempt(view)})()
    assert never_kept(request) is NotKept.CSRF_EXEMPT


def test_without_a_check_it_is_never_kept() -> None:
    request = RequestFactory().post("/", {"a": "1"})
    request.session = SessionStore()
    assert never_kept(request) is NotKept.CSRF_EXEMPT


@pytest.mark.parametrize("token", ["", "wrong", "x" * 32])
def test_a_token_that_was_refused_is_no_check(token: str) -> None:
    body = urlencode({"csrfmiddlewaretoken": token, "a": "1"})
    request = RequestFactory().post("/", body, content_type=URL_ENCODED)
    request.session = SessionStore()
    assert never_kept(check_csrf(request)) is NotKept.CSRF_EXEMPT


@pytest.mark.parametrize(
    ("method", "content_type"),
    [
        ("POST", "application/json"),
        ("POST", "text/plain"),
        ("POST", "application/octet-stream"),
        ("POST", ""),
        ("PUT", URL_ENCODED),
        ("PATCH", URL_ENCODED),
        ("DELETE", URL_ENCODED),
        ("GET", URL_ENCODED),
        ("post", URL_ENCODED + "x"),
    ],
)
def test_what_is_no_form_is_never_kept(method: str, content_type: str) -> None:
    request = RequestFactory().generic(
        method, "/", b"a=1", content_type=content_type, HTTP_X_CSRFTOKEN=TOKEN
    )
    request.session = SessionStore()
    assert never_kept(check_csrf(request)) is NotKept.NOT_A_FORM


def test_files_are_never_kept() -> None:
    request = send_multipart({"a": "1", "file": SimpleUploadedFile("a.txt", b"hello")})
    assert never_kept(request) is NotKept.FILES


def test_a_form_may_be_as_large_as_the_setting_says(conf: EntraSettings) -> None:
    pairs = (("text", "x" * 1000), ("more", "é"))
    size = len(json.dumps(pairs))
    exact = replace(conf, resume_max_bytes=size)
    assert not isinstance(keep(send(list(pairs)), settings=exact), NotKept)
    cache.clear()
    less = replace(conf, resume_max_bytes=size - 1)
    assert never_kept(send(list(pairs)), settings=less) is NotKept.TOO_LARGE


def test_nothing_is_kept_when_it_is_switched_off(conf: EntraSettings) -> None:
    settings = replace(conf, resume_max_bytes=0)
    assert never_kept(send([]), settings=settings) is NotKept.SWITCHED_OFF


@override_settings(CACHES=DOWN)
def test_a_cache_that_is_down_keeps_nothing() -> None:
    request = send()
    assert keep(request) is NotKept.CACHE_DOWN
    assert FORMS_KEY not in request.session


@pytest.mark.parametrize("missing", ["browser", "user_id"])
def test_nobodys_form_is_never_kept(missing: str) -> None:
    assert never_kept(send(), **{missing: ""}) is NotKept.ANONYMOUS


@pytest.mark.parametrize("path", ["/auth/login/", "/auth/logout/", "//evil.example/"])
def test_a_path_that_may_not_be_gone_to_is_never_kept(path: str) -> None:
    request = send()
    request.path = path
    assert never_kept(request) is NotKept.NOT_A_FORM


def test_an_endless_path_is_never_kept() -> None:
    assert never_kept(send(path="/?q=" + "x" * 500)) is NotKept.TOO_LARGE


@pytest.mark.parametrize("pair", [("a\0", "b"), ("a", "b\0")])
def test_what_html_cannot_carry_is_never_kept(pair: tuple[str, str]) -> None:
    assert never_kept(send([pair])) is NotKept.NOT_A_FORM


def test_a_lone_surrogate_is_never_kept() -> None:
    request = send([("a", "b")])
    request._post = QueryDict("", mutable=True)  # type: ignore[attr-defined]
    request.POST["a"] = "\ud800"  # type: ignore[misc]
    assert never_kept(request) is NotKept.NOT_A_FORM


def unparsed(body: bytes, content_type: str = URL_ENCODED) -> HttpRequest:
    """A request whose form nobody has looked at yet."""
    request = RequestFactory().generic("POST", "/", body, content_type=content_type)
    request.session = SessionStore()
    request.csrf_processing_done = True  # type: ignore[attr-defined]
    return request


@override_settings(DATA_UPLOAD_MAX_NUMBER_FIELDS=2)
def test_too_many_fields_break_nothing() -> None:
    assert never_kept(unparsed(b"a=1&b=2&c=3")) is NotKept.NOT_A_FORM


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=2)
def test_too_much_data_breaks_nothing() -> None:
    assert never_kept(unparsed(b"a=123456")) is NotKept.TOO_LARGE


def test_a_broken_multipart_body_breaks_nothing() -> None:
    assert never_kept(unparsed(b"nonsense", "multipart/form-data")) is NotKept.NOT_A_FORM


def test_a_connection_that_broke_off_breaks_nothing() -> None:
    request = unparsed(b"a=1")

    class Broken(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise OSError("gone")

    request._stream = Broken()  # type: ignore[attr-defined]
    assert never_kept(request) is NotKept.NOT_A_FORM


# Sensitive fields


def test_declared_fields_and_passwords_are_left_out() -> None:
    pairs = [("card", "4111"), ("note", "hi"), ("New-Password", "p"), ("card", "4222")]
    form = keep_and_open(send(pairs), entra_login_required(sensitive_post_parameters("card")(view)))
    assert form.fields == (("note", "hi"),)
    assert form.left_out == ("card", "New-Password")


def test_the_view_of_the_urlconf_may_declare_them_too() -> None:
    request = send([("card", "4111"), ("note", "hi")])
    declared = sensitive_post_parameters("card")(view)
    request.resolver_match = type("Match", (), {"func": declared})()
    assert keep_and_open(request).left_out == ("card",)


def test_all_fields_may_be_left_out() -> None:
    form = keep_and_open(send(PAIRS), sensitive_post_parameters()(view))
    assert (form.fields, form.left_out) == ((), ("b", "a", "empty", "text", "ü"))


def test_a_left_out_value_is_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    stored: list[Any] = []
    monkeypatch.setattr(Entries, "save", lambda self, key, value, timeout: stored.append(value))
    keep(send([("card", "4111222"), ("note", "hi")]), sensitive_post_parameters("card")(view))
    assert "hi" in str(stored)
    assert "4111222" not in str(stored)


def test_a_kept_form_does_not_tell_its_fields() -> None:
    form = keep_and_open(send([("note", "s3cret")]))
    assert "s3cret" not in f"{form} {form!r}"
