"""Who is signed in now, and the two ways to end it; which accounts belong to whom."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from django_entra_auth.admin.cells import draw_cell
from django_entra_auth.admin.ending import EVERYWHERE, ONE, end_chosen
from django_entra_auth.admin.filters import IdentityTenantFilter
from django_entra_auth.admin.people import build_search, name_person
from django_entra_auth.admin.read_only import EMPTY, ReadOnlyAdmin, format_time
from django_entra_auth.admin.renewals import find_last_renewal, has_tokens, note_renewals
from django_entra_auth.models import EntraIdentity, EntraSignIn


class EntraSignInAdmin(ReadOnlyAdmin):
    """The sign-ins that are alive."""

    list_display = (
        "list_person",
        "list_created",
        "list_contexts",
        "list_last_prompt",
        "list_last_renewal",
        "list_tokens",
    )
    list_filter = (IdentityTenantFilter,)
    list_select_related = ("identity__user",)
    list_per_page = 50
    # The key grows with the time, and is indexed.
    ordering = ("-pk",)
    search_fields = ("sid",)
    actions = ("sign_out", "sign_out_everywhere")
    fields = (
        "show_person",
        "created",
        "show_contexts",
        "last_prompt",
        "show_last_renewal",
        "show_tokens",
        "show_account",
        "sid",
    )
    readonly_fields = (
        "show_person",
        "show_contexts",
        "show_last_renewal",
        "show_tokens",
        "show_account",
    )

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Whether the person may end sign-ins of others."""
        return self.has_own_permission(request, "end_entrasignin")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Rows without what only their end needs."""
        rows: QuerySet[Any] = super().get_queryset(request).defer("issuer")
        return rows

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with what the cache says about the rows of this page."""
        response = super().changelist_view(request, extra_context)
        changes = getattr(response, "context_data", None) or {}
        if "cl" in changes:
            note_renewals(changes["cl"].result_list)
        return response

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> EntraSignIn | None:
        """One row, with what the cache says about it."""
        row: EntraSignIn | None = super().get_object(request, object_id, from_field)
        if row is not None:
            note_renewals([row])
        return row

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By person, account or Entra session; nothing is found twice."""
        wanted = build_search(search_term, ids=("sid", "identity__oid"), user="identity__user")
        return queryset.filter(wanted), False

    @admin.display(description=_("person and tenant"), ordering="identity__user")
    def list_person(self, row: EntraSignIn) -> SafeString:
        """Who it is, and the tenant of the account."""
        return draw_cell(_("Person"), self.show_person(row), row.identity.tid)

    @admin.display(description=_("signed in"), ordering="created")
    def list_created(self, row: EntraSignIn) -> SafeString:
        """Since when."""
        return draw_cell(_("Signed in"), format_time(row.created))

    @admin.display(description=_("contexts"))
    def list_contexts(self, row: EntraSignIn) -> SafeString:
        """The authentication contexts of the last prompt."""
        return draw_cell(_("Contexts satisfied"), self.show_contexts(row))

    @admin.display(description=_("last prompt"), ordering="last_prompt")
    def list_last_prompt(self, row: EntraSignIn) -> SafeString:
        """When Entra last saw the person."""
        return draw_cell(_("Last prompt"), format_time(row.last_prompt))

    @admin.display(description=_("last renewal"))
    def list_last_renewal(self, row: EntraSignIn) -> SafeString:
        """When Entra last issued tokens."""
        return draw_cell(_("Last renewal"), self.show_last_renewal(row))

    @admin.display(description=_("tokens held"))
    def list_tokens(self, row: EntraSignIn) -> SafeString:
        """Whether the cache has something to work with."""
        return draw_cell(_("Tokens held"), self.show_tokens(row))

    @admin.display(description=_("person"))
    def show_person(self, row: EntraSignIn) -> str:
        """Who it is."""
        return name_person(row.identity.user, row.identity.oid)

    @admin.display(description=_("contexts satisfied"))
    def show_contexts(self, row: EntraSignIn) -> str:
        """The authentication contexts of the last prompt."""
        values = row.contexts if isinstance(row.contexts, list) else []
        return ", ".join(map(str, values)) or self.get_empty_value_display()

    @admin.display(description=_("account"))
    def show_account(self, row: EntraSignIn) -> str:
        """Object id and tenant."""
        return str(row.identity)

    @admin.display(description=_("last renewal"))
    def show_last_renewal(self, row: EntraSignIn) -> str:
        """When Entra last issued tokens."""
        moment = find_last_renewal(row)
        return EMPTY if moment is None else format_time(moment)

    @admin.display(description=_("tokens held"))
    def show_tokens(self, row: EntraSignIn) -> str:
        """Yes, no, or a dash while the cache does not say."""
        held = has_tokens(row)
        return EMPTY if held is None else str(_("Yes") if held else _("No"))

    @admin.action(permissions=["end"], description=_("Sign out"))
    def sign_out(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """End the chosen sign-ins."""
        return end_chosen(self, request, queryset, ONE)

    @admin.action(permissions=["end"], description=_("Sign out everywhere"))
    def sign_out_everywhere(
        self, request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponse | None:
        """End all sign-ins of the people of the chosen ones, also in browsers not listed."""
        return end_chosen(self, request, queryset, EVERYWHERE)


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
        wanted = build_search(search_term, ids=("oid", "tid"), user="user")
        return queryset.filter(wanted), False

    @admin.display(description=_("person"), ordering="user")
    def show_person(self, row: EntraIdentity) -> str:
        """Whose account it is."""
        return name_person(row.user, row.oid)
