import requests
from django.conf import settings
from django.http import HttpResponse
from django_entra_auth.decorators import entra_login_required


@entra_login_required
def home(request):
    return HttpResponse(f"<h1>Hello {request.entra.account.username}</h1>")


@entra_login_required(scopes=["Mail.Read"])
def mail(request):
    messages = fetch_messages(request.entra.auth(["Mail.Read"]))
    return HttpResponse(f"<h1>{len(messages)} messages</h1>")


@entra_login_required(auth_context="c1", max_age=600)
def payroll(request):
    return HttpResponse("<h1>Payroll</h1>")


def fetch_messages(auth):
    response = requests.get(f"{settings.GRAPH}/me/messages", auth=auth, timeout=10)
    response.raise_for_status()
    return response.json()["value"]
