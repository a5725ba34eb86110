"""The settings, through the system checks of this app."""

from __future__ import annotations

from django.core.checks import ERROR, CheckMessage
from django.core.checks.registry import registry

from django_entra_auth.doctor.findings import (
    Finding,
    Findings,
    failed,
    never_breaking,
    passed,
    warned,
)

TOPIC = "settings"
SCOPED_ROLES = "django_entra_auth.E007"


@never_breaking(TOPIC)
def look(*, deploy: bool) -> Findings:
    """Every message of this app's checks, those for production too with `deploy`."""
    own = [
        check
        for check in registry.get_checks(include_deployment_checks=deploy)
        if check.__module__.partition(".")[0] == "django_entra_auth"
    ]
    messages = [message for check in own for message in check(app_configs=None, databases=None)]
    told = [message for message in messages if not message.is_silenced()]
    yield from map(_tell, told)
    if not told:
        yield passed(TOPIC, "The system checks of this app find nothing.")


def _tell(message: CheckMessage) -> Finding:
    topic = "roles" if message.id == SCOPED_ROLES else TOPIC
    tell = failed if message.level >= ERROR else warned
    return tell(topic, f"{message.msg} ({message.id})", str(message.hint or ""))
