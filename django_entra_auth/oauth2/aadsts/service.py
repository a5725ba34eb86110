"""Numbers about the sign-in service itself: passing trouble and throttling."""

from __future__ import annotations

from typing import Final

from .entry import Entry, group

SERVICE: Final[tuple[Entry, ...]] = (
    *group(
        "transient",
        "nobody",
        "Try again in a few minutes.",
        {
            40010: "Another identity provider has a passing problem",
            50000: "The token could not be issued",
            50033: "The service has a passing problem",
            50087: "Strong authentication has a passing problem",
            50157: "The sign-in has to be routed elsewhere",
            70012: "The service for personal accounts has a problem",
            80001: "The organization's own directory cannot be reached",
            90006: "Another service has a passing problem",
            90012: "The request took too long",
            90024: "The service is too busy for this request",
            90033: "The directory is not available at the moment",
            90036: "The directory has an unexpected problem",
            90090: "The directory's interface has a passing problem",
            90091: "The directory's interface cannot be reached",
            90092: "The directory's interface has an unexpected problem",
        },
    ),
    *group(
        "throttled",
        "nobody",
        "Wait some minutes before the next attempt.",
        {
            50088: "Too many phone calls or messages for multi-factor authentication",
            50166: "The external provider received too many requests",
            90055: "The organization sends too many requests",
        },
    ),
    *group(
        "throttled",
        "operator",
        "Wait some minutes; the application may be losing its session cookie and starting over.",
        {50196: "The same request came too often, as in a loop"},
    ),
)
