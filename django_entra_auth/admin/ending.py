"""Ends sign-ins from the list, after a page that asks whether it is meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import DELETION
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from django_entra_auth.admin.people import name_person
from django_entra_auth.admin.read_only import ReadOnlyAdmin, format_time, write_log
from django_entra_auth.models import EntraSignIn
from django_entra_auth.session_entry import SESSION_KEY
from django_entra_auth.sign_ins import end_everywhere, end_one, hash_id

MOST_AT_ONCE = 200  # each takes several round trips to the cache and the database
TEMPLATE = "admin/django_entra_auth/entrasignin/confirm_sign_out.html"

Line = tuple[str, str]  # who, and what of theirs would end


@dataclass(frozen=True, slots=True)
class Way:
    """How much ends: `is_own` says of which rows nothing does, `end` returns how many did."""

    action: str
    title: str | Promise
    question: str | Promise
    is_own: Callable[[HttpRequest, EntraSignIn], bool]
    describe: Callable[[Sequence[EntraSignIn]], list[Line]]
    end: Callable[[HttpRequest, Sequence[EntraSignIn]], int]


def end_chosen(
    model_admin: ReadOnlyAdmin, request: HttpRequest, queryset: QuerySet[Any], way: Way
) -> HttpResponse | None:
    """The page that asks; once it was answered, None and a message for the list."""
    rows = list(queryset.select_related("identity__user")[: MOST_AT_ONCE + 1])
    if len(rows) > MOST_AT_ONCE:
        text = _("Nobody was signed out: choose at most %(most)d sign-ins at once.")
        model_admin.message_user(request, text % {"most": MOST_AT_ONCE}, messages.ERROR)
        return None
    others = [row for row in rows if not way.is_own(request, row)]
    has_own = len(others) < len(rows)
    if others and "post" not in request.POST:
        return _ask(model_admin, request, others, way, has_own=has_own)
    ended = way.end(request, others) if others else 0
    _report(model_admin, request, ended, has_own=has_own)
    return None


def _ask(
    model_admin: ReadOnlyAdmin,
    request: HttpRequest,
    rows: Sequence[EntraSignIn],
    way: Way,
    *,
    has_own: bool,
) -> HttpResponse:
    """What would end, and the button that does it; only what is listed is sent along."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": way.title,
        "subtitle": None,
        "opts": model_admin.opts,
        "media": model_admin.media,
        "question": way.question,
        "lines": way.describe(rows),
        "has_own": has_own,
        "keys": [row.pk for row in rows],
        "action": way.action,
        "action_checkbox_name": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, TEMPLATE, context)


def _report(model_admin: ReadOnlyAdmin, request: HttpRequest, ended: int, *, has_own: bool) -> None:
    if ended:
        done = ngettext("%(count)d sign-in was ended.", "%(count)d sign-ins were ended.", ended)
        model_admin.message_user(request, done % {"count": ended}, messages.SUCCESS)
    elif not has_own:
        text = _("Nobody was signed out: those sign-ins have ended already.")
        model_admin.message_user(request, text, messages.WARNING)
    if has_own:
        text = _("You were left signed in: use “Log out” above for yourself.")
        model_admin.message_user(request, text, messages.WARNING)


def _is_here(request: HttpRequest, row: EntraSignIn) -> bool:
    """Whether a sign-in is the one that this very request belongs to."""
    entry = request.session.get(SESSION_KEY)
    own = entry.get("id") if isinstance(entry, dict) else None
    return isinstance(own, str) and row.id_hash == hash_id(own)


def _is_own_account(request: HttpRequest, row: EntraSignIn) -> bool:
    return bool(row.identity.user_id == request.user.pk)


def _describe_each(rows: Sequence[EntraSignIn]) -> list[Line]:
    since = gettext_lazy("signed in %(time)s")
    return [(_name(row), since % {"time": format_time(row.created)}) for row in rows]


def _describe_people(rows: Sequence[EntraSignIn]) -> list[Line]:
    """Each person once, with how many sign-ins there are, listed or not."""
    people = _by_user(rows)
    found = EntraSignIn.objects.filter(identity__user__in=people).order_by()
    counts = Counter(found.values_list("identity__user", flat=True))
    return [
        (
            _name(row),
            ngettext("%(count)d sign-in", "%(count)d sign-ins", counts[user])
            % {"count": counts[user]},
        )
        for user, row in people.items()
    ]


def _end_each(request: HttpRequest, rows: Sequence[EntraSignIn]) -> int:
    ended = [row for row in rows if end_one(row)]
    for row in ended:
        write_log(request, row, flag=DELETION, message=f"Signed out {_name(row)}.")
    return len(ended)


def _end_everywhere(request: HttpRequest, rows: Sequence[EntraSignIn]) -> int:
    total = 0
    for row in _by_user(rows).values():
        ended = end_everywhere(row.identity.user)
        total += ended
        if ended:
            write_log(request, row, flag=DELETION, message=f"Signed out {_name(row)} everywhere.")
    return total


def _by_user(rows: Iterable[EntraSignIn]) -> dict[Any, EntraSignIn]:
    return {row.identity.user_id: row for row in rows}


def _name(row: EntraSignIn) -> str:
    return name_person(row.identity.user, row.identity.oid)


ONE = Way(
    action="sign_out",
    title=gettext_lazy("Sign out"),
    question=gettext_lazy("These sign-ins end at once. Nobody is told; what is open is not saved."),
    is_own=_is_here,
    describe=_describe_each,
    end=_end_each,
)
EVERYWHERE = Way(
    action="sign_out_everywhere",
    title=gettext_lazy("Sign out everywhere"),
    question=gettext_lazy(
        "All sign-ins of these people end at once, in every browser, also those not chosen."
        " Nobody is told; what is open is not saved."
    ),
    is_own=_is_own_account,
    describe=_describe_people,
    end=_end_everywhere,
)
