"""A project that signs people in with identity; it has no Django users."""

from identity.django import Auth

from django_entra_auth.emulator import CLIENT_ID, CLIENT_SECRET, TENANT_ID
from tests.migration.base import *  # noqa: F403
from tests.migration.base import ENTRA, INSTALLED_APPS, SITE

ROOT_URLCONF = "tests.migration.identity.before.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "identity", "tests.migration.identity.notes"]
AUTH = Auth(
    CLIENT_ID,
    client_credential=CLIENT_SECRET,
    authority=f"{ENTRA}/{TENANT_ID}",
    redirect_uri=f"{SITE}/signin/response",
)
