"""A public page, one for people who are signed in, and one that asks Microsoft Graph."""

import requests
from django.conf import settings
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import View

from django_entra_auth.mixins import EntraLoginRequiredMixin
from tests.migration.pages import tell


class Home(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("home")


class Me(LoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return tell(request.user)


class Graph(EntraLoginRequiredMixin, View):
    entra_scopes = ["User.Read"]

    def get(self, request):
        auth = request.entra.auth(["User.Read"])
        answer = requests.get(f"{settings.GRAPH}/me", auth=auth, timeout=10)
        return JsonResponse({"name": answer.json()["displayName"]})
