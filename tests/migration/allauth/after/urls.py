"""The addresses of the project."""

from django.urls import include, path

from django_entra_auth.urls import urlpatterns as entra_urls
from django_entra_auth.views import callback
from tests.migration import pages
from tests.migration.allauth.after import views

urlpatterns = [
    path("", pages.home),
    path("me/", pages.me),
    path("graph/", views.graph),
]
both_callbacks = [
    path("auth/", include(entra_urls)),
    path("accounts/oidc/entra/login/callback/", callback, name="callback"),  # sent to Entra
]
urlpatterns += [path("", include((both_callbacks, "django_entra_auth")))]
