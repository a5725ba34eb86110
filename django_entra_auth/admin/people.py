"""Finds people by what an operator types, and says who somebody is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import reduce
from operator import and_, or_
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import CharField, Q, QuerySet, TextField

from django_entra_auth.sign_ins import normalise_guid

MOST_WORDS = 5
MOST_PEOPLE = 1000


def build_search(text: str, *, ids: Sequence[str], user: str) -> Q:
    """Rows with a GUID in a field of `ids`, or else those whose `user` has the words; "" is all."""
    words = text.strip()
    if not words:
        return Q()
    if guid := normalise_guid(words):
        return reduce(or_, (Q(**{field: guid}) for field in ids))
    return Q(**{f"{user}__in": find_people(words)})


def find_people(words: str) -> Collection[Any] | QuerySet[Any]:
    """Whose name or e-mail address has all words: keys, or the query when they are many.

    People are looked for once; a join would look for them in each query of a page.
    """
    terms = words.split()[:MOST_WORDS]
    names = _list_name_fields()
    if not terms or not names:
        return []
    matches = (reduce(or_, (Q(**{f"{name}__icontains": word}) for name in names)) for word in terms)
    people = get_user_model()._default_manager.filter(reduce(and_, matches)).values("pk")
    keys = [row["pk"] for row in people[: MOST_PEOPLE + 1]]
    return keys if len(keys) <= MOST_PEOPLE else people


def name_person(user: Any, oid: str) -> str:
    """The user name, else the object id, else nothing."""
    return str(user.get_username()) if user is not None else oid


def _list_name_fields() -> list[str]:
    model = get_user_model()
    wanted = {
        model.USERNAME_FIELD,
        getattr(model, "EMAIL_FIELD", "email"),
        "first_name",
        "last_name",
    }
    texts = (CharField, TextField)
    return [
        field.name
        for field in model._meta.concrete_fields
        if field.name in wanted and isinstance(field, texts)
    ]
