from django.contrib.auth.decorators import login_not_required, permission_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.generic import View

from django_entra_auth.decorators import entra_login_required
from django_entra_auth.mixins import EntraLoginRequiredMixin


@login_not_required
def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("<!doctype html><html lang=en><title>Home</title><h1>Home</h1>")


def _page(username: str) -> HttpResponse:
    body = f"<!doctype html><html lang=en><title>Private</title><h1>Private of {username}</h1>"
    return HttpResponse(body)


@entra_login_required
def private(request: HttpRequest) -> HttpResponse:
    return _page(request.entra.account.username)


@entra_login_required
async def private_async(request: HttpRequest) -> HttpResponse:
    entra = await request.aentra()
    return _page(entra.account.username)


class Private(EntraLoginRequiredMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return _page(request.entra.account.username)


@permission_required("auth.view_user")
def reports(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Reports")


@entra_login_required()
def whoami(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"username": request.entra.account.username, "user": request.user.pk})


def cycle(request: HttpRequest) -> HttpResponse:
    """What a change of password does to a session."""
    request.session.cycle_key()
    return HttpResponse()


async def cycle_async(request: HttpRequest) -> HttpResponse:
    await request.session.acycle_key()
    return HttpResponse()
