"""How the demo's server writes to the terminal: only about what went wrong."""

from typing import Any

from django.core.servers.basehttp import WSGIRequestHandler


class QuietRequestHandler(WSGIRequestHandler):
    """Writes no line per request: an address can hold an authorization code."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Stay silent."""
