"""The plain shape: a site with sessions in the database and a cache of its own."""

from django_entra_auth.emulator import CLIENT_ID, CLIENT_SECRET, TENANT_ID

SECRET_KEY = "tests-only-and-long-enough-for-every-check-" + "x" * 20
DEBUG = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1", ".example.test"]
USE_TZ = True
ROOT_URLCONF = "tests.site.urls"
STATIC_URL = "static/"
LOGIN_URL = "django_entra_auth:login"
LOGIN_REDIRECT_URL = "/"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_entra_auth",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_entra_auth.middleware.EntraAuthMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTHENTICATION_BACKENDS = [
    "django_entra_auth.backends.EntraBackend",
    "django.contrib.auth.backends.ModelBackend",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# The port is replaced by the one of the running emulator (fixture `entra_settings`).
ENTRA_AUTH = {
    "CLIENT_ID": CLIENT_ID,
    "CLIENT_CREDENTIAL": CLIENT_SECRET,
    "AUTHORITY": f"http://localhost:8400/{TENANT_ID}",
    "LOCAL_EMULATOR": True,
}
