"""What the tests of policies share: one policy per control, and reading pages and refusals."""

from __future__ import annotations

import json
import re
from typing import Any

import requests

from django_entra_auth.emulator.policies import Policy
from tests.emulator.wire import Wire, redirected_fields

GRAPH = "https://graph.microsoft.com"
MFA = Policy(name="MFA", control="mfa")
DEVICE = Policy(name="Device", control="compliant_device")
BLOCK = Policy(name="Block", control="block")
TERMS = Policy(name="Terms", control="terms_of_use")
FREQUENCY = Policy(name="Frequency", control="sign_in_frequency", seconds=60)
PASSWORD = Policy(name="Password", control="password_change")
RISK = Policy(name="Risk", control="risk")
APP = Policy(name="Protected app", control="app_protection")
ASSIGNMENT = Policy(name="Assignment", control="assignment")
USER_CONSENT = Policy(name="Consent", control="user_consent", scopes=frozenset({"Mail.Read"}))
ADMIN_CONSENT = Policy(
    name="Admin consent", control="admin_consent", scopes=frozenset({f"{GRAPH}/Mail.Read"})
)
C1_MFA = Policy(name="c1 needs MFA", control="mfa", context="c1")
C1_DEVICE = Policy(name="c1 needs a device", control="compliant_device", context="c1")

MAIL = "openid profile offline_access Mail.Read"


def claims_for(section: str, *contexts: str) -> str:
    """A claims request for authentication contexts."""
    which = {"value": contexts[0]} if len(contexts) == 1 else {"values": list(contexts)}
    return json.dumps({section: {"acrs": {"essential": True, **which}}})


def page_of(answer: requests.Response) -> str:
    """The kind of the page, or `redirect`."""
    if answer.status_code == 302:
        return "redirect"
    assert answer.status_code == 200, answer.text
    found = re.search(r'data-page="(\w+)"', answer.text)
    assert found
    return found[1]


def ask(wire: Wire, **changes: str | None) -> str:
    """The kind of page an authorize request shows, or `redirect`."""
    return page_of(wire.get(wire.authorize_url(**changes)))


def walk(wire: Wire, person: str = "alice", **options: Any) -> dict[str, str]:
    """Walk the pages in the wire's browser; the fields of the answer."""
    choices = ("mfa", "consent", "device", "terms", "password_change", "cancel")
    wishes = {name: options.pop(name) for name in choices if name in options}
    url = wire.authorize_url(**options)
    return wire.entra.complete_sign_in(url, person, browser=wire.browser, **wishes).fields


def silent(wire: Wire, **changes: str | None) -> tuple[str, str, str | None]:
    """Error, AADSTS number and sub-error of a `prompt=none` request."""
    fields = redirected_fields(wire.get(wire.authorize_url(prompt="none", **changes)))
    number = fields.get("error_description", "").partition(":")[0]
    return fields.get("error", "code"), number.removeprefix("AADSTS"), fields.get("suberror")


def refused(answer: requests.Response) -> tuple[str, int, str | None]:
    """Error, number and sub-error of a refusal by the token endpoint; all come with HTTP 400."""
    body = answer.json()
    assert answer.status_code == 400, body
    (number,) = body["error_codes"]
    return body["error"], number, body.get("suberror")


def challenge_of(answer: requests.Response) -> dict[str, Any]:
    """The claims a refusal asks for; empty when it names none."""
    return dict(json.loads(answer.json().get("claims", "{}")))
