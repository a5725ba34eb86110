"""The addresses of the project."""

from django.urls import include, path

from tests.migration import pages

urlpatterns = [
    path("", pages.home),
    path("me/", pages.me),
]
urlpatterns += [path("oauth2/", include("django_entra_auth.urls"))]
