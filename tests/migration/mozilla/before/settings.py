"""A project that signs people in with mozilla-django-oidc."""

from django_entra_auth.emulator import CLIENT_ID, CLIENT_SECRET, TENANT_ID
from tests.migration.base import *  # noqa: F403
from tests.migration.base import ENTRA, INSTALLED_APPS, MIDDLEWARE

ROOT_URLCONF = "tests.migration.mozilla.before.urls"
INSTALLED_APPS = [*INSTALLED_APPS, "mozilla_django_oidc"]
MIDDLEWARE = [*MIDDLEWARE, "mozilla_django_oidc.middleware.SessionRefresh"]
AUTHENTICATION_BACKENDS = ["tests.migration.mozilla.before.backends.GroupsBackend"]
LOGIN_URL = "oidc_authentication_init"
OIDC_RP_CLIENT_ID = CLIENT_ID
OIDC_RP_CLIENT_SECRET = CLIENT_SECRET
OIDC_RP_SIGN_ALGO = "RS256"
OIDC_RP_SCOPES = "openid profile email User.Read"
OIDC_OP_AUTHORIZATION_ENDPOINT = f"{ENTRA}/{TENANT_ID}/oauth2/v2.0/authorize"
OIDC_OP_TOKEN_ENDPOINT = f"{ENTRA}/{TENANT_ID}/oauth2/v2.0/token"
OIDC_OP_JWKS_ENDPOINT = f"{ENTRA}/{TENANT_ID}/discovery/v2.0/keys"
OIDC_OP_USER_ENDPOINT = f"{ENTRA}/oidc/userinfo"
OIDC_STORE_ACCESS_TOKEN = True
OIDC_RENEW_ID_TOKEN_EXPIRY_SECONDS = 900
