"""A public page, pages for people who are signed in, and one that asks Microsoft Graph."""

from typing import Any

import requests
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from tests.migration.identity.notes.models import Note


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("home")


@settings.AUTH.login_required
def me(request: HttpRequest, *, context: dict[str, Any]) -> HttpResponse:
    claims = context["user"]
    notes = Note.objects.filter(owner=claims["sub"])
    return JsonResponse(
        {
            "name": claims["name"],
            "is_editor": "Editor" in claims.get("roles", []),
            "notes": [note.text for note in notes],
        }
    )


@settings.AUTH.login_required
def add_note(request: HttpRequest, *, context: dict[str, Any]) -> HttpResponse:
    note = Note.objects.create(owner=context["user"]["sub"], text="written before the move")
    return JsonResponse({"pk": note.pk})


@settings.AUTH.login_required(scopes=["User.Read"])
def graph(request: HttpRequest, *, context: dict[str, Any]) -> HttpResponse:
    answer = requests.get(
        f"{settings.GRAPH}/me",
        headers={"Authorization": f"Bearer {context['access_token']}"},
        timeout=10,
    )
    return JsonResponse({"name": answer.json()["displayName"]})
