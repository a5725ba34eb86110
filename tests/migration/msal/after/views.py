"""A public page, one for people who are signed in, and one that asks Microsoft Graph."""

import requests
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse

from django_entra_auth.decorators import entra_login_required


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("home")


@login_required
def me(request: HttpRequest) -> HttpResponse:
    user = request.user
    return JsonResponse(
        {
            "pk": user.pk,
            "username": user.get_username(),
            "groups": sorted(user.groups.values_list("name", flat=True)),
        }
    )


@entra_login_required(scopes=["User.Read"])
def graph(request):
    auth = request.entra.auth(["User.Read"])
    answer = requests.get(f"{settings.GRAPH}/me", auth=auth, timeout=10)
    return JsonResponse({"name": answer.json()["displayName"]})
