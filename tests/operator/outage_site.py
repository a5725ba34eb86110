"""The site of the outage drill, in processes of its own: pages that need tokens, and the admin."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

WAIT_SECONDS = 60
RECORDED_HEADER = "X-Drill-Recorded"
SECONDS_HEADER = "X-Drill-Seconds"
UID = "django_entra_auth.recorder"

_is_recorded: ContextVar[bool] = ContextVar("is_recorded", default=True)


@dataclass(frozen=True)
class Order:
    """What a process of the site is to run with; `database` as in DATABASES."""

    database: dict[str, Any]
    cache: str
    entra_auth: dict[str, Any]


class SiteProcess:
    """A worker of the site."""

    def __init__(self, order: Order) -> None:
        context = multiprocessing.get_context("spawn")
        self._channel, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, order), daemon=True)
        self._process.start()
        theirs.close()
        assert self._channel.poll(WAIT_SECONDS), "the site does not start"
        self.origin = f"http://127.0.0.1:{self._channel.recv()}"

    def stop(self) -> None:
        """End the process."""
        self._channel.send(None)
        self._process.join(WAIT_SECONDS)
        self._channel.close()
        self._process.close()


def choose_recording(get_response: Callable[..., Any]) -> Callable[..., Any]:
    """Middleware: a header says whether errors are recorded; another tells how long it took."""

    def answer(request: Any) -> Any:
        token = _is_recorded.set(request.headers.get(RECORDED_HEADER) != "no")
        begun = time.perf_counter()
        try:
            response = get_response(request)
        finally:
            _is_recorded.reset(token)
        response[SECONDS_HEADER] = f"{time.perf_counter() - begun:.6f}"
        return response

    return answer


def become_operator(request: Any) -> Any:
    """Sign the browser in as a superuser."""
    from django.contrib.auth import get_user_model, login
    from django.http import HttpResponse

    model = get_user_model()
    operator, _made = model.objects.get_or_create(
        username="operator", is_staff=True, is_superuser=True
    )
    login(request, operator, backend="django.contrib.auth.backends.ModelBackend")
    return HttpResponse()


def tell_rows(request: Any) -> Any:
    """How many rows there are, of how many people and reasons, and how much they count."""
    from django.db.models import Sum
    from django.http import JsonResponse

    from django_entra_auth.models import TokenErrorRecord

    names = ("kind", "category", "reason", "error", "suberror", "number", "resource")
    rows = TokenErrorRecord.objects.order_by()
    return JsonResponse(
        {
            "rows": rows.count(),
            "people": rows.values("oid").distinct().count(),
            "reasons": sorted({json.dumps(one) for one in rows.values_list(*names)}),
            "counted": rows.aggregate(total=Sum("count"))["total"] or 0,
        }
    )


def forget_rows(request: Any) -> Any:
    """Begin anew."""
    from django.http import HttpResponse

    from django_entra_auth.models import TokenErrorRecord

    TokenErrorRecord.objects.all().delete()
    return HttpResponse()


def _serve(channel: Connection, order: Order) -> None:
    """Serve on a port of its own, say which, and go on until told to stop."""
    _configure(order)
    from django.core.handlers.wsgi import WSGIHandler
    from django.core.management import call_command
    from django.test.testcases import LiveServerThread

    call_command("migrate", verbosity=0)
    _gate_recorder()
    as_it_is: Any = lambda handler: WSGIHandler()  # noqa: E731  no static files here
    server = LiveServerThread("127.0.0.1", as_it_is)
    server.daemon = True
    server.start()
    server.is_ready.wait(WAIT_SECONDS)
    channel.send(server.port)
    channel.recv()
    server.terminate()


def _configure(order: Order) -> None:
    import django
    from django.conf import settings

    from tests.settings import base

    values = {name: getattr(base, name) for name in dir(base) if name.isupper()}
    values["DATABASES"] = {"default": order.database}
    backend = "django.core.cache.backends.redis.RedisCache"
    values["CACHES"] = {"default": {"BACKEND": backend, "LOCATION": order.cache}}
    values["ENTRA_AUTH"] = order.entra_auth
    values["ROOT_URLCONF"] = "tests.operator.outage_urls"
    values["MIDDLEWARE"] = [f"{__name__}.choose_recording", *base.MIDDLEWARE]
    settings.configure(**values)
    django.setup()


def _gate_recorder() -> None:
    """The recorder listens to those requests alone that say so; the others cost what they would."""
    from django_entra_auth import signals
    from django_entra_auth.recorder import receivers

    def gate(receiver: Callable[..., Any]) -> Callable[..., Any]:
        def listen(sender: Any, **named: Any) -> None:
            if _is_recorded.get():
                receiver(sender, **named)

        return listen

    for signal, receiver in (
        (signals.token_error, receivers._on_token_error),
        (signals.sign_in_failed, receivers._on_sign_in_failed),
        (signals.claims_challenged, receivers._on_claims_challenged),
    ):
        assert signal.disconnect(dispatch_uid=UID)
        signal.connect(gate(receiver), dispatch_uid=UID, weak=False)
