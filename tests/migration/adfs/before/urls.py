"""The addresses of the project."""

from django.urls import include, path

from tests.migration.adfs.before import views

urlpatterns = [
    path("", views.home),
    path("me/", views.me),
    path("oauth2/", include("django_auth_adfs.urls")),
]
