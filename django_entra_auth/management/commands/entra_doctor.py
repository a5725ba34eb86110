"""`manage.py entra_doctor`: says what would keep people out, and how to mend it."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from django_entra_auth.doctor import TOPICS, Finding, Options, examine


class Command(BaseCommand):
    """Exit status 1 when something fails, else 0; `--fail-on warn` is stricter."""

    help = "Looks at the Entra sign-in of this site from end to end. Prints no secret."
    # It reports what the checks find, instead of stopping there.
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take what to look at and how to tell."""
        parser.add_argument(
            "--url",
            action="append",
            default=[],
            metavar="ADDRESS",
            help="a public address of the site, such as https://example.org; may be repeated",
        )
        parser.add_argument("--offline", action="store_true", help="ask Entra nothing")
        parser.add_argument("--deploy", action="store_true", help="add the checks for production")
        parser.add_argument("--json", action="store_true", help="tell in JSON, for machines")
        parser.add_argument(
            "--skip", action="append", default=[], choices=TOPICS, help="leave a topic out"
        )
        parser.add_argument(
            "--fail-on", choices=["fail", "warn"], default="fail", help="what makes it exit with 1"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Look, tell, and exit."""
        wanted = Options(
            offline=options["offline"],
            deploy=options["deploy"],
            urls=tuple(options["url"]),
            skip=frozenset(options["skip"]),
        )
        found = []
        for finding in examine(wanted):
            found.append(finding)
            if not options["json"]:
                self._tell(finding)
        if options["json"]:
            self.stdout.write(json.dumps({"findings": [asdict(item) for item in found]}, indent=2))
        else:
            self._sum_up(found)
        bad = {"fail", "warn"} if options["fail_on"] == "warn" else {"fail"}
        if any(finding.status in bad for finding in found):
            sys.exit(1)

    def _tell(self, finding: Finding) -> None:
        styles = {"pass": self.style.SUCCESS, "warn": self.style.WARNING, "fail": self.style.ERROR}
        style = styles.get(finding.status, self.style.HTTP_INFO)
        self.stdout.write(f"{style(finding.status)}  {finding.topic}: {finding.reason}")
        if finding.fix:
            self.stdout.write(f"      {finding.fix}")
        self.stdout.flush()

    def _sum_up(self, found: list[Finding]) -> None:
        counts = {
            status: sum(1 for finding in found if finding.status == status)
            for status in ("pass", "warn", "fail", "skip")
        }
        self.stdout.write(", ".join(f"{count} {status}" for status, count in counts.items()))
