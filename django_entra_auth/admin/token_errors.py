"""The list of token errors, the overview above it, and the page of one."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from django_entra_auth.admin import filters, meaning
from django_entra_auth.admin.cells import draw_cell, draw_last_and_first
from django_entra_auth.admin.chart import (
    describe_time,
    draw_bars,
    draw_key,
    draw_share,
)
from django_entra_auth.admin.overview import Overview, build_overview
from django_entra_auth.admin.people import name_person
from django_entra_auth.admin.periods import choose_period
from django_entra_auth.admin.read_only import EMPTY, ReadOnlyAdmin, format_count
from django_entra_auth.admin.rows import DATE_FIELD, ErrorRows, search_rows
from django_entra_auth.admin.throttle_page import show_throttles
from django_entra_auth.models import TokenErrorRecord


class TokenErrorAdmin(ReadOnlyAdmin):
    """What failed, for whom, since when, and what to do about it."""

    list_display = ("list_last_seen", "list_category", "list_number", "list_person", "list_count")
    list_filter = (
        filters.PeriodFilter,
        filters.CategoryFilter,
        filters.NumberFilter,
        filters.TenantFilter,
        filters.ResourceFilter,
    )
    list_select_related = ("user",)
    list_per_page = 50
    date_hierarchy = DATE_FIELD
    ordering = ("-last_seen", "-pk")
    search_fields = ("correlation_id",)
    fieldsets = (
        (_("What it means"), {"fields": ("show_title", "show_actor", "show_remedy", "show_link")}),
        (
            _("What happened"),
            {
                "fields": (
                    "kind",
                    "show_category",
                    "show_number",
                    "error",
                    "suberror",
                    "show_words",
                    "show_person",
                    "resource",
                    "tid",
                    "correlation_id",
                    "show_claims",
                    "count",
                    "first_seen",
                    "last_seen",
                    "throttle_until",
                )
            },
        ),
        (_("For a support ticket"), {"fields": ("show_ticket",)}),
    )
    readonly_fields = (
        "show_title",
        "show_actor",
        "show_remedy",
        "show_link",
        "show_category",
        "show_number",
        "show_words",
        "show_person",
        "show_claims",
        "show_ticket",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Rows that know their dates."""
        rows = ErrorRows(TokenErrorRecord)
        ordered: QuerySet[Any] = rows.order_by(*self.ordering)
        return ordered

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By person, correlation id or number; nothing is found twice."""
        return search_rows(queryset, search_term), False

    def get_urls(self) -> list[URLPattern]:
        """The page of what is held back, beside the list."""
        view = self.admin_site.admin_view(partial(show_throttles, self))
        name = f"{self.opts.app_label}_{self.opts.model_name}_throttles"
        return [path("throttles/", view, name=name), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list with the overview of the rows that its filters leave."""
        response = super().changelist_view(request, extra_context)
        if isinstance(response, TemplateResponse) and response.context_data:
            changes = response.context_data.get("cl")
            if changes is not None:
                response.context_data["overview"] = _show_overview(request, changes)
        return response

    @admin.display(description=_("last seen"), ordering="last_seen")
    def list_last_seen(self, record: TokenErrorRecord) -> SafeString:
        """When it last happened, and since when."""
        return draw_last_and_first(_("Last seen"), record.last_seen, record.first_seen)

    @admin.display(description=_("category"), ordering="category")
    def list_category(self, record: TokenErrorRecord) -> SafeString:
        """The category."""
        return draw_cell(_("Category"), self.show_category(record))

    @admin.display(description=_("AADSTS number"), ordering="number")
    def list_number(self, record: TokenErrorRecord) -> SafeString:
        """The number with its title, without one the reason or the error; and the sub-error."""
        has_number = record.number is not None
        words = self.show_number(record) if has_number else record.reason or record.error or EMPTY
        return draw_cell(_("AADSTS number"), words, record.suberror)

    @admin.display(description=_("person and resource"), ordering="user")
    def list_person(self, record: TokenErrorRecord) -> SafeString:
        """Who it happened to, and what the token was for."""
        return draw_cell(_("Person"), self.show_person(record), record.resource)

    @admin.display(description=_("count"), ordering="count")
    def list_count(self, record: TokenErrorRecord) -> SafeString:
        """How often within the minute."""
        return draw_cell(_("Count"), record.count)

    @admin.display(description=_("category"))
    def show_category(self, record: TokenErrorRecord) -> SafeString:
        """The category beside its colour."""
        label = meaning.CATEGORIES.get(record.category, record.category)
        return format_html("{} {}", draw_key(record.category), label)

    @admin.display(description=_("AADSTS number"))
    def show_number(self, record: TokenErrorRecord) -> str:
        """The number with its title."""
        if record.number is None:
            return EMPTY
        return f"{record.number} {meaning.find_title(record.number)}".strip()

    @admin.display(description=_("person"))
    def show_person(self, record: TokenErrorRecord) -> str:
        """Who it happened to, as far as anybody knows."""
        return name_person(record.user, record.oid) or EMPTY

    @admin.display(description=_("what happened"))
    def show_title(self, record: TokenErrorRecord) -> str:
        """In one sentence."""
        return str(meaning.explain(record).title)

    @admin.display(description=_("who must act"))
    def show_actor(self, record: TokenErrorRecord) -> str:
        """Whose turn it is."""
        return str(meaning.explain(record).actor)

    @admin.display(description=_("what helps"))
    def show_remedy(self, record: TokenErrorRecord) -> str:
        """What to do."""
        return str(meaning.explain(record).remedy)

    @admin.display(description=_("Microsoft's page"))
    def show_link(self, record: TokenErrorRecord) -> str:
        """Where Microsoft explains the number."""
        if record.number is None:
            return EMPTY
        return format_html(
            '<a href="{}" rel="noreferrer">AADSTS{}</a>',
            meaning.build_link(record.number),
            record.number,
        )

    @admin.display(description=_("what the person read"))
    def show_words(self, record: TokenErrorRecord) -> str:
        """The words of this site's page."""
        words = ((text,) for text in meaning.list_words_shown(record))
        return format_html_join("", '<div class="entra-words">{}</div>', words) or EMPTY

    @admin.display(description=_("claims asked for"))
    def show_claims(self, record: TokenErrorRecord) -> str:
        """The claims challenge."""
        if not record.claims:
            return EMPTY
        return _show_block(meaning.format_claims(record.claims), _("Claims asked for"))

    @admin.display(description=_("to copy"))
    def show_ticket(self, record: TokenErrorRecord) -> SafeString:
        """All there is to tell, selected by one click."""
        return _show_block(meaning.build_ticket(record), _("To copy"))


def _show_block(text: str, label: Any) -> SafeString:
    return format_html(
        '<pre class="entra-copy" tabindex="0" role="region" aria-label="{}">{}</pre>', label, text
    )


def _show_overview(request: HttpRequest, changes: ChangeList) -> dict[str, Any]:
    period = choose_period(request.GET, timezone.now())
    overview = build_overview(changes.queryset, period)
    most = max((one.count for one in overview.numbers), default=1)
    return {
        "data": overview,
        "chart": draw_bars(overview),
        "categories": [
            (draw_key(name), meaning.CATEGORIES.get(name, name), count)
            for name, count in overview.by_category.items()
        ],
        "numbers": [
            (one, draw_share(one.count, most), changes.get_query_string({"number": one.number}))
            for one in overview.numbers
        ],
        "times": _list_times(overview),
    }


def _list_times(overview: Overview) -> list[tuple[str, int, str]]:
    """The chart once more, for those who cannot see it."""
    return [
        (
            describe_time(minute, overview.period.step),
            sum(bar.values()),
            ", ".join(
                f"{meaning.CATEGORIES.get(name, name)} {format_count(bar[name])}" for name in bar
            ),
        )
        for minute, bar in overview.bars.items()
    ]
