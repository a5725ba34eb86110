"""`entra_doctor`: what it prints, in which form, and with which exit status."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.diagnosis import certificate, local

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("entra_settings")]
URL = "--url=http://localhost:8000"


def run(*options: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("entra_doctor", "--skip=cache", *options, stdout=out, no_color=True)
    except SystemExit as stop:
        return int(str(stop.code)), out.getvalue()
    return 0, out.getvalue()


def test_it_passes_with_the_local_entra() -> None:
    status, text = run(URL)
    assert status == 0
    assert "pass  registration: " in text
    assert text.splitlines()[-1].endswith("0 fail, 0 skip")


def test_a_failure_is_an_exit_status(settings: Any) -> None:
    settings.ENTRA_AUTH = local(CLIENT_CREDENTIAL="wrong-and-hush-hush")
    status, text = run(URL)
    assert status == 1
    assert "fail  credentials: " in text
    assert "hush" not in text


def test_a_warning_is_one_on_request() -> None:
    assert run(URL, "--skip=settings", "--fail-on=warn")[0] == 0
    assert run(URL, "--fail-on=warn")[0] == 1  # a cache of one process


def test_json_is_all_there_is_on_the_output() -> None:
    status, text = run(URL, "--json")
    findings = json.loads(text)["findings"]
    assert status == 0
    assert {one["status"] for one in findings} == {"pass", "warn"}
    assert set(findings[0]) == {"topic", "status", "reason", "fix"}


def test_json_has_the_same_exit_status(settings: Any) -> None:
    settings.ENTRA_AUTH = None
    status, text = run("--json")
    assert status == 1
    last = json.loads(text)["findings"][-1]
    assert (last["topic"], last["status"]) == ("everything else", "skip")


def test_broken_settings_do_not_break_it(settings: Any) -> None:
    for raw in (5, {}, {"CLIENT_ID": object()}, local(AUTHORITY="no address")):
        settings.ENTRA_AUTH = raw
        assert run("--offline")[0] == 1


def test_deploy_adds_the_checks_for_production() -> None:
    assert run("--offline", "--deploy")[0] == 1
    assert "E006" in run("--offline", "--deploy")[1]


def test_no_secret_is_printed(settings: Any) -> None:
    pair, accepted = certificate(days=5), local()["CLIENT_CREDENTIAL"]
    settings.SECRET_KEY = "hush-hush-" + "x" * 50
    settings.ENTRA_AUTH = local(
        CLIENT_CREDENTIAL=["hush-hush-secret", pair, accepted],
        PROXIES={"ftp": "http://user:hush-hush@proxy.example"},
    )
    for options in ((URL,), (URL, "--json"), ("--offline",), (URL, "--deploy")):
        text = run(*options)[1]
        assert "hush" not in text
        assert accepted not in text
        assert pair["private_key"].splitlines()[1] not in text


def test_an_unknown_topic_is_refused() -> None:
    with pytest.raises(CommandError):
        run("--skip=everything")
