"""The addresses of the project."""

from django.conf import settings
from django.urls import path

from tests.migration.identity.before import views

urlpatterns = [
    path("", views.home),
    path("me/", views.me),
    path("notes/add/", views.add_note),
    path("graph/", views.graph),
    settings.AUTH.urlpattern,
]
