"""Who is signed in now, and the two ways to end it; which accounts belong to whom."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import DELETION
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from django_entra_auth.admin.filters import IdentityTenantFilter
from django_entra_auth.admin.people import find_people, name_person
from django_entra_auth.admin.read_only import ReadOnlyAdmin, write_log
from django_entra_auth.models import EntraIdentity, EntraSignIn
from django_entra_auth.session_entry import SESSION_KEY
from django_entra_auth.sign_ins import end_everywhere, end_one, hash_id, normalise_guid

MOST_AT_ONCE = 200  # each takes several round trips to the cache and the database


class EntraSignInAdmin(ReadOnlyAdmin):
    """The sign-ins that are alive."""

    list_display = ("show_person", "created", "show_contexts", "last_prompt", "show_tenant")
    list_filter = (IdentityTenantFilter,)
    list_select_related = ("identity__user",)
    list_per_page = 50
    # The key grows with the time, and is indexed.
    ordering = ("-pk",)
    search_fields = ("sid",)
    actions = ("sign_out", "sign_out_everywhere")
    fields = ("show_person", "created", "show_contexts", "last_prompt", "show_account", "sid")
    readonly_fields = ("show_person", "show_contexts", "show_account")

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Whether the person may end sign-ins of others."""
        return self.has_own_permission(request, "end_entrasignin")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Rows without what only their end needs."""
        rows: QuerySet[Any] = super().get_queryset(request).defer("issuer")
        return rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By person, account or Entra session; nothing is found twice."""
        words = search_term.strip()
        if not words:
            return queryset, False
        if guid := normalise_guid(words):
            return queryset.filter(Q(sid=guid) | Q(identity__oid=guid)), False
        return queryset.filter(identity__user__in=find_people(words)), False

    @admin.display(description=_("person"), ordering="identity__user")
    def show_person(self, row: EntraSignIn) -> str:
        """Who it is."""
        return name_person(row.identity.user, row.identity.oid)

    @admin.display(description=_("contexts satisfied"))
    def show_contexts(self, row: EntraSignIn) -> str:
        """The authentication contexts of the last prompt."""
        values = row.contexts if isinstance(row.contexts, list) else []
        return ", ".join(map(str, values)) or self.get_empty_value_display()

    @admin.display(description=_("tenant"), ordering="identity__tid")
    def show_tenant(self, row: EntraSignIn) -> str:
        """The tenant of the account."""
        return str(row.identity.tid)

    @admin.display(description=_("account"))
    def show_account(self, row: EntraSignIn) -> str:
        """Object id and tenant."""
        return str(row.identity)

    @admin.action(permissions=["end"], description=_("Sign out"))
    def sign_out(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """End the chosen sign-ins."""
        rows = self._take(request, queryset)
        here = _find_own_hash(request)
        ended = [row for row in rows if row.id_hash != here and end_one(row)]
        for row in ended:
            person = self.show_person(row)
            write_log(request, row, flag=DELETION, message=f"Signed out {person}.")
        self._report(request, len(ended), own=any(row.id_hash == here for row in rows))

    @admin.action(permissions=["end"], description=_("Sign out everywhere"))
    def sign_out_everywhere(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """End all sign-ins of the people of the chosen ones, also in browsers not listed."""
        rows = self._take(request, queryset)
        people: dict[Any, EntraSignIn] = {row.identity.user.pk: row for row in rows}
        own = people.pop(request.user.pk, None)
        ended = 0
        for row in people.values():
            ended += end_everywhere(row.identity.user)
            person = self.show_person(row)
            write_log(request, row, flag=DELETION, message=f"Signed out {person} everywhere.")
        self._report(request, ended, own=own is not None)

    def _take(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[EntraSignIn]:
        rows = list(queryset.select_related("identity__user")[: MOST_AT_ONCE + 1])
        if len(rows) <= MOST_AT_ONCE:
            return rows
        text = _("Nobody was signed out: choose at most %(most)d sign-ins at once.")
        self.message_user(request, text % {"most": MOST_AT_ONCE}, messages.ERROR)
        return []

    def _report(self, request: HttpRequest, ended: int, *, own: bool) -> None:
        if ended:
            done = ngettext("%(count)d sign-in was ended.", "%(count)d sign-ins were ended.", ended)
            self.message_user(request, done % {"count": ended}, messages.SUCCESS)
        if own:
            text = _("You were left signed in: use “Log out” above for yourself.")
            self.message_user(request, text, messages.WARNING)


class EntraIdentityAdmin(ReadOnlyAdmin):
    """Which Entra account belongs to which user."""

    list_display = ("show_person", "oid", "tid", "created")
    list_select_related = ("user",)
    list_per_page = 50
    ordering = ("-pk",)
    search_fields = ("oid",)
    fields = ("show_person", "oid", "tid", "created")
    readonly_fields = ("show_person",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By person, object id or tenant; nothing is found twice."""
        words = search_term.strip()
        if not words:
            return queryset, False
        if guid := normalise_guid(words):
            return queryset.filter(Q(oid=guid) | Q(tid=guid)), False
        return queryset.filter(user__in=find_people(words)), False

    @admin.display(description=_("person"), ordering="user")
    def show_person(self, row: EntraIdentity) -> str:
        """Whose account it is."""
        return name_person(row.user, row.oid)


def _find_own_hash(request: HttpRequest) -> str | None:
    """The hash of the sign-in that this very request belongs to."""
    entry = request.session.get(SESSION_KEY)
    own = entry.get("id") if isinstance(entry, dict) else None
    return hash_id(own) if isinstance(own, str) else None
