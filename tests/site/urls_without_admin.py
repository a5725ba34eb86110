from django.urls import include, path

from tests.site import views

urlpatterns = [
    path("", views.home, name="home"),
    path("private/", views.private, name="private"),
    path("auth/", include("django_entra_auth.urls")),
]
