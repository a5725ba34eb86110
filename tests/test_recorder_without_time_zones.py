"""The recorder on a site without time zones."""

from __future__ import annotations

from typing import Any

import pytest

from django_entra_auth import signals
from django_entra_auth.models import TokenErrorRecord


@pytest.mark.django_db
def test_naive_times_are_written_too(settings: Any) -> None:
    settings.USE_TZ = False
    result = {"error": "invalid_grant", "error_codes": [50173], "suberror": "bad_token"}
    for _ in range(2):
        signals.token_error.send(None, request=None, result=result, scopes=(), account=None)
    row = TokenErrorRecord.objects.get()
    assert (row.count, row.number) == (2, 50173)
