"""A view that calls Graph with `request.entra.auth`, where and how the request's query says."""

from __future__ import annotations

import requests
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.urls import include, path

from django_entra_auth.decorators import entra_login_required
from tests.site import views


@entra_login_required
def call(request: HttpRequest) -> JsonResponse:
    entra = settings.ENTRA_AUTH
    try:
        answer = requests.get(
            request.GET["url"],
            auth=request.entra.auth(request.GET["scopes"].split()),
            proxies=entra["PROXIES"],
            verify=entra["CA_BUNDLE"],
            timeout=10,
        )
    except ValueError as refused:
        return JsonResponse({"refused": str(refused)})
    return JsonResponse({"status": answer.status_code, "body": answer.json()})


urlpatterns = [
    path("private/", views.private),
    path("whoami/", views.whoami),
    path("call/", call),
    path("auth/", include("django_entra_auth.urls")),
]
