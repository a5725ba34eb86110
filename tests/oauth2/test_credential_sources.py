"""Credentials from files and functions: when they are read again, and what counts meanwhile."""

from __future__ import annotations

import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from django_entra_auth.oauth2.credential import parse_credentials
from django_entra_auth.oauth2.credential_forms import (
    MAX_FILE,
    ClientAssertion,
    ClientSecret,
    CredentialUnavailable,
)
from django_entra_auth.oauth2.credential_sources import (
    KEEP_SECONDS,
    RETRY_SECONDS,
    Files,
    Function,
)


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("one\n")
    return path


def secrets(source: Any) -> list[str]:
    return [credential.secret for credential in source.load()]


class Clock:
    def __init__(self) -> None:
        self.now = 5.0

    def __call__(self) -> float:
        return self.now


class Vault:
    """A function of a project's, counted; `answer` may be an exception."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.calls = 0

    def __call__(self) -> Any:
        self.calls += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class TestFiles:
    def test_the_line_break_at_the_end_is_no_part_of_the_secret(self, secret_file: Path) -> None:
        assert secrets(Files({"client_secret_path": secret_file})) == ["one"]
        secret_file.write_bytes(b"\xef\xbb\xbftwo\r\n")
        assert secrets(Files({"client_secret_path": str(secret_file)})) == ["two"]

    def test_a_replaced_file_is_read(self, secret_file: Path) -> None:
        source = Files({"client_secret_path": secret_file})
        assert secrets(source) == ["one"]
        newer = secret_file.with_name("newer")
        newer.write_text("two")
        newer.replace(secret_file)
        assert secrets(source) == ["two"]

    def test_an_unchanged_file_is_not_read(self, secret_file: Path) -> None:
        source = Files({"client_secret_path": secret_file})
        first = source.load()
        with RewrittenUnseen(secret_file, "two"):
            assert source.load() is first

    def test_a_directory_link_that_is_moved_is_followed(self, tmp_path: Path) -> None:
        """As Kubernetes replaces mounted secrets."""
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "secret").write_text(name)
        link = tmp_path / "..data"
        link.symlink_to("first")
        (tmp_path / "secret").symlink_to("..data/secret")
        source = Files({"client_secret_path": tmp_path / "secret"})
        assert secrets(source) == ["first"]
        other = tmp_path / "..tmp"
        other.symlink_to("second")
        other.replace(link)
        assert secrets(source) == ["second"]

    def test_a_rejected_one_is_read_though_the_file_looks_the_same(self, secret_file: Path) -> None:
        source = Files({"client_secret_path": secret_file})
        first = source.load()
        with RewrittenUnseen(secret_file, "two"):
            assert source.renew(first) == (ClientSecret("two"),)
            assert source.renew(first) == (ClientSecret("two"),), "news to this caller too"

    def test_the_same_again_stays_the_same_object(self, secret_file: Path) -> None:
        source = Files({"client_secret_path": secret_file})
        first = source.load()
        os.utime(secret_file, (1, 1))
        assert source.load() is first
        assert source.renew(first) is first

    @pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe", b"x" * (MAX_FILE + 1)])
    def test_a_bad_file_leaves_the_last_good_one_and_is_logged_once(
        self, secret_file: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
    ) -> None:
        source = Files({"client_secret_path": secret_file})
        source.load()
        secret_file.unlink()
        if content is not None:
            secret_file.write_bytes(content)
        for _ in range(3):
            assert secrets(source) == ["one"]
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert record.message.startswith("The last good credential goes on being used")
        assert "the file of client_secret_path cannot be read" in record.message
        assert str(secret_file) not in record.message
        secret_file.write_text("two")
        assert secrets(source) == ["two"]
        secret_file.unlink()
        source.load()
        assert len(caplog.records) == 2, "told again after it was right in between"

    def test_a_missing_file_is_waited_for(self, tmp_path: Path) -> None:
        source = Files({"client_secret_path": tmp_path / "later"})
        with pytest.raises(CredentialUnavailable, match="client_secret_path"):
            source.load()
        (tmp_path / "later").write_text("one")
        assert secrets(source) == ["one"]

    def test_many_threads_read_one_change(self, secret_file: Path) -> None:
        source = Files({"client_secret_path": secret_file})
        source.load()
        secret_file.write_text("another")
        with ThreadPoolExecutor(20) as pool:
            found = {id(future.result()) for future in [pool.submit(source.load)] * 200}
        assert len(found) == 1


class RewrittenUnseen:
    """A file with other content of the same size, whose look is the same: as on coarse clocks."""

    def __init__(self, path: Path, text: str) -> None:
        self.path, self.text = path, text

    def __enter__(self) -> None:
        from django_entra_auth.oauth2 import credential_sources

        seen = credential_sources._look_at(str(self.path))
        self.path.write_text(f"{self.text}\n")
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(credential_sources, "_look_at", lambda path: seen)

    def __exit__(self, *exc: object) -> None:
        self._patch.undo()


class TestFunction:
    def make(self, answer: Any) -> tuple[Function, Vault, Clock]:
        vault, clock = Vault(answer), Clock()
        return Function(vault, monotonic=clock), vault, clock

    def test_the_answer_is_kept_for_the_documented_time(self) -> None:
        source, vault, clock = self.make("one")
        assert secrets(source) == secrets(source) == ["one"]
        vault.answer = "two"
        clock.now += KEEP_SECONDS - 1
        assert secrets(source) == ["one"]
        assert vault.calls == 1
        clock.now += 1
        assert secrets(source) == ["two"]
        assert vault.calls == 2

    def test_it_is_called_when_its_answer_was_rejected(self) -> None:
        source, vault, _ = self.make("one")
        first = source.load()
        vault.answer = "two"
        assert source.renew(first) == (ClientSecret("two"),)
        assert source.renew(first) == (ClientSecret("two"),)
        assert vault.calls == 2

    def test_without_news_it_is_left_alone_for_a_while(self) -> None:
        source, vault, clock = self.make("one")
        first = source.load()
        for _ in range(5):
            assert source.renew(first) is first
        assert vault.calls == 2
        vault.answer = "two"
        clock.now += RETRY_SECONDS
        assert source.renew(first) == (ClientSecret("two"),)

    def test_a_failure_leaves_the_last_good_one(self, caplog: pytest.LogCaptureFixture) -> None:
        source, vault, clock = self.make("one")
        source.load()
        vault.answer = RuntimeError("the password is hunter2")
        clock.now += KEEP_SECONDS
        for _ in range(3):
            assert secrets(source) == ["one"]
        assert vault.calls == 2, "a failing vault is not asked for each request"
        clock.now += RETRY_SECONDS
        assert secrets(source) == ["one"]
        assert vault.calls == 3
        (record,) = caplog.records
        assert "raised RuntimeError" in record.message
        assert "hunter2" not in caplog.text

    @pytest.mark.parametrize("answer", [None, "", 7, b"x", [], {}, [None], {"hunter2": 1}, len])
    def test_what_is_no_credential_is_unavailable(self, answer: Any) -> None:
        source, _, _ = self.make(answer)
        for _ in range(2):
            with pytest.raises(CredentialUnavailable, match="client_credential") as caught:
                source.load()
            assert "hunter2" not in str(caught.value)

    def test_a_list_is_several_in_order(self) -> None:
        source, _, clock = self.make(["one", {"client_assertion": "a.b.c"}])
        assert source.load() == (ClientSecret("one"), ClientAssertion("a.b.c"))
        first = source.load()
        clock.now += KEEP_SECONDS
        assert source.load() is first

    def test_it_may_name_files(self, secret_file: Path) -> None:
        source, _, _ = self.make({"client_secret_path": str(secret_file)})
        assert secrets(source) == ["one"]

    def test_asynchronous_functions_are_refused(self) -> None:
        async def fetch() -> str:
            return "one"

        with pytest.raises(ValueError, match="asynchronous"):
            parse_credentials(fetch)

    def test_one_calls_and_the_others_go_on(self) -> None:
        began, go_on = threading.Event(), threading.Event()
        clock, calls = Clock(), []

        def fetch() -> str:
            calls.append(1)
            if len(calls) > 1:
                began.set()
                assert go_on.wait(10)
            return str(len(calls))

        source = Function(fetch, monotonic=clock)
        source.load()
        clock.now += KEEP_SECONDS
        with ThreadPoolExecutor(2) as pool:
            slow = pool.submit(secrets, source)
            assert began.wait(10)
            assert pool.submit(secrets, source).result(5) == ["1"]
            go_on.set()
            assert slow.result(10) == ["2"]
        assert len(calls) == 2

    def test_many_rejected_at_once_call_it_once(self) -> None:
        source, vault, _ = self.make("one")
        first = source.load()
        vault.answer = "two"
        with ThreadPoolExecutor(20) as pool:
            found = [pool.submit(source.renew, first) for _ in range(20)]
            assert {future.result() for future in found} == {(ClientSecret("two"),)}
        assert vault.calls == 2


class TestChain:
    def test_the_remembered_place_survives_a_renewal(self, secret_file: Path) -> None:
        chain = parse_credentials(["dead", {"client_secret_path": secret_file}])
        *_, last = chain.attempts()
        chain.accept(last, {})
        secret_file.write_text("changed")
        assert [one.credential.secret for one in chain.attempts()] == ["changed", "dead"]

    def test_a_missing_one_is_passed_over(self, tmp_path: Path) -> None:
        chain = parse_credentials([{"client_secret_path": tmp_path / "none"}, "good"])
        first, second = chain.attempts()
        with pytest.raises(CredentialUnavailable):
            first.credential.authenticate(client_id="x", token_endpoint="y", now=0)
        assert (second.place, second.credential) == (2, ClientSecret("good"))

    def test_those_of_one_entry_are_followed_by_its_new_ones_alone(self) -> None:
        vault = Vault(["b", "a"])
        chain = parse_credentials([vault, "last"])
        attempts = chain.attempts()
        tried = [next(attempts).credential.secret, next(attempts).credential.secret]
        vault.answer = ["c", "b"]
        tried += [attempt.credential.secret for attempt in attempts]
        assert tried == ["b", "a", "c", "last"]

    def test_others_that_were_rejected_are_told_of(self) -> None:
        told: list[Any] = []
        chain = parse_credentials(
            ["one", "two"], on_rejected=lambda place, result: told.append((place, result))
        )
        first, second = chain.attempts()
        chain.accept(first, {1: {"error": "invalid_client"}})
        assert told == []
        chain.accept(second, {1: {"error": "invalid_client"}})
        assert told == [(1, {"error": "invalid_client"})]

    def test_nothing_shows_a_secret(self, secret_file: Path) -> None:
        chain = parse_credentials(["hunter2", {"client_secret_path": secret_file}])
        assert "hunter2" not in repr([list(chain.attempts()), list(chain)])
        assert "one" not in repr(list(chain))
