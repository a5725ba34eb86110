"""A public page, one for people who are signed in, and one that asks Microsoft Graph."""

import requests
from django.conf import settings
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import View

from tests.migration.pages import tell


class Home(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("home")


class Me(LoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return tell(request.user)


class Graph(LoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        token = request.session["oidc_access_token"]
        answer = requests.get(
            f"{settings.GRAPH}/me", headers={"Authorization": f"Bearer {token}"}, timeout=10
        )
        return JsonResponse({"name": answer.json()["displayName"]})
