"""A public page and one for people who are signed in."""

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
            "is_staff": user.is_staff,
            "groups": sorted(user.groups.values_list("name", flat=True)),
        }
    )
