"""The addresses of the project."""

from django.urls import include, path

from tests.migration.mozilla.before import views

urlpatterns = [
    path("", views.Home.as_view()),
    path("me/", views.Me.as_view()),
    path("graph/", views.Graph.as_view()),
    path("oidc/", include("mozilla_django_oidc.urls")),
]
