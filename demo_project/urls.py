"""The demo's addresses."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from . import conditional_access, views

urlpatterns = [
    path("", views.home, name="home"),
    path("profile/", views.profile, name="profile"),
    path("reports/", views.reports, name="reports"),
    path("conditional-access/", include(conditional_access.urlpatterns)),
    path("auth/", include("django_entra_auth.urls")),
    # The admin has its own password form; here Entra signs its people in as well.
    path(
        "admin/login/",
        RedirectView.as_view(pattern_name="django_entra_auth:login", query_string=True),
    ),
    path("admin/", admin.site.urls),
]
