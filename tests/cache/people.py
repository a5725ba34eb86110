"""People who have signed in, and whose entries lie in a real Redis."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django_entra_auth import sign_ins
from django_entra_auth.client import get_application
from django_entra_auth.session_entry import SESSION_KEY
from tests.visitor import Visitor

USER, MAIL, FILES = ["User.Read"], ["api://mail/Read"], ["api://files/Read"]
APIS = (USER, MAIL, FILES)
PREFIX = ":1:"  # Django's own, before each key


class Person:
    """Somebody with a browser, signed in through the real flow."""

    def __init__(self, entra: Any, name: str = "alice") -> None:
        self.visitor = Visitor(entra)
        self.name = name
        self.oid = entra.people[name].oid
        self.visitor.sign_in(name)
        self.entry = self.visitor.client.session[SESSION_KEY]

    @property
    def id_hash(self) -> str:
        return sign_ins.hash_id(self.entry["id"])

    def ask(self, scopes: list[str] = USER, **wishes: Any) -> Any:
        """A token as a worker without a local copy gets it; a dict, or None."""
        application = get_application().bind(sign_ins.open_token_cache(self.entry["id"]))
        account = {"home_account_id": self.entry["home"]}
        return application.acquire_token_silent(scopes, account, **wishes)


def list_keys(redis: Any) -> dict[str, list[str]]:
    """This app's cache keys by kind, as the cache framework takes them."""
    found: dict[str, list[str]] = defaultdict(list)
    for raw in sorted(redis.keys("*")):
        key = raw.decode().removeprefix(PREFIX)
        found[key.split(":")[2] if key.startswith("entra:1:") else key].append(key)
    return dict(found)


def posts(entra: Any, grant: str | None = None) -> list[Any]:
    """The requests at the token endpoint."""
    sent = [one for one in list(entra.requests) if one.path.endswith("/token")]
    return [one for one in sent if grant in (None, one.form["grant_type"])]
