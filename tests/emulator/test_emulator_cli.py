"""The command line and the Django command."""

from __future__ import annotations

import argparse
import io
import os
import signal
import subprocess
import sys
import threading

import pytest
import requests
from django.core.management import CommandError, call_command

from django_entra_auth.emulator import CLIENT_ID, CLIENT_SECRET, Emulator
from django_entra_auth.emulator.cli import add_arguments, main, make_emulator, run


def _options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(words)


def test_it_says_what_one_needs_and_stops_when_told() -> None:
    said: list[str] = []
    stop = threading.Event()

    def write(text: str) -> None:
        said.append(text)
        authority = text.partition("authority")[2].split()[0]
        url = authority + "/v2.0/.well-known/openid-configuration"
        assert requests.get(url, timeout=10).status_code == 200
        stop.set()

    thread = threading.Thread(
        target=run, args=(_options("--port", "0"), write), kwargs={"stop": stop}
    )
    thread.start()
    thread.join(timeout=30)
    assert not thread.is_alive()
    for text in (CLIENT_ID, CLIENT_SECRET, "alice@contoso.example", "must pass MFA"):
        assert text in said[0]


def test_options_reach_the_registration() -> None:
    entra = make_emulator(
        _options(
            *("--redirect-uri", "https://app.example/cb", "--consent"),
            *("--front-channel-logout-uri", "https://app.example/out"),
            *("--optional-claim", "sid", "--optional-claim", "login_hint"),
        )
    )
    assert entra.application.has_redirect_uri("https://app.example/cb")
    assert entra.application.front_channel_logout_uri == "https://app.example/out"
    assert entra.application.require_consent
    assert entra.optional_claims == {"sid", "login_hint"}


def test_a_taken_port_is_one_clear_line(entra: Emulator) -> None:
    said: list[str] = []
    assert main(["--port", str(entra.port)], said.append, said.append) == 1
    assert said == [f"Port {entra.port} is taken. Choose another one with --port."]


@pytest.mark.parametrize("port", ["70000", "x", "-1"])
def test_a_port_is_a_port(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _options("--port", port)
    assert "port" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_module_runs_and_stops_on_signals(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "django_entra_auth.emulator", "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=os.environ.copy(), **pipes) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        while "grace@" not in process.stdout.readline():
            pass
        process.send_signal(number)
        assert process.wait(timeout=30) == 0
        assert "Local Entra" in first
        assert process.stderr.read() == ""


def test_the_django_command_reports_a_taken_port(entra: Emulator) -> None:
    with pytest.raises(CommandError, match="is taken"):
        call_command("entra_emulator", port=entra.port, stdout=io.StringIO())


def test_importing_the_constants_loads_no_server() -> None:
    code = (
        "import sys; from django_entra_auth.emulator import CLIENT_ID, CLIENT_SECRET, TENANT_ID; "
        "loaded = {'requests', 'cryptography', 'jwt', 'http.server'} & set(sys.modules); "
        "sys.exit(str(loaded) if loaded else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
