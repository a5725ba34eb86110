"""Browser sessions of the local Entra: who is signed in where, and sign-ins under way."""

import hmac
import secrets
import threading
import uuid
from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass, field

from .authorization_request import AuthorizationRequest
from .directory import Person
from .grants import SignInFacts

PENDING_SECONDS = 3600
_MAX_BROWSERS = 10_000
_MAX_PENDING = 50
_LOOP_REQUESTS = 15
_LOOP_SECONDS = 300


def _guid() -> str:
    return str(uuid.uuid4())


@dataclass(eq=False)
class Session:
    """One person signed in in one browser; times in seconds since the epoch."""

    person: Person
    auth_time: float
    revocations: int
    sid: str = field(default_factory=_guid)
    session_state: str = field(default_factory=_guid)
    mfa_at: float | None = None
    contexts: set[str] = field(default_factory=set)
    client_ids: set[str] = field(default_factory=set)
    completed: set[int] = field(default_factory=set)

    @property
    def is_revoked(self) -> bool:
        """Whether an administrator ended it."""
        return self.revocations != self.person.revocations


@dataclass(eq=False)
class Pending:
    """A sign-in under way; `done` names the steps the person took for this very request."""

    request: AuthorizationRequest
    started_at: float
    pending_id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    session: Session | None = None
    typed_username: str = ""
    done: set[str] = field(default_factory=set)


class Browser:
    """One browser, known by its cookie."""

    def __init__(self) -> None:
        self.csrf_token: str = secrets.token_urlsafe(32)
        self.is_device_registered = False
        self._lock = threading.Lock()
        self._sessions: list[Session] = []
        self._pending: OrderedDict[str, Pending] = OrderedDict()
        self._silent: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def facts(self, session: Session) -> SignInFacts:
        """What tokens of `session` may say about it, as of now."""
        return SignInFacts(
            session.sid,
            session.auth_time,
            frozenset(session.contexts),
            mfa_at=session.mfa_at,
            is_device_registered=self.is_device_registered,
            completed=frozenset(session.completed),
        )

    def is_looping(self, request: AuthorizationRequest, now: float) -> bool:
        """Whether this silent sign-in is the fifteenth of its kind within five minutes."""
        key = request.loop_key
        with self._lock:
            times = self._silent.setdefault(key, deque())
            self._silent.move_to_end(key)
            if len(self._silent) > _MAX_PENDING:
                self._silent.popitem(last=False)
            while times and now - times[0] >= _LOOP_SECONDS:
                times.popleft()
            if len(times) >= _LOOP_REQUESTS - 1:
                return True
            times.append(now)
            return False

    def sessions(self) -> list[Session]:
        """Everybody signed in here, except whom an administrator signed out."""
        return [s for s in self._sessions if not s.is_revoked]

    def sign_in(self, person: Person, now: float) -> Session:
        """`person` gave credentials: their session, the old one renewed when there is one."""
        with self._lock:
            for session in self.sessions():
                if session.person is person:
                    session.auth_time = now
                    return session
            session = Session(person, now, person.revocations)
            self._sessions.append(session)
            return session

    def sign_out(self, session: Session) -> None:
        """Forget `session`."""
        with self._lock:
            self._sessions = [known for known in self._sessions if known is not session]

    def start(self, request: AuthorizationRequest, now: float) -> Pending:
        """Remember a sign-in under way; the oldest is forgotten when there are too many."""
        pending = Pending(request, now)
        with self._lock:
            self._pending[pending.pending_id] = pending
            if len(self._pending) > _MAX_PENDING:
                self._pending.popitem(last=False)
        return pending

    def find_pending(self, pending_id: str, now: float) -> Pending | None:
        """The sign-in under way, unless it is too old."""
        pending = self._pending.get(pending_id)
        if pending is None or now - pending.started_at > PENDING_SECONDS:
            return None
        return pending

    def adopt(self, pending: Pending) -> None:
        """Take over a sign-in that was started before this browser kept its cookie."""
        with self._lock:
            self._pending[pending.pending_id] = pending

    def finish(self, pending: Pending) -> None:
        """Forget a sign-in that has been answered."""
        with self._lock:
            self._pending.pop(pending.pending_id, None)


class Browsers:
    """All browsers, by cookie value."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._browsers: OrderedDict[str, Browser] = OrderedDict()

    def find(self, cookie: str) -> Browser | None:
        """The browser that holds `cookie`."""
        return self._browsers.get(cookie)

    def find_by_csrf_token(self, token: str) -> Browser | None:
        """The browser whose pages carry `token`."""
        with self._lock:
            known = list(self._browsers.values())
        wanted = token.encode()
        return next((b for b in known if hmac.compare_digest(b.csrf_token.encode(), wanted)), None)

    def create(self) -> tuple[str, Browser]:
        """A new browser and the cookie value it is known by."""
        cookie, browser = secrets.token_urlsafe(32), Browser()
        with self._lock:
            self._browsers[cookie] = browser
            if len(self._browsers) > _MAX_BROWSERS:
                self._browsers.popitem(last=False)
        return cookie, browser
