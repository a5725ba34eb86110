"""The catalogue of AADSTS numbers: complete, without duplicates, readable."""

from __future__ import annotations

from typing import get_args

import pytest

from django_entra_auth.oauth2 import classify
from django_entra_auth.oauth2.aadsts import Actor, Category, all_entries, find

# The buckets of Microsoft's numbers that applications meet most, and what they must come out as.
BUCKETS = {
    "interaction": [50072, 50074, 50076, 50078, 50079, 500121, 50058, 16000],
    "additional_action": [50097, 50129, 50155, 50187, 53000, 53001, 530002, 530003, 700003],
    "blocked": [53003, 530031, 530032, 530035, 50131, 53011, 50105, 50020, 51004, 90072, 50057],
    "consent": [65001, 90094, 90095, 900941],
    "cancelled": [65004],
    "expired_grant": [50132, 50133, 50173, 70008, 700082, 700084, 70043, 70044, 50089, 54005],
    "configuration": [7000215, 7000216, 7000218, 7000222, 700027, 700024, 700016, 500011, 50011],
    "transient": [90006, 90012, 90024, 90033, 50033, 90090, 90091, 50087, 70012],
    "throttled": [50196, 90055, 50088],
    "password_change": [50055, 50142, 50144],
}


def test_size():
    assert len(all_entries()) >= 120


def test_no_number_twice():
    numbers = [entry.number for entry in all_entries()]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("entry", all_entries(), ids=lambda entry: str(entry.number))
def test_entry(entry):
    assert entry.category in get_args(Category)
    assert entry.actor in get_args(Actor)
    assert len(entry.title) > 10
    assert not entry.title.endswith(".")
    assert entry.remedy.endswith(".")
    assert 4 <= len(str(entry.number)) <= 8
    assert find(entry.number) is entry


def test_no_title_twice():
    titles = [entry.title for entry in all_entries()]
    assert sorted(titles) == sorted(set(titles))


@pytest.mark.parametrize(
    ("category", "number"), [(name, n) for name, numbers in BUCKETS.items() for n in numbers]
)
def test_buckets(category, number):
    """A bare invalid_grant leaves the matter open, so that the number decides."""
    found = classify({"error": "invalid_grant", "error_codes": [number]})
    assert (found.category, found.number) == (category, number)


def test_unknown():
    assert find(1) is None
