"""Everything the endpoints share: directory, keys, grants, browser sessions, switches."""

import time
from collections.abc import Callable
from threading import Event, Lock
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from .browsers import Browsers
from .constants import CLIENT_ID, TENANT_ID
from .defaults import default_applications, default_people, default_tenants
from .directory import (
    Account,
    Application,
    Person,
    Segment,
    Tenant,
    account_in,
    resolve_segment,
)
from .faults import Faults
from .grants import Grants
from .graph import Graph
from .keys import KeyRing
from .messages import RecordedRequest
from .policies import Policies

MutateIdToken = Callable[[dict[str, Any], dict[str, Any], RSAPrivateKey], str]
MutateTokenResponse = Callable[[dict[str, Any]], dict[str, Any]]
_MAX_RECORDED = 10_000


class State:
    """What an emulator knows and how it is switched; all of it may be changed while it runs.

    `loop_detection` refuses a browser's fifteenth same silent sign-in within five minutes. The
    other switches make the provider misbehave: `ignores_claims` drops requested authentication
    contexts, `always_challenges` answers every refresh with a claims challenge, and the scopes in
    `grants_fewer_scopes` are asked for in vain.
    """

    origin: str = ""
    keys: KeyRing

    def __init__(self) -> None:
        self.stopping: Event = Event()
        self._record_lock = Lock()
        self.reset()

    def reset(self) -> None:
        """Back to the first state, except for the running server and its keys."""
        self.tenants: list[Tenant] = default_tenants()
        self.people: dict[str, Person] = default_people()
        self.applications: dict[str, Application] = {
            app.client_id: app for app in default_applications()
        }
        self.grants: Grants = Grants()
        self.browsers: Browsers = Browsers()
        # Not the bound clock: tests replace it.
        self.faults: Faults = Faults(lambda: self.clock())  # noqa: PLW0108
        self.graph: Graph = Graph(self.faults)
        self.policies: Policies = Policies()
        self.optional_claims: set[str] = set()
        self.clock: Callable[[], float] = time.time
        self.requests: list[RecordedRequest] = []
        self.mutate_id_token: MutateIdToken | None = None
        self.mutate_token_response: MutateTokenResponse | None = None
        self.error_separator = " "
        self._reset_behaviour()

    def _reset_behaviour(self) -> None:
        """How it behaves where providers differ, or misbehave; see the class's description."""
        self.loop_detection = True
        self.ignores_claims = False
        self.always_challenges = False
        self.grants_fewer_scopes: frozenset[str] = frozenset()

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
        return f"entra_emulator_{self.origin.rpartition(':')[2].strip('/')}"

    def resolve(self, segment: str) -> Segment | None:
        """The meaning of a tenant segment; None when there is no such tenant."""
        return resolve_segment(self.tenants, segment)

    def find_tenant(self, tid: str) -> Tenant | None:
        """The directory with this id; None for personal accounts."""
        return next((tenant for tenant in self.tenants if tenant.tenant_id == tid), None)

    def find_person(self, hint: str, segment: Segment, password: str = "") -> Person | None:
        """Who has this user name or opaque login hint.

        Two directories may each have such a person: one who can sign in at `segment` comes first,
        and of those the one with the `password`.
        """
        found = [person for person in self.people.values() if person.answers_to(hint)]
        ranked = sorted(
            found,
            key=lambda p: (account_in(p, segment) is None, not p.has_password(password)),
        )
        return next(iter(ranked), None)

    def has_person(self, person: Person) -> bool:
        """Whether `person` still exists."""
        return any(known is person for known in self.people.values())

    def short_name(self, person: Person) -> str:
        """The name policies know `person` by; empty when they do not exist any more."""
        return next((name for name, known in list(self.people.items()) if known is person), "")

    def revoke(self, person: Person) -> None:
        """End all sessions and refresh tokens of `person`, at once."""
        person.revoked_at = self.clock()
        person.revocations += 1

    def last_revocation(self, account: Account) -> float | None:
        """When the sign-ins of the account's person were last revoked, in epoch seconds."""
        person = account.person
        times = (person.revoked_at or 0.0, person.tokens_valid_from)
        return max(times) or None

    def find_revocation(self, oid: str) -> float | None:
        """The same for the person with this object id, in whichever tenant."""
        people = list(self.people.values())
        person = next((p for p in people if oid in (p.oid, p.home_oid)), None)
        return self.last_revocation(Account(person, person.tid, oid)) if person else None

    def record(self, request: RecordedRequest) -> None:
        """Remember `request`, the newest ten thousand."""
        with self._record_lock:
            self.requests.append(request)
            del self.requests[:-_MAX_RECORDED]
