"""Numbers about the sign-in service itself: passing trouble and throttling."""

from __future__ import annotations

from typing import Final

from .entry import Entry, group
from .entry import gettext_noop as _

SERVICE: Final[tuple[Entry, ...]] = (
    *group(
        "transient",
        "nobody",
        _("Try again in a few minutes."),
        {
            40010: _("Another identity provider has a passing problem"),
            50000: _("The token could not be issued"),
            50033: _("The service has a passing problem"),
            50087: _("Strong authentication has a passing problem"),
            50157: _("The sign-in has to be routed elsewhere"),
            70012: _("The service for personal accounts has a problem"),
            80001: _("The organization's own directory cannot be reached"),
            90006: _("Another service has a passing problem"),
            90012: _("The request took too long"),
            90024: _("The service is too busy for this request"),
            90033: _("The directory is not available at the moment"),
            90036: _("The directory has an unexpected problem"),
            90090: _("The directory's interface has a passing problem"),
            90091: _("The directory's interface cannot be reached"),
            90092: _("The directory's interface has an unexpected problem"),
        },
    ),
    *group(
        "throttled",
        "nobody",
        _("Wait some minutes before the next attempt."),
        {
            50088: _("Too many phone calls or messages for multi-factor authentication"),
            50166: _("The external provider received too many requests"),
            90055: _("The organization sends too many requests"),
        },
    ),
    *group(
        "throttled",
        "operator",
        _("Wait some minutes; the application may be losing its session cookie and starting over."),
        {50196: _("The same request came too often, as in a loop")},
    ),
)
