"""An admin whose rows can be looked at, and nothing else."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_permission_codename
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import number_format

EMPTY = "–"  # noqa: RUF001  the dash that the admin shows

if TYPE_CHECKING:
    BaseAdmin = admin.ModelAdmin[Any]
else:
    BaseAdmin = admin.ModelAdmin


class ReadOnlyAdmin(BaseAdmin):
    """Shows rows to those with the model's view permission; nobody adds, changes or deletes."""

    # Each choice would be counted on its own, over all rows.
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    list_max_show_all = 200
    empty_value_display = EMPTY

    class Media:
        css = {"all": ["django_entra_auth/admin.css"]}

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody may on pages of ours; whoever deletes a user deletes what belongs to it."""
        page = request.resolver_match.url_name if request.resolver_match else None
        ours = f"{self.opts.app_label}_{self.opts.model_name}_"
        if page is None or page.startswith(ours):
            return False
        return bool(super().has_delete_permission(request, obj))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The view permission alone counts."""
        return self.has_own_permission(request, get_permission_codename("view", self.opts))

    def get_model_perms(self, request: HttpRequest) -> dict[str, bool]:
        """What the admin's index goes by: whoever may not look does not see that there is more."""
        others = dict.fromkeys(("add", "change", "delete"), False)
        return {**others, "view": self.has_view_permission(request)}

    def has_own_permission(self, request: HttpRequest, codename: str) -> bool:
        """Whether the person has a permission of this app."""
        return bool(request.user.has_perm(f"{self.opts.app_label}.{codename}"))


def format_time(moment: datetime) -> str:
    """A time on the site's clock, short enough for a wide list."""
    local = timezone.localtime(moment) if timezone.is_aware(moment) else moment
    return f"{local:%Y-%m-%d %H:%M}"


def format_count(count: int) -> str:
    """A count as the reader's language writes it: 1,234 or 1.234."""
    return number_format(count, force_grouping=True)


def write_log(request: HttpRequest, row: Model, *, flag: int, message: str) -> None:
    """Write a line into the admin's log; `flag` is CHANGE or DELETION."""
    LogEntry.objects.log_actions(
        request.user.pk,
        [row],
        flag,
        change_message=message,
        single_object=True,
    )
