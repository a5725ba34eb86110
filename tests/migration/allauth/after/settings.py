"""The same project after the move from django-allauth, whose tables are still needed to link."""

import os

from tests.migration.base import *  # noqa: F403
from tests.migration.base import INSTALLED_APPS, MIDDLEWARE
from tests.migration.local_entra import local_entra

ROOT_URLCONF = "tests.migration.allauth.after.urls"
INSTALLED_APPS += ["allauth", "allauth.account", "allauth.socialaccount"]  # until all are linked
MIDDLEWARE += ["allauth.account.middleware.AccountMiddleware"]  # as long as the apps are there
INSTALLED_APPS += ["django_entra_auth"]
MIDDLEWARE += ["django_entra_auth.middleware.EntraAuthMiddleware"]
AUTHENTICATION_BACKENDS = ["django_entra_auth.backends.EntraBackend"]
LOGIN_URL = "django_entra_auth:login"
ENTRA_AUTH = {
    "CLIENT_ID": os.environ["ENTRA_CLIENT_ID"],
    "CLIENT_CREDENTIAL": os.environ["ENTRA_CLIENT_SECRET"],
    "TENANT_ID": os.environ["ENTRA_TENANT_ID"],
    "SCOPES": ["User.Read"],
    "GROUP_MAPPING": {"Editor": "editors"},
}
ENTRA_AUTH |= local_entra()
