"""The page that asks Microsoft Graph."""

import requests
from allauth.socialaccount.models import SocialToken
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse


@login_required
def graph(request: HttpRequest) -> HttpResponse:
    stored = SocialToken.objects.get(account__user=request.user, account__provider="entra")
    answer = requests.get(
        f"{settings.GRAPH}/me", headers={"Authorization": f"Bearer {stored.token}"}, timeout=10
    )
    return JsonResponse({"name": answer.json()["displayName"]})
