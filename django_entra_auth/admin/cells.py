"""Cells of the lists: two lines where two columns would not fit, and a label for narrow screens."""

from __future__ import annotations

from datetime import datetime

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_entra_auth.admin.read_only import format_time

Text = str | Promise


def draw_cell(label: Text, value: object, note: object = "") -> SafeString:
    """A value with a quieter line below it; the label shows where the table has no head."""
    below = format_html('<span class="entra-note">{}</span>', note) if note else ""
    return format_html('<span class="entra-label">{}</span>{}{}', label, value, below)


def draw_last_and_first(label: Text, last: datetime, first: datetime) -> SafeString:
    """When it last happened, and since when, if that is another minute."""
    texts = format_time(last), format_time(first)
    note = "" if texts[0] == texts[1] else _("since %(time)s") % {"time": texts[1]}
    return draw_cell(label, texts[0], note)
