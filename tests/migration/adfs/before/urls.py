"""The addresses of the project."""

from django.urls import include, path

from tests.migration import pages

urlpatterns = [
    path("", pages.home),
    path("me/", pages.me),
    path("oauth2/", include("django_auth_adfs.urls")),
]
