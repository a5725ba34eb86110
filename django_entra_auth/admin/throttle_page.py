"""The page of what is held back, and its two buttons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from django_entra_auth.admin.meaning import explain
from django_entra_auth.admin.people import name_person
from django_entra_auth.admin.read_only import ReadOnlyAdmin, format_time, write_log
from django_entra_auth.admin.throttles import (
    MOST_ROWS,
    Held,
    choose_rule,
    find_held,
    forget_answer,
    let_one_through,
    list_held,
)

TEMPLATE = "admin/django_entra_auth/tokenerrorrecord/throttles.html"


@dataclass(frozen=True, slots=True)
class Button:
    """What an operator may do; `permission` is the codename that allows it."""

    permission: str
    label: str | Promise
    done: str | Promise
    log: str


RELEASE = Button(
    permission="release_throttle",
    label=_("Let one request through now"),
    done=_("The next request goes through."),
    log="Let a held back request through.",
)
FORGET = Button(
    permission="forget_answer",
    label=_("Forget this answer"),
    done=_("The answer is forgotten; Microsoft will be asked again."),
    log="Forgot an answer that was given again.",
)
BUTTONS: Mapping[str, Button] = {"release": RELEASE, "forget": FORGET}
RULES: Mapping[str, str | Promise] = {
    "shared": _("Everybody who asks for the same"),
    "account": _("One account"),
    "rejection": _("One question, answered from memory"),
}


def show_throttles(model_admin: ReadOnlyAdmin, request: HttpRequest) -> HttpResponse:
    """GET shows what is held back, POST lets go of one."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    if request.method == "POST":
        return _let_go(model_admin, request)
    held = list_held()
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Held back now"),
        "opts": model_admin.opts,
        "media": model_admin.media,
        "rows": [_build_row(model_admin, request, one) for one in held],
        "most": MOST_ROWS if len(held) == MOST_ROWS else 0,
    }
    return TemplateResponse(request, TEMPLATE, context)


def _let_go(model_admin: ReadOnlyAdmin, request: HttpRequest) -> HttpResponse:
    name = request.POST.get("do", "")
    button = BUTTONS.get(name)
    if button is None or not model_admin.has_own_permission(request, button.permission):
        raise PermissionDenied
    key = request.POST.get("key", "")
    found = find_held(key)
    if found is None or _name_button(choose_rule(found[1])) != name:
        messages.warning(request, _("It is not held back any more."))
        return HttpResponseRedirect(request.path)
    record, entry = found
    if button is FORGET:
        forget_answer(key)
    else:
        let_one_through(key, entry)
    write_log(request, record, flag=CHANGE, message=button.log)
    messages.success(request, str(button.done))
    return HttpResponseRedirect(request.path)


def _build_row(model_admin: ReadOnlyAdmin, request: HttpRequest, held: Held) -> dict[str, Any]:
    name = _name_button(held.rule)
    button = BUTTONS[name]
    may = model_admin.has_own_permission(request, button.permission)
    return {
        "held": held,
        "meaning": explain(held.record),
        "whom": RULES[held.rule],
        "since": format_time(held.since),
        "person": name_person(held.record.user, held.record.oid),
        "do": name if may and not held.is_released else "",
        "label": button.label,
    }


def _name_button(rule: str) -> str:
    return "forget" if rule == "rejection" else "release"
