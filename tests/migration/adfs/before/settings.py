"""A project that signs people in with django-auth-adfs."""

import os

from django_entra_auth.emulator import CLIENT_ID, CLIENT_SECRET, TENANT_ID
from tests.migration.base import *  # noqa: F403
from tests.migration.base import INSTALLED_APPS

ROOT_URLCONF = "tests.migration.adfs.before.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "django_auth_adfs"]
AUTHENTICATION_BACKENDS = [
    "django_auth_adfs.backend.AdfsAuthCodeBackend",
    "django.contrib.auth.backends.ModelBackend",
]
LOGIN_URL = "django_auth_adfs:login"
AUTH_ADFS = {
    "AUDIENCE": CLIENT_ID,
    "CLIENT_ID": CLIENT_ID,
    "CLIENT_SECRET": CLIENT_SECRET,
    "TENANT_ID": TENANT_ID,
    "RELYING_PARTY_ID": CLIENT_ID,
    "VERSION": "v2.0",
    "SCOPES": ["openid", f"api://{CLIENT_ID}/.default"],
    "CLAIM_MAPPING": {"first_name": "given_name", "last_name": "family_name", "email": "email"},
    "USERNAME_CLAIM": "upn",
    "GROUPS_CLAIM": "roles",
    "MIRROR_GROUPS": True,
    "GROUP_TO_FLAG_MAPPING": {"is_staff": "Admin"},
    "CA_BUNDLE": os.environ["REQUESTS_CA_BUNDLE"],
    "SETTINGS_CLASS": "tests.migration.adfs.local_settings_class.LocalSettings",
}
