"""`manage.py entra_link_users`: says which existing users are which Entra accounts."""

from __future__ import annotations

import csv
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist, FieldError
from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError

from django_entra_auth.conf import get_settings
from django_entra_auth.linking import Decision, Row, decide, write
from django_entra_auth.oauth2.authority import parse_authority
from django_entra_auth.sign_ins import normalise_guid

MAX_BYTES = 50_000_000
MAX_ROWS = 200_000
SHOWN_CHARS = 80
# As the admin center and its PowerShell modules have headed them; spaces and case do not count.
OID_COLUMNS = ("oid", "id", "objectid", "userobjectid")
TID_COLUMNS = ("tid", "tenantid")
MATCH_COLUMNS = {
    "username": ("userprincipalname", "username", "upn"),
    "email": ("mail", "email", "emailaddress"),
}


class Command(BaseCommand):
    """Links by tenant id and object id, once, by an administrator's own decision.

    A sign-in never follows an e-mail address or a user principal name. This command may, because
    the list comes from the directory's administrator and is looked at first: without `--apply` it
    writes nothing. The list is a CSV file, as "Download users" of the Entra admin center makes it
    (a column with the object id, and one to compare), or a field of the user model that holds the
    object id already. Exit status: 0 when nothing was refused, else 1.
    """

    help = (
        "Links existing users to Entra accounts, from a CSV file exported from Entra or from a"
        " field with their object ids. Without --apply nothing is written."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take where the accounts come from, how users are found, and whether to write."""
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--csv", metavar="FILE", help="the list, in UTF-8, with a header")
        source.add_argument(
            "--oid-field",
            metavar="FIELD",
            help="a field of the user model with the object id, such as profile__entra_oid",
        )
        parser.add_argument(
            "--match",
            choices=sorted(MATCH_COLUMNS),
            help="what of a user is compared with the file; needed with --csv",
        )
        parser.add_argument("--column", help="the file's column to compare with, if not the usual")
        parser.add_argument("--tid", help="the tenant's GUID; default: the site's, or a column")
        parser.add_argument("--apply", action="store_true", help="write the links")
        parser.add_argument(
            "--include-staff", action="store_true", help="link staff and superusers too"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Decide, tell, and write if asked to."""
        field = _find_field(options)
        rows = list(_read_field(options) if options["oid_field"] else _read_file(options))
        decisions = decide(rows, field=field, include_staff=options["include_staff"])
        for decision in decisions:
            # An export holds the whole directory, most of which never comes here.
            if decision.verdict != "nobody" or options["verbosity"] > 1:
                self._tell(decision, apply=options["apply"])
        if options["apply"]:
            self._write(decisions)
        self._sum_up(decisions, apply=options["apply"])
        if any(decision.verdict == "refused" for decision in decisions):
            sys.exit(1)

    def _tell(self, decision: Decision, *, apply: bool) -> None:
        row = decision.row
        words = {
            "link": self.style.SUCCESS("link" if apply else "would link"),
            "linked": "linked already",
            "nobody": self.style.HTTP_INFO("no user"),
            "refused": self.style.ERROR("refused"),
        }
        who = f" -> {_show(decision.user)} (pk {decision.user.pk})" if decision.user else ""
        why = f": {decision.why}" if decision.why else ""
        account = f"{_show(row.value)} ({_show(row.oid)})"
        self.stdout.write(f"{words[decision.verdict]}  {row.place}  {account}{who}{why}")

    def _write(self, decisions: list[Decision]) -> None:
        try:
            write(decisions)
        except IntegrityError:
            text = "Nothing was written: somebody has signed in meanwhile. Run it again."
            raise CommandError(text) from None

    def _sum_up(self, decisions: list[Decision], *, apply: bool) -> None:
        counts = Counter(decision.verdict for decision in decisions)
        done = "linked" if apply else "to be linked"
        self.stdout.write(
            f"{counts['link']} {done}, {counts['linked']} linked already,"
            f" {counts['nobody']} without a user, {counts['refused']} refused."
        )
        chosen = [decision.user for decision in decisions if decision.verdict == "link"]
        if local := sum(user.has_usable_password() for user in chosen):
            self.stdout.write(
                f"{local} of them can still sign in with a local password, past Conditional Access."
            )
        if not apply and chosen:
            self.stdout.write("Nothing was written. Add --apply to write the links.")


def _find_field(options: Mapping[str, Any]) -> str:
    """The user model's field that the rows' values are compared with."""
    if options["oid_field"]:
        if options["match"] or options["column"]:
            raise CommandError("--match and --column go with --csv.")
        return "pk"
    if not options["match"]:
        raise CommandError("Say --match username or --match email: nothing is guessed.")
    model = get_user_model()
    name = model.USERNAME_FIELD if options["match"] == "username" else model.get_email_field_name()
    try:
        return str(model._meta.get_field(name).name)
    except FieldDoesNotExist:
        raise CommandError(f"The user model has no field for --match {options['match']}.") from None


def _read_field(options: Mapping[str, Any]) -> Iterator[Row]:
    """An account for each user whose field is not empty."""
    name, tid = options["oid_field"], _find_tid(options)
    if tid is None:
        raise CommandError("Say the tenant's GUID with --tid.")
    try:
        values = get_user_model()._default_manager.values_list("pk", name)
    except FieldError:
        raise CommandError(f"The user model has no field {name!r}.") from None
    for pk, oid in values.iterator():
        if oid:
            yield Row(f"user {pk}", tid, str(oid), str(pk))


def _read_file(options: Mapping[str, Any]) -> Iterator[Row]:
    """An account for each line of the file."""
    path = Path(options["csv"])
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CommandError(f"The file is larger than {MAX_BYTES // 1_000_000} MB.")
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield from _read_lines(csv.DictReader(file, strict=True), options)
    except OSError as exc:
        raise CommandError(f"The file cannot be read: {exc.strerror}.") from None
    except (UnicodeDecodeError, csv.Error) as exc:
        raise CommandError(f"The file is not CSV in UTF-8: {exc}.") from None


def _read_lines(reader: csv.DictReader[str], options: Mapping[str, Any]) -> Iterator[Row]:
    columns = {_simplify(name): name for name in reader.fieldnames or () if name}
    oid = _find_column(columns, OID_COLUMNS)
    wanted = [_simplify(options["column"])] if options["column"] else None
    value = _find_column(columns, wanted or MATCH_COLUMNS[options["match"]])
    tid, tid_column = _find_tid(options), _find_column(columns, TID_COLUMNS, is_needed=False)
    if tid is None and tid_column is None:
        raise CommandError("Say the tenant's GUID with --tid, or give the file a column tid.")
    for number, line in enumerate(reader, start=1):
        if number > MAX_ROWS:
            raise CommandError(f"The file has more than {MAX_ROWS} lines.")
        text = (line.get(value) or "").strip()
        # Accounts without an address, such as service accounts, name nobody.
        if text:
            found = options["tid"] or (line.get(tid_column or "") or "").strip() or tid or ""
            yield Row(f"line {reader.line_num}", found, (line.get(oid) or "").strip(), text)


def _find_column(
    columns: Mapping[str, str], names: tuple[str, ...] | list[str], *, is_needed: bool = True
) -> Any:
    found = next((columns[name] for name in names if name in columns), None)
    if found is None and is_needed:
        raise CommandError(f"The file has none of the columns {', '.join(names)}.")
    return found


def _find_tid(options: Mapping[str, Any]) -> str | None:
    """The tenant that was named, else the site's own where that is a GUID."""
    if options["tid"]:
        if found := normalise_guid(options["tid"]):
            return found
        raise CommandError("--tid is not a GUID.")
    settings = get_settings()
    return normalise_guid(parse_authority(settings.authority, allow_loopback=True).tenant)


def _simplify(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


def _show(value: object) -> str:
    """Text of somebody else, fit for a terminal."""
    return "".join(filter(str.isprintable, str(value)))[:SHOWN_CHARS]
