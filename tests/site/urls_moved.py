from django.urls import include, path

from tests.site import views

urlpatterns = [
    path("", views.home, name="home"),
    path("private/", include("django_entra_auth.urls")),
]
