"""A site whose every page has its language in the address, Entra's callback too."""

from __future__ import annotations

from django.conf.urls.i18n import i18n_patterns
from django.urls import include, path

from tests.site import views

urlpatterns = i18n_patterns(
    path("private/", views.private),
    path("auth/", include("django_entra_auth.urls")),
)
