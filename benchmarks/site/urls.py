"""A path for each view."""

from django.urls import include, path

from benchmarks.site import askers, views

urlpatterns = [
    path("plain/", views.plain),
    path("guarded/", views.guarded),
    path("ours/", views.ours),
    path("ours-half/", views.ours_half),
    path("ours-never/", views.ours_never),
    path("msal-kept/", views.msal_kept),
    path("msal-rebuilt/", views.msal_rebuilt),
    path("identity/", views.identity),
    path("identity-alone/", views.identity_alone),
    path("auth/", include("django_entra_auth.urls")),
    askers.identity.urlpattern,
]
