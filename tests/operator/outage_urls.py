"""The addresses of the outage drill's site."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import JsonResponse
from django.urls import include, path

from django_entra_auth.decorators import entra_login_required
from tests.operator.outage_site import become_operator, forget_rows, tell_rows

USER = ["User.Read"]


@entra_login_required
def plain(request: Any) -> JsonResponse:
    return JsonResponse({"oid": request.entra.account.oid})


@entra_login_required
def token(request: Any) -> JsonResponse:
    """A page that needs a token."""
    request.entra.token(USER)
    return JsonResponse({"oid": request.entra.account.oid})


urlpatterns = [
    path("plain/", plain),
    path("token/", token),
    path("drill/operator/", become_operator),
    path("drill/rows/", tell_rows),
    path("drill/forget/", forget_rows),
    path("auth/", include("django_entra_auth.urls")),
    path("admin/", admin.site.urls),
]
