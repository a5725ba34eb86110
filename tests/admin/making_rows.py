"""Makes rows for the admin's pages: one that is named, or a hundred thousand like a busy month."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.utils import timezone

from django_entra_auth.models import EntraIdentity, EntraSignIn, ErrorKind, TokenErrorRecord

TENANTS = [str(uuid.UUID(int=0xA0 + number)) for number in range(5)]
RESOURCES = ["https://graph.microsoft.com", "api://reports", "https://vault.azure.net", ""]
# What a month of failures is made of: kind, category, number, suberror.
SHAPES: list[tuple[str, str, int | None, str]] = [
    (ErrorKind.SIGN_IN, "blocked", 53003, "message_only"),
    (ErrorKind.CHALLENGE, "interaction", 50076, "basic_action"),
    (ErrorKind.CHALLENGE, "interaction", 50079, "basic_action"),
    (ErrorKind.REFRESH, "expired_grant", 70043, "token_expired"),
    (ErrorKind.CONFIGURATION, "configuration", 7000215, ""),
    (ErrorKind.THROTTLE, "throttled", 90055, ""),
    (ErrorKind.REFRESH, "additional_action", 53000, "additional_action"),
    (ErrorKind.REFRESH, "transient", 90033, ""),
    (ErrorKind.SIGN_IN, "consent", 65001, "consent_required"),
    (ErrorKind.CHALLENGE, "", None, ""),
]
MONTH_MINUTES = 30 * 24 * 60
FEW = 5000  # made one by one; what is more is copied


def build_error(*, when: datetime | None = None, **members: Any) -> TokenErrorRecord:
    """A record that is not saved yet, as the recorder would write it at `when` (now)."""
    when = when or timezone.now()
    values = {
        "kind": ErrorKind.SIGN_IN,
        "category": "blocked",
        "error": "invalid_grant",
        "number": 53003,
        "first_seen": when,
        "last_seen": when,
        "fingerprint": uuid.uuid4().hex,
        "minute": int(when.timestamp()) // 60,
    }
    return TokenErrorRecord(**{**values, **members})


def make_error(**members: Any) -> TokenErrorRecord:
    """A saved record."""
    record = build_error(**members)
    record.save()
    return record


def make_person(name: str = "alice", *permissions: str, **members: Any) -> Any:
    """A member of staff with some of this app's permissions."""
    person = get_user_model().objects.create_user(
        name, f"{name}@contoso.example", is_staff=True, **members
    )
    chosen = Permission.objects.filter(codename__in=permissions)
    assert len(chosen) == len(permissions)
    person.user_permissions.set(chosen)
    return person


def make_people(count: int) -> list[Any]:
    """Users that never sign in with a password."""
    model = get_user_model()
    return model.objects.bulk_create(
        [
            model(username=f"person{number}", email=f"person{number}@contoso.example", password="!")
            for number in range(count)
        ]
    )


def make_month(count: int, people: list[Any], *, now: datetime | None = None) -> None:
    """`count` records over the last 30 days; the newer half of them falls into the last day."""
    now = now or timezone.now()
    few = min(count, FEW)
    TokenErrorRecord.objects.bulk_create(
        (_build_one(number, few, people, now) for number in range(few)), batch_size=2000
    )
    if count > few:
        _multiply(TokenErrorRecord, "fingerprint", count // few)


def _build_one(number: int, count: int, people: list[Any], now: datetime) -> TokenErrorRecord:
    share = number / count
    ago = share * 2 * 1440 if share < 0.5 else share * MONTH_MINUTES
    kind, category, aadsts, suberror = SHAPES[number * 7 % len(SHAPES) if number % 3 else 0]
    person = people[number % len(people)]
    return build_error(
        when=now - timedelta(minutes=ago),
        kind=kind,
        category=category,
        number=aadsts,
        suberror=suberror,
        user=person if number % 5 else None,
        oid=str(uuid.UUID(int=person.pk)) if number % 5 else "",
        tid=TENANTS[number % len(TENANTS)],
        resource=RESOURCES[number % len(RESOURCES)],
        correlation_id=str(uuid.UUID(int=number + 1)),
        count=number % 4 + 1,
        throttle_key=hashlib.sha256(str(number).encode()).hexdigest() if number % 50 == 0 else "",
        throttle_until=now - timedelta(minutes=ago - 1) if number % 50 == 0 else None,
    )


def _multiply(model: Any, unique: str, times: int) -> None:
    """Copy all rows inside the database: a hundred thousand objects take Python half a minute."""
    names = [field.column for field in model._meta.local_concrete_fields if not field.primary_key]
    quoted = [connection.ops.quote_name(name) for name in names]
    table = connection.ops.quote_name(model._meta.db_table)
    values = [
        f"substr({column}, 1, 50) || '-' || copies.n" if name == unique else column
        for name, column in zip(names, quoted, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE copies(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copies WHERE n < %s)"
            f" INSERT INTO {table} ({', '.join(quoted)}) SELECT {', '.join(values)}"
            f" FROM {table} CROSS JOIN copies",
            [times - 1],
        )


def make_identity(user: Any, *, number: int = 1) -> EntraIdentity:
    """The account of a user."""
    return EntraIdentity.objects.create(
        user=user, tid=TENANTS[0], oid=str(uuid.UUID(int=0xB000 + number))
    )


def make_sign_ins(count: int, people: list[Any]) -> None:
    """`count` sign-ins of these people, in browsers nobody has."""
    now = timezone.now()
    few = min(count, FEW)
    identities = EntraIdentity.objects.bulk_create(
        EntraIdentity(user=person, tid=TENANTS[person.pk % 5], oid=str(uuid.UUID(int=person.pk)))
        for person in people
    )
    EntraSignIn.objects.bulk_create(
        (
            EntraSignIn(
                id_hash=hashlib.sha256(str(number).encode()).hexdigest(),
                identity=identities[number % len(identities)],
                issuer="https://login.microsoftonline.com/x/v2.0",
                session_key=b"sealed",
                contexts=["c1"] if number % 3 == 0 else [],
                last_prompt=now,
            )
            for number in range(few)
        ),
        batch_size=2000,
    )
    if count > few:
        _multiply(EntraSignIn, "id_hash", count // few)


def source_of(response: Any) -> str:
    """A page as it is written, with each run of space as one."""
    return " ".join(response.content.decode().split())
