"""The addresses of the project."""

from django.urls import include, path

from tests.migration.allauth.before import views

urlpatterns = [
    path("", views.home),
    path("me/", views.me),
    path("graph/", views.graph),
    path("accounts/", include("allauth.urls")),
]
