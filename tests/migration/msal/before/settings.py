"""A project that signs people in with msal and views of its own."""

from django_entra_auth.emulator import CLIENT_ID as CLIENT_ID
from django_entra_auth.emulator import CLIENT_SECRET as CLIENT_SECRET
from django_entra_auth.emulator import TENANT_ID
from tests.migration.base import *  # noqa: F403
from tests.migration.base import ENTRA, SITE

ROOT_URLCONF = "tests.migration.msal.before.urls"
LOGIN_URL = "/login"
AUTHORITY = f"{ENTRA}/{TENANT_ID}"
REDIRECT_URI = f"{SITE}/getAToken"
