"""Decides which existing users get which Entra account, and writes the links."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.contrib.auth import get_user_model
from django.db import transaction

from django_entra_auth.models import EntraIdentity
from django_entra_auth.sign_ins.ids import normalise_guid

BATCH = 500  # below every database's limit of parameters

Account = tuple[str, str]  # tenant id and object id
Users = dict[str, list[Any]]  # by the folded value that names them
Verdict = Literal["link", "linked", "nobody", "refused"]


@dataclass(frozen=True, slots=True)
class Row:
    """An account and the value that names its user: a username, an e-mail address or a pk.

    `place` says where it was read, for people.
    """

    place: str
    tid: str
    oid: str
    value: str

    @property
    def account(self) -> Account | None:
        """The two ids as the database keeps them; None when one is not a GUID."""
        tid, oid = normalise_guid(self.tid), normalise_guid(self.oid)
        return (tid, oid) if tid and oid else None


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a row: `verdict`, the `user` where one was found, `why` if refused."""

    row: Row
    verdict: Verdict
    user: Any = None
    why: str = ""


def decide(rows: Sequence[Row], *, field: str, include_staff: bool) -> list[Decision]:
    """What becomes of each row; writes nothing.

    `field` is the user model's field that the values are compared with, without regard to the
    case of ASCII letters; "pk" compares exactly. Whatever is not plain is refused.
    """
    users = _find_users({_fold(row.value) for row in rows}, field)
    links = _Links(rows, users)
    accounts = Counter(row.account for row in rows)
    values = Counter(_fold(row.value) for row in rows)

    def judge(row: Row) -> Decision:
        found = users.get(_fold(row.value), [])
        if row.account is None:
            return Decision(row, "refused", why="the tenant id or object id is not a GUID")
        if accounts[row.account] > 1:
            return Decision(row, "refused", why="the account is listed more than once")
        if not found:
            return Decision(row, "nobody")
        if values[_fold(row.value)] > 1:
            return Decision(row, "refused", why="several accounts name this user")
        if len(found) > 1:
            return Decision(row, "refused", why=f"{len(found)} users fit")
        return links.judge(row, found[0], include_staff=include_staff)

    return [judge(row) for row in rows]


@transaction.atomic
def write(decisions: Iterable[Decision]) -> int:
    """Write all links or none; how many. Raises IntegrityError when one has come meanwhile."""
    links = [
        EntraIdentity(user=decision.user, tid=account[0], oid=account[1])
        for decision in decisions
        if decision.verdict == "link" and (account := decision.row.account)
    ]
    EntraIdentity.objects.bulk_create(links, batch_size=BATCH)
    return len(links)


class _Links:
    """The links there are already, of these accounts and of these users."""

    def __init__(self, rows: Sequence[Row], users: Users) -> None:
        self._holders: dict[Account, Any] = {}
        self._linked: set[Any] = set()
        oids = sorted({row.account[1] for row in rows if row.account})
        for batch in _batches(oids):
            for link in EntraIdentity.objects.filter(oid__in=batch):
                self._holders[link.tid, link.oid] = link.user_id
        pks = [user.pk for found in users.values() for user in found]
        for batch in _batches(pks):
            links = EntraIdentity.objects.filter(user__in=batch)
            self._linked.update(links.values_list("user_id", flat=True))

    def judge(self, row: Row, user: Any, *, include_staff: bool) -> Decision:
        """What becomes of a row that names one user and one account."""
        holder = self._holders.get(row.account) if row.account else None
        if holder == user.pk:
            return Decision(row, "linked", user)
        if holder is not None:
            return Decision(row, "refused", user, "the account belongs to another user")
        if user.pk in self._linked:
            return Decision(row, "refused", user, "the user has another account already")
        is_privileged = getattr(user, "is_staff", False) or getattr(user, "is_superuser", False)
        if is_privileged and not include_staff:
            return Decision(row, "refused", user, "staff or superuser: needs --include-staff")
        return Decision(row, "link", user)


def _find_users(wanted: set[str], field: str) -> Users:
    """The users by folded value; the database is read once, whatever its collation."""
    manager = get_user_model()._default_manager
    keys: dict[str, list[Any]] = defaultdict(list)
    # `values`, as the field may be "pk" itself: Django 5.2.0 lists that once in `values_list`.
    for row in manager.values("pk", field).iterator(chunk_size=BATCH):
        value = row[field]
        if value is not None and (folded := _fold(str(value))) in wanted:
            keys[folded].append(row["pk"])
    pks = [pk for found in keys.values() for pk in found]
    users = {user.pk: user for batch in _batches(pks) for user in manager.filter(pk__in=batch)}
    return {value: [users[pk] for pk in found] for value, found in keys.items()}


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))


def _fold(value: str) -> str:
    """Lower case for ASCII alone: other letters become ones that look like another address."""
    return "".join(char.lower() if char.isascii() else char for char in value.strip())
