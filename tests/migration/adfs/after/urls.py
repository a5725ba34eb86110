"""The addresses of the project."""

from django.urls import include, path

from tests.migration.adfs.after import views

urlpatterns = [
    path("", views.home),
    path("me/", views.me),
]
urlpatterns += [path("oauth2/", include("django_entra_auth.urls"))]
