"""Settings of the benchmark's site; where everything listens comes from the environment."""

import json
import os

from django_entra_auth.emulator import CLIENT_ID, CLIENT_SECRET

SECRET_KEY = "benchmarks-only-and-long-enough-for-every-check-" + "x" * 20
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
ROOT_URLCONF = "benchmarks.site.urls"
LOGIN_URL = "django_entra_auth:login"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django_entra_auth",
]
DJANGO_MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
MIDDLEWARE = [*DJANGO_MIDDLEWARE, "django_entra_auth.middleware.EntraAuthMiddleware"]
AUTHENTICATION_BACKENDS = ["django_entra_auth.backends.EntraBackend"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["BENCHMARK_DATABASE"],
        "CONN_MAX_AGE": None,
    }
}


def _redis(port: int, number: int = 0) -> dict[str, object]:
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": f"redis://127.0.0.1:{port}/{number}",
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 5, "SOCKET_TIMEOUT": 5},
    }


PORTS: dict[str, int] = json.loads(os.environ["BENCHMARK_PORTS"])
ALIAS = os.environ.get("BENCHMARK_ALIAS", "direct")
CACHES = {
    **{alias: _redis(port) for alias, port in PORTS.items()},
    "default": _redis(PORTS[ALIAS]),
    "memory_test": _redis(PORTS["direct"], 1),
    "locmem": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}
SESSION_ENGINE = "django.contrib.sessions.backends.cache"
SESSION_CACHE_ALIAS = ALIAS

AUTHORITY = os.environ["BENCHMARK_AUTHORITY"]
ENTRA_AUTH = {
    "CLIENT_ID": CLIENT_ID,
    "CLIENT_CREDENTIAL": CLIENT_SECRET,
    "AUTHORITY": AUTHORITY,
    "CA_BUNDLE": os.environ["BENCHMARK_CA_BUNDLE"],
    "LOCAL_EMULATOR": True,
    "CACHE_ALIAS": ALIAS,
}
