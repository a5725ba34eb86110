"""Fixtures for the admin's pages: who looks at them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.admin.making_rows import make_person


@pytest.fixture
def visit(db: None) -> Callable[..., Client]:
    """`visit("view_tokenerrorrecord", …)` is a browser of staff with these permissions."""

    def sign_in(*permissions: str, **members: Any) -> Client:
        person = make_person("olga", *permissions, **members)
        client = Client(enforce_csrf_checks=False)
        client.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in
