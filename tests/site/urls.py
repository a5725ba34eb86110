from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from tests.site import views

urlpatterns = [
    path("", views.home, name="home"),
    path("private/", views.private, name="private"),
    path("private-async/", views.private_async, name="private_async"),
    path("private-class/", views.Private.as_view(), name="private_class"),
    path("reports/", views.reports, name="reports"),
    path("cycle/", views.cycle),
    path("cycle-async/", views.cycle_async),
    path("whoami/", views.whoami, name="whoami"),
    path(
        "admin/login/",
        RedirectView.as_view(pattern_name="django_entra_auth:login", query_string=True),
    ),
    path("admin/", admin.site.urls),
    path("auth/", include("django_entra_auth.urls")),
]
