"""One of several processes that report failures to the same database at once.

Arguments: the database's file, the Unix time to begin at, and how many failures to report.
"""

import os
import sys
import time

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings.base"


def main(path: str, begin: float, times: int) -> None:
    import django
    from django.conf import settings

    from tests.databases import SQLITE_OPTIONS

    settings.DATABASES["default"].update(NAME=path, OPTIONS=SQLITE_OPTIONS)
    django.setup()
    from django_entra_auth.recorder import write_events
    from django_entra_auth.recorder.events import Event

    time.sleep(max(0, begin - time.time()))
    for _ in range(times):
        write_events([Event(kind="refresh", error="server_error", oid="o", tid="t")])


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
