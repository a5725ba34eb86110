"""A site whose one view keeps what it gets, as a prompt would, and takes it the second time."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters

from django_entra_auth.conf import get_settings
from django_entra_auth.interaction import resume_pages
from django_entra_auth.interaction.browser import new_browser, read_browser, set_browser
from django_entra_auth.interaction.resume import Owner, grant, keep_form
from django_entra_auth.interaction.sent_form import NotKept

FORM = """<!doctype html><html lang=en><title>Form</title><h1>Form</h1>
<form method=post action="/take/?from=form">{token}{inputs}<button>Go</button></form>"""

taken: list[dict[str, Any]] = []  # what the view got in the end


def form(request: HttpRequest) -> HttpResponse:
    """A page with a form; its inputs are put in by the tests."""
    from django.middleware.csrf import get_token

    token = f'<input type=hidden name=csrfmiddlewaretoken value="{get_token(request)}">'
    return HttpResponse(FORM.format(token=token, inputs=""))


@sensitive_post_parameters("card")
def take(request: HttpRequest) -> HttpResponse:
    """Keep the first POST and grant it at once; take the ones that follow."""
    if request.method != "POST":
        return HttpResponse("<!doctype html><html lang=en><title>Take</title><h1>Take</h1>")
    if request.session.pop("kept", False):
        taken.append({"body": request.body.decode(), "origin": request.headers.get("Origin")})
        return JsonResponse({"fields": dict(request.POST.lists())})
    browser = read_browser(request, secure=request.is_secure()) or new_browser()
    resume_id = keep_form(
        request,
        Owner(browser, str(request.user.pk or "")),
        flow_id=new_browser().encode(),
        settings=get_settings(),
    )
    if isinstance(resume_id, NotKept):
        return HttpResponse(resume_id.value, status=409)
    grant(request.session, resume_id)
    request.session["kept"] = True
    response = HttpResponse(f'<meta http-equiv="refresh" content="0;url=/resume/{resume_id}/">')
    set_browser(response, browser, secure=request.is_secure())
    return response


@csrf_protect
def resume(request: HttpRequest, resume_id: str) -> HttpResponse:
    """The pages under test."""
    if request.method == "POST":
        return resume_pages.send(request, resume_id)
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET", "POST"])
    return resume_pages.show(request, resume_id)


urlpatterns = [
    path("form/", form),
    path("take/", take),
    path("resume/<slug:resume_id>/", resume),
    path("auth/", include("django_entra_auth.urls")),
]
