"""Everything the endpoints share: directory, keys, grants, browser sessions, switches."""

import time
from collections.abc import Callable
from threading import Event, Lock
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from .browsers import Browsers
from .constants import CLIENT_ID, TENANT_ID
from .directory import (
    Application,
    Person,
    Segment,
    default_applications,
    default_people,
    default_tenants,
    resolve_segment,
)
from .faults import Faults
from .grants import Grants
from .keys import KeyRing
from .messages import RecordedRequest

MutateIdToken = Callable[[dict[str, Any], dict[str, Any], RSAPrivateKey], str]
MutateTokenResponse = Callable[[dict[str, Any]], dict[str, Any]]
_MAX_RECORDED = 10_000


class State:
    """What an emulator knows and how it is switched; all of it may be changed while it runs."""

    origin: str = ""
    keys: KeyRing

    def __init__(self) -> None:
        self.stopping = Event()
        self._record_lock = Lock()
        self.reset()

    def reset(self) -> None:
        """Back to the first state, except for the running server and its keys."""
        self.tenants = default_tenants()
        self.people: dict[str, Person] = default_people()
        self.applications = {app.client_id: app for app in default_applications()}
        self.grants = Grants()
        self.browsers = Browsers()
        self.faults = Faults()
        self.optional_claims: set[str] = set()
        self.clock: Callable[[], float] = time.time
        self.requests: list[RecordedRequest] = []
        self.mutate_id_token: MutateIdToken | None = None
        self.mutate_token_response: MutateTokenResponse | None = None
        self.error_separator = " "

    @property
    def application(self) -> Application:
        """The registration of the client under development."""
        return self.applications[CLIENT_ID]

    @property
    def tenant_id(self) -> str:
        """The tenant of the registration."""
        return TENANT_ID

    @property
    def cookie_name(self) -> str:
        """The session cookie; browsers share cookies between ports, so the port is in the name."""
        return f"entra_emulator_{self.origin.rpartition(':')[2]}"

    def resolve(self, segment: str) -> Segment | None:
        """The meaning of a tenant segment; None when there is no such tenant."""
        return resolve_segment(self.tenants, segment)

    def find_person(self, hint: str) -> Person | None:
        """The person with this user name or opaque login hint."""
        return next((p for p in self.people.values() if p.answers_to(hint)), None)

    def has_person(self, person: Person) -> bool:
        """Whether `person` still exists."""
        return any(known is person for known in self.people.values())

    def record(self, request: RecordedRequest) -> None:
        """Remember `request`, the newest ten thousand."""
        with self._record_lock:
            self.requests.append(request)
            del self.requests[:-_MAX_RECORDED]
