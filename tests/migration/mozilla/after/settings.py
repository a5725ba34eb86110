"""The same project after the move from mozilla-django-oidc."""

import os

from tests.migration.base import *  # noqa: F403
from tests.migration.base import INSTALLED_APPS, MIDDLEWARE
from tests.migration.local_entra import local_entra

ROOT_URLCONF = "tests.migration.mozilla.after.urls"
INSTALLED_APPS += ["django_entra_auth"]
MIDDLEWARE += ["django_entra_auth.middleware.EntraAuthMiddleware"]
AUTHENTICATION_BACKENDS = ["django_entra_auth.backends.EntraBackend"]
LOGIN_URL = "django_entra_auth:login"
ENTRA_AUTH = {
    "CLIENT_ID": os.environ["ENTRA_CLIENT_ID"],
    "CLIENT_CREDENTIAL": os.environ["ENTRA_CLIENT_SECRET"],
    "TENANT_ID": os.environ["ENTRA_TENANT_ID"],
    "SCOPES": ["User.Read"],
    "REVALIDATE_SECONDS": 900,
    "GROUP_MAPPING": {"Editor": "editors"},
    "STAFF_ROLES": ["Admin"],
}
ENTRA_AUTH |= local_entra()
