"""The demo's pages: open to all, to people signed in, to people with a permission."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from django_entra_auth.decorators import entra_login_required
from django_entra_auth.emulator import MFA_CODE, PASSWORD
from django_entra_auth.session import EntraHttpRequest

from .claims import build_claim_rows, format_claim
from .people import list_people


def home(request: HttpRequest) -> HttpResponse:
    """Say what the demo shows and who can sign in."""
    context = {"people": list_people(), "password": PASSWORD, "mfa_code": MFA_CODE}
    return render(request, "demo/home.html", context)


@entra_login_required
def profile(request: EntraHttpRequest) -> HttpResponse:
    """Show what the site knows about the person and about this sign-in."""
    claims = request.entra.claims
    context = {
        "account": request.entra.account,
        "display_name": claims.get("name") or request.user.get_username(),
        "claims": build_claim_rows(claims),
        "sign_in": _describe_sign_in(request, claims),
    }
    return render(request, "demo/profile.html", context)


@permission_required("auth.view_user")
def reports(request: HttpRequest) -> HttpResponse:
    """Show who signed in here; without the permission this leads to the sign-in address."""
    people = get_user_model().objects.filter(last_login__isnull=False).order_by("-last_login")
    return render(request, "demo/reports.html", {"people": people[:100]})


def _describe_sign_in(request: HttpRequest, claims: dict[str, Any]) -> dict[str, Any]:
    known = {name: claims[name] for name in ("auth_time", "acrs") if name in claims}
    return {
        **{name: format_claim(name, value) for name, value in known.items()},
        "is_guest": claims.get("acct") == 1 or "idp" in claims,
        "expires": request.session.get_expiry_date(),
    }
