"""The same project after the move from django-auth-adfs."""

import os

from tests.migration.base import *  # noqa: F403
from tests.migration.base import INSTALLED_APPS, MIDDLEWARE
from tests.migration.local_entra import local_entra

ROOT_URLCONF = "tests.migration.adfs.after.urls"
INSTALLED_APPS += ["django_entra_auth"]
MIDDLEWARE += ["django_entra_auth.middleware.EntraAuthMiddleware"]
AUTHENTICATION_BACKENDS = ["django_entra_auth.backends.EntraBackend"]
LOGIN_URL = "django_entra_auth:login"
ENTRA_AUTH = {
    "CLIENT_ID": os.environ["ENTRA_CLIENT_ID"],
    "CLIENT_CREDENTIAL": os.environ["ENTRA_CLIENT_SECRET"],
    "TENANT_ID": os.environ["ENTRA_TENANT_ID"],
    "GROUPS_CLAIM": "roles",
    "GROUP_MAPPING": {"Editor": "Editor", "Admin": "Admin"},
    "STAFF_ROLES": ["Admin"],
}
ENTRA_AUTH |= local_entra()
