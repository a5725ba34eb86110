"""The addresses of the project."""

from django.urls import include, path

from django_entra_auth.urls import urlpatterns as entra_urls
from django_entra_auth.views import callback
from tests.migration import pages
from tests.migration.msal.after import views

urlpatterns = [
    path("", pages.home),
    path("me/", pages.me),
    path("graph/", views.graph),
]
both_callbacks = [
    path("auth/", include(entra_urls)),
    path("getAToken", callback, name="callback"),  # the last one is sent to Entra
]
urlpatterns += [path("", include((both_callbacks, "django_entra_auth")))]
