"""The page that asks Microsoft Graph."""

import requests
from django.conf import settings
from django.http import JsonResponse

from django_entra_auth.decorators import entra_login_required


@entra_login_required(scopes=["User.Read"])
def graph(request):
    auth = request.entra.auth(["User.Read"])
    answer = requests.get(f"{settings.GRAPH}/me", auth=auth, timeout=10)
    return JsonResponse({"name": answer.json()["displayName"]})
