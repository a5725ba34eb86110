"""Settings of the demo site: for one developer on one machine, never for the open network."""

import os
from pathlib import Path
from typing import Any

from django_entra_auth.emulator import CLIENT_ID, CLIENT_SECRET, TENANT_ID

BASE_DIR = Path(__file__).resolve().parent.parent
EMULATOR_PORT = int(os.environ.get("EMULATOR_PORT") or 8400)

DEBUG = True
# Known to everybody who reads this file, which is fine on a loopback address only.
SECRET_KEY = "demo-site-key-that-protects-nothing-of-value"  # noqa: S105
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_entra_auth",
    "demo_project",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "demo_project.middleware.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "demo_project.timeline.watch",
    "django_entra_auth.middleware.EntraAuthMiddleware",
]

ROOT_URLCONF = "demo_project.urls"
WSGI_APPLICATION = "demo_project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "demo.sqlite3",
        # Many tabs write at once: each waits for its turn instead of failing in mid-transaction.
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20},
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# One process serves the demo, so memory does as a cache; several processes need a shared one.
SILENCED_SYSTEM_CHECKS = ["django_entra_auth.W002"]
CACHES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
}
if redis_url := os.environ.get("REDIS_URL"):
    CACHES["default"] = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": redis_url}

AUTHENTICATION_BACKENDS = ["django_entra_auth.backends.EntraBackend"]
LOGIN_URL = "django_entra_auth:login"
LOGIN_REDIRECT_URL = "profile"

ENTRA_AUTH = {
    "CLIENT_ID": CLIENT_ID,
    "CLIENT_CREDENTIAL": CLIENT_SECRET,
    "AUTHORITY": f"http://localhost:{EMULATOR_PORT}/{TENANT_ID}",
    "LOCAL_EMULATOR": True,
    "STAFF_ROLES": ["Admin"],
    "SUPERUSER_ROLES": ["Admin"],
    # Short, so that a visitor sees a step-up come to its end.
    "STEP_UP_SECONDS": 300,
}

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
