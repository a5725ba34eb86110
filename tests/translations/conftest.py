"""A site that speaks the language of its visitors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import translation

AFTER = "django.contrib.sessions.middleware.SessionMiddleware"
LOCALE = "django.middleware.locale.LocaleMiddleware"


@pytest.fixture
def polyglot(settings: Any) -> Iterator[Any]:
    """The settings of docs/how-to/translate.md."""
    place = settings.MIDDLEWARE.index(AFTER) + 1
    settings.MIDDLEWARE = [*settings.MIDDLEWARE[:place], LOCALE, *settings.MIDDLEWARE[place:]]
    settings.LANGUAGES = [("en", "English"), ("de", "Deutsch")]
    # The middleware leaves its language behind, as it may: each request sets its own.
    with translation.override(settings.LANGUAGE_CODE):
        yield settings
