"""The addresses of the project."""

from django.urls import include, path

from tests.migration import pages
from tests.migration.allauth.before import views

urlpatterns = [
    path("", pages.home),
    path("me/", pages.me),
    path("graph/", views.graph),
    path("accounts/", include("allauth.urls")),
]
