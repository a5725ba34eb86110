"""A site whose one view takes every path there is."""

from django.urls import include, path, re_path

from tests.challenges import site

urlpatterns = [path("auth/", include("django_entra_auth.urls")), re_path("", site.token)]
