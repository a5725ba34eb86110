"""A public page, one for people who are signed in, and one that asks Microsoft Graph."""

import requests
from allauth.socialaccount.models import SocialToken
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("home")


@login_required
def me(request: HttpRequest) -> HttpResponse:
    user = request.user
    return JsonResponse(
        {
            "pk": user.pk,
            "username": user.get_username(),
            "email": user.email,
            "groups": sorted(user.groups.values_list("name", flat=True)),
        }
    )


@login_required
def graph(request: HttpRequest) -> HttpResponse:
    stored = SocialToken.objects.get(account__user=request.user, account__provider="entra")
    answer = requests.get(
        f"{settings.GRAPH}/me", headers={"Authorization": f"Bearer {stored.token}"}, timeout=10
    )
    return JsonResponse({"name": answer.json()["displayName"]})
