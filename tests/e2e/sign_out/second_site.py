"""Another site of the same organization as its own process; prints its port, ends with stdin."""

from __future__ import annotations

import sys
from pathlib import Path

import django
from django.conf import settings

from django_entra_auth.emulator import OTHER_CLIENT_ID, OTHER_CLIENT_SECRET
from tests.settings import base

COOKIE = "second_sessionid"  # cookies know no port: both sites are on one host


def main(authority: str, engine: str, folder: str) -> None:
    values = {name: getattr(base, name) for name in dir(base) if name.isupper()}
    values |= {
        "DATABASES": {
            "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(folder) / "second.db"}
        },
        "SECRET_KEY": values["SECRET_KEY"] + "-second",
        "SESSION_ENGINE": f"django.contrib.sessions.backends.{engine}",
        "SESSION_FILE_PATH": folder,
        "SESSION_COOKIE_NAME": COOKIE,
        "CSRF_COOKIE_NAME": "second_csrftoken",
        "ENTRA_AUTH": {
            "CLIENT_ID": OTHER_CLIENT_ID,
            "CLIENT_CREDENTIAL": OTHER_CLIENT_SECRET,
            "AUTHORITY": authority,
            "LOCAL_EMULATOR": True,
        },
    }
    settings.configure(**values)
    django.setup()
    serve()


def serve() -> None:
    from tests.e2e.serving import SiteServer, serving

    with serving(SiteServer()) as port:
        print(port, flush=True)  # noqa: T201  whoever started this waits for it
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
