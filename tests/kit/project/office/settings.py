import os
import sys

from django_entra_auth.testing import minimal_settings

TESTING = "test" in sys.argv or "PYTEST_VERSION" in os.environ

ENTRA_AUTH = {
    "CLIENT_ID": os.environ.get("ENTRA_CLIENT_ID"),
    "CLIENT_CREDENTIAL": os.environ.get("ENTRA_CLIENT_SECRET"),
    "TENANT_ID": os.environ.get("ENTRA_TENANT_ID"),
    "STAFF_ROLES": ["Admin"],
    "BLOCK_GUESTS": True,
}

if TESTING:
    ENTRA_AUTH = minimal_settings(ENTRA_AUTH)

SECRET_KEY = os.environ.get("SECRET_KEY", "for-tests-and-nothing-else")
DEBUG = False
ROOT_URLCONF = "office.urls"
STATIC_URL = "static/"
USE_TZ = True
GRAPH = "https://graph.microsoft.com/v1.0"
LOGIN_URL = "django_entra_auth:login"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_entra_auth",
    "reports",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_entra_auth.middleware.EntraAuthMiddleware",
]
AUTHENTICATION_BACKENDS = ["django_entra_auth.backends.EntraBackend"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
