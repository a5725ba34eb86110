"""The Conditional Access page: a button for each case, and what came of the newest one."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import uuid4

import requests
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_POST, require_safe

from django_entra_auth.decorators import entra_login_required
from django_entra_auth.exceptions import InteractionRequired, TokenError
from django_entra_auth.session import EntraHttpRequest

from . import local_entra, runs
from .cases import CASES, Case
from .timeline import note_api_calls

USER, MAIL, FILES, CALENDARS = ["User.Read"], ["Mail.Read"], ["Files.Read"], ["Calendars.Read"]
GRAPH_SECONDS = 10

View = Callable[..., HttpResponse]


@entra_login_required
@require_safe
def page(request: EntraHttpRequest) -> HttpResponse:
    """All cases, and the newest run."""
    return _render_page(request)


@entra_login_required
@require_safe
def newest(request: EntraHttpRequest) -> HttpResponse:
    """The newest run alone, for the scripts of the page."""
    return render(request, "demo/_run.html", _describe_run(request))


@entra_login_required(resume=False)
@require_POST
def start(request: EntraHttpRequest, key: str) -> HttpResponse:
    """A button was pressed: switch what the case needs, then go where it happens."""
    case = CASES.get(key)
    if case is None or case.way != "link":
        raise Http404
    return _begin(request, case) or _go(request, case)


def case_view(key: str) -> Callable[[View], View]:
    """A view of a case, which runs only after its button was pressed."""

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapper(request: EntraHttpRequest) -> HttpResponse:
            if not _is_running(request, key):
                # Other sites can send neither a form that passes the CSRF check nor this header.
                if request.method != "POST" and request.headers.get("HX-Request") != "true":
                    return redirect("conditional-access")
                if refusal := _begin(request, CASES[key]):
                    return refusal
            try:
                return view(request)
            except requests.RequestException as error:
                return _end(request, f"The call failed: {describe_failure(error)}.")

        return wrapper

    return decorate


@case_view("graph")
@entra_login_required
def call_graph(request: EntraHttpRequest) -> HttpResponse:
    """Ask Graph who the person is."""
    me = _call_graph(request, "GET", "/v1.0/me")
    return _end(request, f"Graph answered: you are {me['displayName']}.")


@case_view("revoke")
@entra_login_required
def call_graph_revoked(request: EntraHttpRequest) -> HttpResponse:
    """The same call; only the person's sign-ins were revoked before."""
    me = _call_graph(request, "GET", "/v1.0/me")
    return _end(request, f"Graph answers again: you are {me['displayName']}.")


@case_view("mail")
@entra_login_required(scopes=MAIL)
def read_mail(request: EntraHttpRequest) -> HttpResponse:
    """Read with a permission that is asked for when it is needed."""
    mail = _call_graph(request, "GET", "/v1.0/me/messages", MAIL)
    return _end(request, f"Your mailbox holds {len(mail['value'])} messages.")


@case_view("transfer")
@entra_login_required
def transfer(request: EntraHttpRequest) -> HttpResponse:
    """Carry out the order that the button gave; a run that is over does so no more."""
    _call_graph(request, "POST", "/v1.0/me/transfer", json={"amount": 120, "to": "Bob Brown"})
    return _end(request, "120 euros were transferred to Bob Brown, once.")


@case_view("form")
@entra_login_required(auth_context="c2")
def send_form(request: EntraHttpRequest) -> HttpResponse:
    """Take the form; by GET comes who turned back from the kept one."""
    if request.method != "POST":
        return redirect("conditional-access")
    words = request.POST.get("message", "").split()
    to = request.POST.get("to", "")[:60]
    return _end(request, f"Your message to {to} arrived complete: {len(words)} words.")


@case_view("htmx")
@entra_login_required(auth_context="c3")
@require_safe
def part(request: EntraHttpRequest) -> HttpResponse:
    """The part of the page that asks for itself."""
    _end(request, "The part of the page was loaded.")
    return render(request, "demo/_part.html", {"account": request.entra.account})


@case_view("fetch")
@entra_login_required(auth_context="c4")
@require_POST
def answer_script(request: EntraHttpRequest) -> HttpResponse:
    """What a script asks for."""
    _end(request, "The script got its answer.")
    return JsonResponse({"message": f"Order {uuid4().hex[:6]} was placed."})


@case_view("blocked")
@entra_login_required(scopes=FILES)
def read_files(request: EntraHttpRequest) -> HttpResponse:
    """Never reached while the policy is on."""
    return _end(request, "Your files are open to you: the policy is off.")


@case_view("throttle")
@entra_login_required
def refresh(request: EntraHttpRequest) -> HttpResponse:
    """Ask Entra for a new token, even when there is one."""
    result = request.entra.acquire_token_silent(CALENDARS, force_refresh=True)
    if result is None or "error" in result:
        raise TokenError(result)
    return _end(request, "Entra answers again, and the site has a new token.")


@case_view("recent")
@entra_login_required
def confirm(request: EntraHttpRequest) -> HttpResponse:
    """Credentials given since the button was pressed; the app checks when they were."""
    run = runs.load(request)
    if run is None or not run.is_back:
        raise InteractionRequired(max_age=0)
    return _end(request, "You have just given your password.")


def describe_failure(error: requests.RequestException) -> str:
    """What is to be said of a call that brought nothing."""
    if error.response is None:
        return "Graph does not answer"
    return f"Graph answered with {error.response.status_code}"


def _go(request: HttpRequest, case: Case) -> HttpResponse:
    """On to the case: a page, as a redirect after a POST could not go further to Entra.

    The policy `form-action 'self'` holds for every redirect that follows a form.
    """
    context = {"case": case, "url": reverse(f"conditional-access-{case.key}")}
    return render(request, "demo/going.html", context)


def _is_running(request: HttpRequest, key: str) -> bool:
    run = runs.load(request)
    return run is not None and run.case == key and not run.is_over


def _begin(request: EntraHttpRequest, case: Case) -> HttpResponse | None:
    """Switch the local Entra for this person and start a timeline; a page when that fails."""
    account = request.entra.account
    person = local_entra.find_short_name(account.username) if account else None
    if account is None or person is None:
        return None
    try:
        _switch(person, case)
        seen = len(local_entra.load_graph_calls(account.oid))
    except local_entra.LocalEntraDown as error:
        return _render_page(request, trouble=str(error), status=503)
    runs.begin(request, case=case.key, oid=account.oid, seen_calls=seen)
    policy = case.policy["name"] if case.policy else ""
    runs.add_step(request, "you", f"You pressed “{case.title}”.", policy_for_you=policy)
    return None


def _switch(person: str, case: Case) -> None:
    local_entra.switch_policies(person, case.policy)
    if case.revokes:
        local_entra.revoke_sign_ins(person)
    if case.throttle_seconds:
        local_entra.throttle_refreshes(person, case.throttle_seconds)


def _call_graph(
    request: EntraHttpRequest, method: str, where: str, scopes: list[str] = USER, **sent: Any
) -> dict[str, Any]:
    """One call; a claims challenge is answered by `request.entra.auth`, or raised."""
    auth = request.entra.auth(scopes)
    with local_entra.open_session() as session:
        url = f"{local_entra.get_origin()}{where}"
        response = session.request(method, url, auth=auth, timeout=GRAPH_SECONDS, **sent)
        response.raise_for_status()
        return dict(response.json())


def _end(request: HttpRequest, outcome: str) -> HttpResponse:
    note_api_calls(request)
    runs.add_step(request, "end", outcome)
    runs.end(request, outcome)
    return HttpResponseRedirect(reverse("conditional-access"))


def _render_page(request: HttpRequest, *, trouble: str = "", status: int = 200) -> HttpResponse:
    context = {
        **_describe_run(request),
        "cases": CASES.values(),
        "control_url": f"{local_entra.get_origin()}/control",
        "trouble": trouble,
    }
    return render(request, "demo/conditional_access.html", context, status=status)


def _describe_run(request: HttpRequest) -> dict[str, Any]:
    run = runs.load(request)
    return {"run": run, "case": CASES[run.case] if run else None}


_VIEWS: dict[str, View] = {
    "graph": call_graph,
    "revoke": call_graph_revoked,
    "mail": read_mail,
    "transfer": transfer,
    "form": send_form,
    "htmx": part,
    "fetch": answer_script,
    "blocked": read_files,
    "throttle": refresh,
    "recent": confirm,
}
urlpatterns = [
    path("", page, name="conditional-access"),
    path("newest/", newest, name="conditional-access-newest"),
    path("start/<slug:key>/", start, name="conditional-access-start"),
    *(path(f"{key}/", view, name=f"conditional-access-{key}") for key, view in _VIEWS.items()),
]
