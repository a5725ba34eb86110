"""The addresses of the project."""

from django.urls import path

from tests.migration import pages
from tests.migration.msal.before import views

urlpatterns = [
    path("", pages.home),
    path("me/", pages.me),
    path("graph/", views.graph),
    path("login", views.login),
    path("getAToken", views.get_a_token),
    path("logout", views.logout),
]
