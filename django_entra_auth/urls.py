"""Include under a prefix of your choice: ``path("auth/", include("django_entra_auth.urls"))``."""

from django.urls import URLPattern, path

from django_entra_auth import views

app_name: str = "django_entra_auth"

urlpatterns: list[URLPattern] = [
    path("login/", views.login, name="login"),
    path("callback", views.callback, name="callback"),
    path("logout/", views.logout, name="logout"),
    path("resume/<str:resume_id>/", views.resume, name="resume"),
    path("front-channel-logout", views.front_channel_logout, name="front_channel_logout"),
]
