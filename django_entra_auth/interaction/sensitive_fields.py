"""Which fields of a form its view has declared sensitive, found before the view runs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from types import FunctionType, MethodType
from typing import Any

from django.http import HttpRequest
from django.views.decorators.debug import sensitive_post_parameters

MAX_CALLABLES = 500
HANDLERS = ("setup", "dispatch", "post")

_DECORATOR_MODULE = sensitive_post_parameters.__module__


@dataclass(frozen=True, slots=True)
class SensitiveFields:
    """`name in fields` tells whether a field must not be kept; password fields never are."""

    names: frozenset[str] = frozenset()
    is_all: bool = False

    def __contains__(self, name: str) -> bool:
        return self.is_all or name in self.names or "password" in name.lower()


def find_sensitive_fields(
    request: HttpRequest, *views: Callable[..., Any] | None
) -> SensitiveFields:
    """What Django's `sensitive_post_parameters` says of this request and these views.

    Where the decorator has run, it is read from the request; where it has not, from the view: its
    decorators, and the handlers of its class and their parents. What cannot be read counts as all
    fields. A decorated function that the view merely calls in its body is not seen.
    """
    found = [_as_names(getattr(request, "sensitive_post_parameters", ()))]
    found += [_read_parameters(one) for one in _walk(views) if _is_of_decorator(one)]
    if None in found:
        return SensitiveFields(is_all=True)
    return SensitiveFields(frozenset(chain.from_iterable(names or () for names in found)))


def _is_of_decorator(one: object) -> bool:
    """Whether a function is made by a decorator of Django's debug module.

    Its own name is the view's; its globals are the module's.
    """
    return _is_unknown(one) or (
        isinstance(one, FunctionType)
        and one.__globals__.get("__name__") == _DECORATOR_MODULE
        and "variables" not in one.__code__.co_freevars  # the one for local variables
    )


def _read_parameters(wrapper: Any) -> tuple[str, ...] | None:
    """The names given to the decorator; None for all, or when they cannot be read."""
    if _is_unknown(wrapper):
        return None
    cells = dict(zip(wrapper.__code__.co_freevars, wrapper.__closure__ or (), strict=False))
    if "parameters" not in cells:
        return None
    values = list(_contents(cells["parameters"]))
    return _as_names(values[0]) or None if values else None


def _as_names(value: object) -> tuple[str, ...] | None:
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        return tuple(value)
    return None


_UNKNOWN = object()  # stands for what was not looked at any more


def _is_unknown(one: object) -> bool:
    return one is _UNKNOWN


def _walk(views: Iterable[object]) -> Iterator[object]:
    """Every callable the views are wrapped around, each once; ends with `_UNKNOWN` at the cap."""
    seen: dict[int, object] = {}  # holding each keeps its id its own
    waiting = list(views)
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        if len(seen) == MAX_CALLABLES:
            yield _UNKNOWN
            return
        seen[id(one)] = one
        yield one
        waiting.extend(_neighbours(one))


def _neighbours(one: Any) -> Iterator[object]:
    if isinstance(one, partial):
        return _callables([one.func, *one.args])
    if isinstance(one, MethodType):
        owner = one.__self__ if isinstance(one.__self__, type) else type(one.__self__)
        name = getattr(one.__func__, "__name__", "")
        return chain([one.__func__], _handlers(owner, [name]))
    if isinstance(one, type):
        return _handlers(one, HANDLERS)
    members = getattr(one, "__dict__", {})
    if isinstance(one, FunctionType):
        attributes = [members.get(name) for name in ("__wrapped__", "view_class", "cls")]
        classes = [value for value in attributes if isinstance(value, type)]
        closed_over = chain.from_iterable(map(_contents, one.__closure__ or ()))
        return chain(classes, _callables([*attributes, *closed_over]))
    return chain(_handlers(type(one), ["__call__"]), _callables(list(members.values())))


def _handlers(owner: type, names: Iterable[str]) -> Iterator[object]:
    """These methods of a class and of its parents, which `super()` may reach."""
    wanted = list(names)
    for parent in inspect.getmro(owner):
        for name in wanted:
            method = vars(parent).get(name)
            if method is not None:
                yield getattr(method, "__func__", method)


def _callables(values: Iterable[object]) -> Iterator[object]:
    """The callables among values and in their lists; classes are no wrappers."""
    for value in values:
        for one in value if isinstance(value, list | tuple) else [value]:
            if callable(one) and not isinstance(one, type):
                yield one


def _contents(cell: Any) -> Iterator[object]:
    """What a closure's cell holds, unless it is still empty."""
    try:
        yield cell.cell_contents
    except ValueError:
        return
