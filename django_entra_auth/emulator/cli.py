"""The command line: its options, and running an emulator until it is interrupted."""

import argparse
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .constants import B2C_DOMAINS, B2C_POLICY, CUSTOMERS_DOMAINS
from .emulator import Emulator
from .server import PortTakenError

DEFAULT_PORT = 8400
_MAX_PORT = 65535


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= _MAX_PORT:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options on `parser`."""
    parser.add_argument(
        "--port",
        type=_port,
        default=DEFAULT_PORT,
        help=f"port to listen on, loopback only; 0 takes a free one (default {DEFAULT_PORT})",
    )
    parser.add_argument(
        "--tls", action="store_true", help="serve https with a self-signed certificate"
    )
    parser.add_argument(
        "--redirect-uri",
        action="append",
        default=[],
        metavar="URI",
        help="register one more redirect URI (may be given several times)",
    )
    parser.add_argument(
        "--front-channel-logout-uri",
        metavar="URI",
        help="address to call when somebody signs out",
    )
    parser.add_argument(
        "--optional-claim",
        action="append",
        default=[],
        metavar="NAME",
        help="switch an optional claim on (may be given several times)",
    )
    parser.add_argument(
        "--consent", action="store_true", help="ask people for consent at their first sign-in"
    )


def describe(entra: Emulator) -> str:
    """What somebody needs to know to use a running emulator."""
    lines = [
        "Local Entra, for development only. Stop it with Ctrl-C.",
        "",
        f"  authority      {entra.authority}",
        f"  client id      {entra.client_id}",
        f"  client secret  {entra.client_secret}",
        f"  graph          {entra.origin}/v1.0",
        f"  control page   {entra.origin}/control",
        f"  many tenants   {entra.origin}/organizations",
        f"  External ID    {entra.origin}/{CUSTOMERS_DOMAINS[0]}",
        f"  B2C            {entra.origin}/{B2C_DOMAINS[0]}/{B2C_POLICY}",
    ]
    if entra.ca_bundle:
        lines.append(f"  CA bundle      {entra.ca_bundle}")
    lines += ["", "People (the password is on the sign-in page):"]
    lines += [f"  {p.username:<24} {p.about}" for p in entra.people.values()]
    return "\n".join(lines)


def make_emulator(options: argparse.Namespace) -> Emulator:
    """An emulator set up as `options` say, not started yet."""
    entra = Emulator(port=options.port, tls=options.tls)
    entra.application.redirect_uris += options.redirect_uri
    entra.application.front_channel_logout_uri = options.front_channel_logout_uri
    entra.application.require_consent = options.consent
    entra.optional_claims |= set(options.optional_claim)
    return entra


def run(
    options: argparse.Namespace,
    write: Callable[[str], object],
    *,
    stop: threading.Event | None = None,
) -> None:
    """Serve until interrupted, terminated, or `stop` is set; PortTakenError when taken."""
    stop = stop or threading.Event()
    try:
        with _interrupted_by_terminate(), make_emulator(options) as entra:
            write(describe(entra))
            stop.wait()
    except KeyboardInterrupt:
        write("Stopped.")


@contextmanager
def _interrupted_by_terminate() -> Iterator[None]:
    # Only the main thread may set signal handlers; elsewhere the caller sets `stop`. A handler
    # that sets `stop` itself could meet the lock of the very wait it interrupts.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main(
    arguments: list[str] | None,
    write: Callable[[str], object],
    write_error: Callable[[str], object],
) -> int:
    """Parse `arguments` and run; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m django_entra_auth.emulator",
        description="A local Entra for development and tests. Not Microsoft.",
    )
    add_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        run(options, write)
    except PortTakenError:
        write_error(taken_message(options.port))
        return 1
    return 0


def taken_message(port: int) -> str:
    """The one line for a port that cannot be had."""
    return f"Port {port} is taken. Choose another one with --port."
