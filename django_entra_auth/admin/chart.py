"""Draws the overview as SVG; every colour comes from the style sheet, by class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from django_entra_auth.admin.meaning import CATEGORIES
from django_entra_auth.admin.overview import Overview, floor_to_bar
from django_entra_auth.admin.read_only import format_count
from django_entra_auth.admin.rows import to_moment

WIDTH, HEIGHT = 960, 230
LEFT, RIGHT, TOP, BOTTOM = 72, 8, 12, 30  # margins that the labels need
MARKS = 6
LAST_MARK = WIDTH - 90  # a label further right would be cut off
GAP = 1.5
DAY = 1440  # minutes
BAR_WIDTH = 160


@dataclass(frozen=True, slots=True)
class Scale:
    """Where times (Unix minutes) and counts are in the picture."""

    first: int
    last: int
    step: int
    top: int

    @property
    def bar_width(self) -> float:
        """Of one bar, gap included."""
        return (WIDTH - LEFT - RIGHT) / ((self.last - self.first) // self.step + 1)

    def x(self, minute: int) -> float:
        """The left edge of a bar."""
        return round(LEFT + (minute - self.first) / self.step * self.bar_width, 1)

    def y(self, count: float) -> float:
        """The height of a count, from above."""
        return round(HEIGHT - BOTTOM - count / self.top * (HEIGHT - BOTTOM - TOP), 1)


def draw_bars(overview: Overview) -> SafeString:
    """Errors over time, a stack of categories for each bar."""
    scale = _choose_scale(overview)
    return format_html(
        '<svg class="entra-chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}</svg>',
        WIDTH,
        HEIGHT,
        _("Errors over time by category: %(count)d altogether") % {"count": overview.total},
        _draw_counts(scale),
        _draw_times(scale),
        format_html_join("", "{}", ((bar,) for bar in _draw_stacks(overview, scale))),
    )


def draw_share(count: int, most: int) -> SafeString:
    """A bar as long as `count` is of `most`; the number itself stands beside it."""
    return format_html(
        '<svg class="entra-share" viewBox="0 0 {} 10" preserveAspectRatio="none"'
        ' aria-hidden="true">'
        '<rect class="entra-share-bar" width="{}" height="10"/></svg>',
        BAR_WIDTH,
        max(2, round(BAR_WIDTH * count / most)),
    )


def draw_key(category: str) -> SafeString:
    """The colour of a category, for the legend."""
    return format_html(
        '<svg class="entra-key" viewBox="0 0 12 12" aria-hidden="true">'
        '<rect class="{}" width="12" height="12" rx="2"/></svg>',
        name_class(category),
    )


def name_class(category: str) -> str:
    """The class that colours a category; one nobody knows looks like none."""
    return f"entra-category-{category if category in CATEGORIES and category else 'none'}"


def describe_time(minute: int, step: int) -> str:
    """The start of a bar in the site's time."""
    moment = timezone.localtime(to_moment(minute))
    if step >= DAY:
        return date_format(moment, "SHORT_DATE_FORMAT")
    return date_format(moment, "j M, H:i")


def _choose_scale(overview: Overview) -> Scale:
    step = overview.period.step
    most = max((sum(bar.values()) for bar in overview.bars.values()), default=0)
    return Scale(
        first=floor_to_bar(overview.period.start.timestamp(), step),
        last=floor_to_bar(overview.period.end.timestamp() - 1, step),
        step=step,
        top=_round_up(most),
    )


def _round_up(most: int) -> int:
    """A round number that is not smaller, and can be halved."""
    size = 1
    while True:
        for digit in (2, 4, 6, 10):
            if digit * size >= most:
                return digit * size
        size *= 10


def _draw_counts(scale: Scale) -> SafeString:
    lines = ((count, scale.y(count)) for count in (0, scale.top // 2, scale.top))
    return format_html_join(
        "",
        '<path class="entra-line" d="M{} {}H{}"/>'
        '<text class="entra-mark" x="{}" y="{}" text-anchor="end">{}</text>',
        ((LEFT, y, WIDTH - RIGHT, LEFT - 8, y + 4, format_count(count)) for count, y in lines),
    )


def _draw_times(scale: Scale) -> SafeString:
    bars = (scale.last - scale.first) // scale.step + 1
    every = -(-bars // MARKS)
    minutes = [scale.first + number * scale.step for number in range(0, bars, every)]
    return format_html_join(
        "",
        '<text class="entra-mark entra-mark-time" x="{}" y="{}">{}</text>',
        (
            (min(scale.x(minute), LAST_MARK), HEIGHT - 8, describe_time(minute, scale.step))
            for minute in minutes
        ),
    )


def _draw_stacks(overview: Overview, scale: Scale) -> Iterator[SafeString]:
    order = list(overview.by_category)
    for minute, bar in overview.bars.items():
        below = 0
        for category in sorted(bar, key=order.index):
            yield _draw_part(scale, minute, category, below=below, count=bar[category])
            below += bar[category]


def _draw_part(scale: Scale, minute: int, category: str, *, below: int, count: int) -> SafeString:
    top = scale.y(below + count)
    return format_html(
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>',
        name_class(category),
        scale.x(minute),
        top,
        round(max(1, scale.bar_width - GAP), 1),
        round(scale.y(below) - top, 1),
        f"{describe_time(minute, scale.step)}: {CATEGORIES.get(category, category)},"
        f" {format_count(count)}",
    )
