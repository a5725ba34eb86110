"""Runs the demo: a local Entra and the site in one process, until Ctrl-C or SIGTERM."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

LOOPBACK = "127.0.0.1"


class DemoError(Exception):
    """The demo cannot start; the text is one line for the person at the terminal."""


def main() -> int:
    """Serve the demo; 0 after a wanted stop, 1 with one line on stderr when it cannot start."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        try:
            run(os.environ)
        except DemoError as error:
            print(error, file=sys.stderr)
            return 1
    print("\nStopped.", flush=True)
    return 0


def run(environ: Mapping[str, str]) -> None:
    """Start both servers on the ports `environ` names and wait; raises DemoError."""
    port = read_port(environ, "PORT", 8000)
    emulator_port = read_port(environ, "EMULATOR_PORT", 8400)
    if port == emulator_port:
        raise DemoError(f"PORT and EMULATOR_PORT are both {port}; they must differ.")
    require_free_port(port, "PORT")
    require_free_port(emulator_port, "EMULATOR_PORT")
    prepare_django()
    with ExitStack() as stack:
        stack.enter_context(serve_emulator(port=port, emulator_port=emulator_port))
        stack.enter_context(serve_site(port))
        print(describe(port=port, emulator_port=emulator_port), flush=True)
        threading.Event().wait()


def read_port(environ: Mapping[str, str], variable: str, default: int) -> int:
    """The port number in `variable`; raises DemoError when it is none."""
    text = environ.get(variable) or str(default)
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 65536):
        raise DemoError(f"{variable}={text!r} is not a port number (1 to 65535).")
    return int(text)


def require_free_port(port: int, variable: str) -> None:
    """Raise DemoError when nothing can listen on `port`."""
    with socket.socket() as probe:
        # As the servers do it, or a port would count as taken for a minute after a stop.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise _unusable_port(port, variable, error) from error


def prepare_django() -> None:
    """Load Django and bring the demo's database up to date."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "demo_project.settings")
    # Imported late, so that the ports are checked within a blink.
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)


@contextmanager
def serve_emulator(*, port: int, emulator_port: int) -> Iterator[None]:
    """Run the local Entra, with the site on `port` registered as its application."""
    from django_entra_auth.emulator import PortTakenError

    from .local_entra import serve

    with ExitStack() as stack:
        try:
            stack.enter_context(serve(port=port, emulator_port=emulator_port))
        except PortTakenError as error:
            raise _unusable_port(emulator_port, "EMULATOR_PORT", error) from error
        yield


@contextmanager
def serve_site(port: int) -> Iterator[None]:
    """Run the site, static files included."""
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.core.servers.basehttp import ThreadedWSGIServer

    from .server import QuietRequestHandler
    from .wsgi import application

    try:
        server = ThreadedWSGIServer((LOOPBACK, port), QuietRequestHandler)
    except OSError as error:
        raise _unusable_port(port, "PORT", error) from error
    server.set_app(StaticFilesHandler(application))
    thread = threading.Thread(target=server.serve_forever, name="site", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def describe(*, port: int, emulator_port: int) -> str:
    """What the person at the terminal needs to know."""
    from django_entra_auth.emulator import MFA_CODE, PASSWORD

    from .people import list_people

    people = "\n".join(f"  {one.username:<24}{one.expectation}" for one in list_people())
    return f"""
Site         http://{LOOPBACK}:{port}
Local Entra  http://localhost:{emulator_port}
Its control  http://localhost:{emulator_port}/control

Password     {PASSWORD}
MFA code     {MFA_CODE}

People
{people}

Open the site in a browser. Ctrl-C stops everything."""


def _unusable_port(port: int, variable: str, error: OSError) -> DemoError:
    reason = (error.strerror or str(error)).lower()
    other = port + 10 if port < 65000 else port - 10
    return DemoError(
        f"Port {port} cannot be used: {reason}. Choose another one, for example {variable}={other}."
    )


if __name__ == "__main__":
    sys.exit(main())
