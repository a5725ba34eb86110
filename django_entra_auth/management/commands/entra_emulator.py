"""`manage.py entra_emulator`: run a local Entra until Ctrl-C."""

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_entra_auth.emulator.cli import add_arguments, run, taken_message
from django_entra_auth.emulator.server import PortTakenError


class Command(BaseCommand):
    """Serve the emulator; needs neither database nor settings of the app."""

    help = "Run a local Entra for development. It is not Microsoft and opens nothing real."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the emulator's own options."""
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until interrupted; a taken port is a one-line error."""
        try:
            run(argparse.Namespace(**options), self._say)
        except PortTakenError:
            raise CommandError(taken_message(options["port"])) from None

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        # Somebody may wait for the address at the other end of a pipe.
        self.stdout.flush()
