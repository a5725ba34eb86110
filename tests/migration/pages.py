"""Pages that a project has before and after its move, unchanged."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse


def home(request: HttpRequest) -> HttpResponse:
    """Open to everybody."""
    return HttpResponse("home")


@login_required
def me(request: HttpRequest) -> HttpResponse:
    """Who is signed in."""
    return tell(request.user)


def tell(user: Any) -> HttpResponse:
    """What a project knows of somebody."""
    return JsonResponse(
        {
            "pk": user.pk,
            "username": user.get_username(),
            "email": user.email,
            "is_staff": user.is_staff,
            "groups": sorted(user.groups.values_list("name", flat=True)),
        }
    )
