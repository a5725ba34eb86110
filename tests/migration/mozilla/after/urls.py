"""The addresses of the project."""

from django.urls import include, path

from django_entra_auth.urls import urlpatterns as entra_urls
from django_entra_auth.views import callback
from tests.migration.mozilla.after import views

urlpatterns = [
    path("", views.Home.as_view()),
    path("me/", views.Me.as_view()),
    path("graph/", views.Graph.as_view()),
]
both_callbacks = [
    path("auth/", include(entra_urls)),
    path("oidc/callback/", callback, name="callback"),  # the last one is sent to Entra
]
urlpatterns += [path("", include((both_callbacks, "django_entra_auth")))]
