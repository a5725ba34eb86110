"""`manage.py entra_prune_errors`: deletes token errors that are older than wanted."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from django_entra_auth.conf import get_settings
from django_entra_auth.recorder import prune


class Command(BaseCommand):
    """Run it once a day."""

    help = "Deletes token errors last seen more than TOKEN_ERROR_RETENTION_DAYS ago."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the number of days."""
        parser.add_argument("--days", type=float, help="instead of TOKEN_ERROR_RETENTION_DAYS")

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete, and say how many."""
        days = options["days"]
        if days is not None and days < 0:
            raise CommandError("--days must be 0 or more.")
        count = prune(get_settings().token_error_retention_days if days is None else days)
        self.stdout.write(f"Deleted {count} token error{'' if count == 1 else 's'}.")
