"""The demo's local Entra: started here, and switched through its control API.

The site knows it by its address alone, so it may as well run in another terminal:
`manage.py entra_emulator --optional-claim auth_time --optional-claim login_hint`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings

from django_entra_auth.emulator import Emulator
from django_entra_auth.emulator.defaults import default_people

LOOPBACK = "127.0.0.1"
# Claims that a real tenant's administrator switches on for the app; sign-out and the profile page
# are better with them.
OPTIONAL_CLAIMS = {"acct", "auth_time", "login_hint", "sid"}
CONTROL_SECONDS = 5


class LocalEntraDown(Exception):
    """The local Entra does not answer, or refuses what the demo asks of it."""


@contextmanager
def serve(*, port: int, emulator_port: int) -> Iterator[None]:
    """Run a local Entra with the site on `port` as its application; raises PortTakenError."""
    emulator = Emulator(port=emulator_port)
    emulator.optional_claims |= OPTIONAL_CLAIMS
    emulator.application.front_channel_logout_uri = (
        f"http://{LOOPBACK}:{port}/auth/front-channel-logout"
    )
    with emulator:
        yield


def get_origin() -> str:
    """Its address, "http://localhost:8400"."""
    parts = urlsplit(str(settings.ENTRA_AUTH["AUTHORITY"]))
    return f"{parts.scheme}://{parts.netloc}"


def open_session() -> requests.Session:
    """For requests to it; proxies and .netrc are for the outside world."""
    session = requests.Session()
    session.trust_env = False
    return session


def find_short_name(username: str) -> str | None:
    """The name by which its policies know a person, such as "alice"."""
    people = default_people().items()
    return next((name for name, one in people if one.username == username.lower()), None)


def name_policy(person: str, title: str) -> str:
    """The name of the demo's policy for one person, as Entra's pages show it."""
    return f"{_prefix(person)}{title}"


def switch_policies(person: str, policy: Mapping[str, Any] | None) -> None:
    """Put `policy` (members of `emulator.policies.Policy`) in place of the person's others."""
    for known in _fetch("state")["policies"]:
        if known["name"].startswith(_prefix(person)):
            _act("policies/remove", name=known["name"])
    if policy is not None:
        name = name_policy(person, policy["name"])
        _act("policies", **{**policy, "name": name, "people": [person]})


def revoke_sign_ins(person: str) -> None:
    """End the person's sessions and refresh tokens, as an administrator does."""
    _act("revoke", person=person)


def throttle_refreshes(person: str, seconds: int) -> None:
    """Answer 429 when the site asks for another token of this person."""
    _act("throttle", endpoint="token", grant="refresh_token", person=person, seconds=seconds)


def load_graph_calls(oid: str) -> list[dict[str, Any]]:
    """The calls of the Graph-like API in the name of one account, oldest first."""
    return [call for call in _fetch("calls")["calls"] if call["oid"] == oid]


def load_requests() -> list[dict[str, Any]]:
    """All requests the local Entra has received, oldest first, without anything secret."""
    return list(_fetch("requests")["requests"])


def _prefix(person: str) -> str:
    return f"Demo for {person}: "


def _fetch(view: str) -> dict[str, Any]:
    return _send("GET", view, None)


def _act(action: str, **members: Any) -> None:
    _send("POST", action, members)


def _send(method: str, action: str, members: dict[str, Any] | None) -> dict[str, Any]:
    with open_session() as session:
        url = f"{get_origin()}/control/{action}"
        try:
            response = session.request(method, url, json=members, timeout=CONTROL_SECONDS)
            response.raise_for_status()
            return dict(response.json())
        except requests.RequestException as error:
            raise LocalEntraDown(f"The local Entra does not answer at {get_origin()}.") from error
