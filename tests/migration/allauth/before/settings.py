"""A project that signs people in with django-allauth, by both of its ways to Entra."""

from django_entra_auth.emulator import CLIENT_ID, CLIENT_SECRET, TENANT_ID
from tests.migration.base import *  # noqa: F403
from tests.migration.base import ENTRA, INSTALLED_APPS, MIDDLEWARE

ROOT_URLCONF = "tests.migration.allauth.before.urls"
INSTALLED_APPS = [
    *INSTALLED_APPS,
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.socialaccount.providers.microsoft",
    "tests.migration.allauth.before",
]
MIDDLEWARE = [*MIDDLEWARE, "allauth.account.middleware.AccountMiddleware"]
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
LOGIN_URL = "/accounts/oidc/entra/login/"
ACCOUNT_EMAIL_VERIFICATION = "none"
SOCIALACCOUNT_LOGIN_ON_GET = True
SOCIALACCOUNT_STORE_TOKENS = True
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "APPS": [
            {
                "provider_id": "entra",
                "name": "Entra",
                "client_id": CLIENT_ID,
                "secret": CLIENT_SECRET,
                "settings": {
                    "server_url": f"{ENTRA}/{TENANT_ID}/v2.0",
                    "scope": ["openid", "profile", "email", "User.Read"],
                    "oauth_pkce_enabled": True,
                    "openid_configuration_overrides": {
                        "userinfo_endpoint": f"{ENTRA}/oidc/userinfo"
                    },
                },
            }
        ]
    },
    "microsoft": {
        "APPS": [
            {
                "client_id": CLIENT_ID,
                "secret": CLIENT_SECRET,
                "settings": {"tenant": TENANT_ID, "login_url": ENTRA, "graph_url": ENTRA},
            }
        ]
    },
}
