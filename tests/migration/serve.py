"""Run one project: check, migrate, the given commands, then serve it on loopback until stdin ends.

`python -m tests.migration.serve <settings module> [<command as JSON list> ...]`; the address is
printed when the site answers.
"""

import contextlib
import json
import os
import socketserver
import sys
import threading
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer


class Server(socketserver.ThreadingMixIn, WSGIServer):
    """One thread for each request."""

    daemon_threads = True


class QuietHandler(WSGIRequestHandler):
    """Writes no access log."""

    def log_request(self, *args: Any) -> None:
        """Say nothing."""


def main(settings_module: str, commands: list[list[str]]) -> None:
    """Serve the project until the one who started it closes stdin."""
    server = Server(("127.0.0.1", 0), QuietHandler)
    os.environ["SITE_ORIGIN"] = f"http://127.0.0.1:{server.server_port}"
    os.environ["DJANGO_SETTINGS_MODULE"] = settings_module

    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application

    server.set_app(get_wsgi_application())
    call_command("check", verbosity=0)
    call_command("migrate", verbosity=0, run_syncdb=True)
    for name, *arguments in commands:
        # A command that refuses a line says so by its exit status; what it linked is linked.
        with contextlib.suppress(SystemExit):
            call_command(name, *arguments)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    sys.stdout.write(f"{os.environ['SITE_ORIGIN']}\n")
    sys.stdout.flush()
    sys.stdin.read()
    server.shutdown()
    server.server_close()


if __name__ == "__main__":
    main(sys.argv[1], [json.loads(text) for text in sys.argv[2:]])
