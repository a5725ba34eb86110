"""A public page, pages for people who are signed in, and one that asks Microsoft Graph."""

import requests
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from django_entra_auth.decorators import entra_login_required
from tests.migration.identity.notes.models import Note


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("home")


@entra_login_required
def me(request):
    claims = request.entra.claims
    notes = Note.objects.filter(owner=claims["oid"])
    return JsonResponse(
        {
            "name": claims["name"],
            "is_editor": request.user.groups.filter(name="editors").exists(),
            "notes": [note.text for note in notes],
        }
    )


@entra_login_required(scopes=["User.Read"])
def graph(request):
    auth = request.entra.auth(["User.Read"])
    answer = requests.get(f"{settings.GRAPH}/me", auth=auth, timeout=10)
    return JsonResponse({"name": answer.json()["displayName"]})
