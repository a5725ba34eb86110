"""Views that ask for what the kit can give."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from django_entra_auth.decorators import entra_login_required
from django_entra_auth.exceptions import InteractionRequired
from tests.site.urls import urlpatterns as site

CLAIMS = '{"access_token":{"acrs":{"essential":true,"value":"c7"}}}'


@entra_login_required(auth_context="c1")
def context(request: HttpRequest) -> HttpResponse:
    return HttpResponse("in")


@entra_login_required(max_age=300)
def age(request: HttpRequest) -> HttpResponse:
    return HttpResponse("in")


@entra_login_required(scopes=["Mail.Read"])
def mail(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.entra.token(["mail.read"]))


@entra_login_required(scopes=["Mail.Read"])
async def async_mail(request: HttpRequest) -> HttpResponse:
    entra = await request.aentra()
    return HttpResponse(await entra.atoken(["Mail.Read"]))


@entra_login_required(scopes=["api://mine/Do"])
def mine(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.entra.token(["api://mine/Do"]))


@entra_login_required(scopes=["Files.Read", "Files.ReadWrite"])
def never_had(request: HttpRequest) -> HttpResponse:
    return HttpResponse("in")


@entra_login_required
def raises(request: HttpRequest) -> HttpResponse:
    raise InteractionRequired(scopes=["Mail.Read"], claims=CLAIMS)


urlpatterns = [
    *site,
    path("context/", context),
    path("age/", age),
    path("mail/", mail),
    path("async-mail/", async_mail),
    path("mine/", mine),
    path("never-had/", never_had),
    path("raises/", raises),
]
