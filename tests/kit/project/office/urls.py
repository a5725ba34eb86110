from django.urls import include, path

from reports import views

urlpatterns = [
    path("", views.home),
    path("mail/", views.mail),
    path("payroll/", views.payroll),
    path("accounts/entra/", include("django_entra_auth.urls")),
]
