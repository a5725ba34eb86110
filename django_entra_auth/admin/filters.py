"""The filters beside the list of token errors and the list of sign-ins."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from django_entra_auth.admin.meaning import CATEGORIES, find_title
from django_entra_auth.admin.periods import PERIOD_PARAMETER, PERIODS

NO_CATEGORY = "none"
MOST_CHOICES = 50
MOST_DIGITS = 9


class CategoryFilter(admin.SimpleListFilter):
    """By what has to happen."""

    title = _("category")
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """All categories there can be."""
        return [(name or NO_CATEGORY, label) for name, label in CATEGORIES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Rows of the chosen one."""
        value = self.value()
        if value is None:
            return queryset
        chosen: QuerySet[Any] = queryset.filter(category="" if value == NO_CATEGORY else value)
        return chosen


class PeriodFilter(admin.SimpleListFilter):
    """By how long ago it was last seen."""

    title = _("time")
    parameter_name = PERIOD_PARAMETER

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """An hour to a month."""
        return [(value, name) for value, (name, _length) in PERIODS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Rows seen since then."""
        period = PERIODS.get(self.value() or "")
        if period is None:
            return queryset
        chosen: QuerySet[Any] = queryset.filter(last_seen__gte=timezone.now() - period[1])
        return chosen


class ValueFilter(admin.SimpleListFilter):
    """By a value of the rows there are; `parameter_name` is the path to it."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The values there are, MOST_CHOICES at most."""
        path = str(self.parameter_name)
        # PostgreSQL finds the values without sorting all rows first: the few are sorted here.
        rows = model_admin.model._default_manager.order_by().values_list(path, flat=True)
        values = {value for value in rows.distinct()[: MOST_CHOICES + 1] if value}
        return [(str(value), self.describe(value)) for value in sorted(values)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Rows with the chosen value."""
        value = self.value()
        return queryset if value is None else queryset.filter(**{str(self.parameter_name): value})

    def describe(self, value: Any) -> str:
        """How a choice reads."""
        return str(value)


class NumberFilter(ValueFilter):
    """By AADSTS number."""

    title = _("AADSTS number")
    parameter_name = "number"

    def describe(self, value: Any) -> str:
        """The number and the beginning of its title."""
        return Truncator(f"{value} {find_title(value)}".strip()).chars(44)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Rows with this number; anything else resets the list, as Django does."""
        value = self.value()
        if value is not None and not (
            value.isascii() and value.isdecimal() and len(value) <= MOST_DIGITS
        ):
            raise IncorrectLookupParameters
        return super().queryset(request, queryset)


class TenantFilter(ValueFilter):
    """By tenant."""

    title = _("tenant")
    parameter_name = "tid"


class ResourceFilter(ValueFilter):
    """By what the token was for."""

    title = _("resource")
    parameter_name = "resource"


class IdentityTenantFilter(ValueFilter):
    """By the tenant of the account that signed in."""

    title = _("tenant")
    parameter_name = "identity__tid"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Tenants of all accounts: fewer rows than sign-ins."""
        identities = model_admin.model._meta.get_field("identity").related_model
        rows = identities._default_manager.order_by("tid").values_list("tid", flat=True)
        return [(value, value) for value in rows.distinct()[:MOST_CHOICES]]
