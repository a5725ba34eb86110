"""The emulator as one object: start, stop, rotate keys, sign somebody in."""

import contextlib
import ssl
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from .constants import CLIENT_ID, CLIENT_SECRET
from .driver import AuthorizationResponse, Wishes, walk_sign_in
from .keys import KeyRing, SigningKey, make_signing_key, write_tls_files
from .server import LoopbackServer, PortTakenError, open_servers
from .state import State

if TYPE_CHECKING:
    import requests

_PORT_ATTEMPTS = 10
_POLL_SECONDS = 0.02


class Emulator(State):
    """A local Entra on loopback, usable as a context manager.

    `port` 0 takes a free one. With `tls` a self-signed certificate is made at each start;
    `ca_bundle` is the file to verify it with. Registration, people, policies, optional claims,
    clock, faults, mutate hooks and the switches of State may be changed while it runs; `reset()`
    undoes all of that.

    `mutate_id_token(header, claims, key)` returns the compact JWT to hand out; `key` is the RSA
    private key that signs, as `jwt.encode(claims, key, algorithm="RS256", headers=header)` wants.
    """

    client_id = CLIENT_ID
    client_secret = CLIENT_SECRET

    def __init__(self, *, port: int = 0, tls: bool = False) -> None:
        self._wanted_port = port
        self._tls = tls
        self._servers: list[LoopbackServer] = []
        self._threads: list[threading.Thread] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.ca_bundle: str | None = None
        super().__init__()

    @property
    def authority(self) -> str:
        """The authority URL of the registration's tenant."""
        return f"{self.origin}/{self.tenant_id}"

    @property
    def port(self) -> int:
        """The port it listens on; 0 before the start."""
        return self._servers[0].port if self._servers else 0

    def start(self) -> "Emulator":
        """Listen and serve; PortTakenError (an OSError) when the port is taken."""
        if self._servers:
            raise RuntimeError("the emulator is already running")
        self.stopping.clear()
        self.keys: KeyRing = KeyRing()
        try:
            self._servers = self._listen(self._make_context() if self._tls else None)
        except BaseException:
            self._drop_folder()
            raise
        self.origin: str = f"{'https' if self._tls else 'http'}://localhost:{self.port}"
        for server in self._servers:
            thread = threading.Thread(
                target=server.serve_forever, args=(_POLL_SECONDS,), name="local-entra", daemon=True
            )
            thread.start()
            self._threads.append(thread)
        return self

    def _listen(self, context: ssl.SSLContext | None) -> list[LoopbackServer]:
        if not self._wanted_port:
            # A free IPv4 port may be taken on IPv6; another free one will do.
            for _ in range(_PORT_ATTEMPTS):
                with contextlib.suppress(PortTakenError):
                    return open_servers(self, 0, context)
        return open_servers(self, self._wanted_port, context)

    def _make_context(self) -> ssl.SSLContext:
        self._folder = tempfile.TemporaryDirectory(prefix="local-entra-")
        certificate, key = write_tls_files(Path(self._folder.name))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(certificate, key)
        self.ca_bundle = str(certificate)
        return context

    def stop(self) -> None:
        """Stop serving and close every connection; hanging answers end too."""
        self.stopping.set()
        for server in self._servers:
            server.close()
        for thread in self._threads:
            thread.join(timeout=5)
        self._servers, self._threads = [], []
        self._drop_folder()

    def _drop_folder(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()
        self._folder = self.ca_bundle = None

    def __enter__(self) -> "Emulator":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def rotate_keys(self, *, drop_old: bool = False) -> None:
        """Sign with a new key; the old ones stay published unless `drop_old`."""
        self.keys.rotate(drop_old=drop_old)

    def publish_key(self, *, issuer: str | None = None) -> SigningKey:
        """Publish one more key, which signs nothing by itself; `issuer` replaces its template."""
        key = make_signing_key(issuer=issuer)
        self.keys.publish(key)
        return key

    def revoke_sign_ins(self, person: str) -> None:
        """End all sessions and refresh tokens of `person`, as an administrator does."""
        self.revoke(self.people[person])

    def complete_sign_in(
        self,
        auth_uri: str,
        person: str = "alice",
        *,
        mfa: bool = True,
        consent: bool = True,
        device: bool = True,
        terms: bool = True,
        password_change: bool = True,
        cancel: bool = False,
        forgot_password: bool = False,
        browser: "requests.Session | None" = None,
    ) -> AuthorizationResponse:
        """Walk the pages from `auth_uri` as `person`; the app itself is not called.

        `mfa=False` gives a wrong code. The others answer their page when it is shown: consent is
        given or declined, the device registered, the terms accepted, the password changed, or
        the page left by Cancel. `cancel` presses Cancel on the first page, `forgot_password` the
        link of a B2C user flow. Raises EmulatorPage when the emulator stays on a page of its own.
        """
        return walk_sign_in(
            auth_uri,
            ca_bundle=self.ca_bundle,
            browser=browser,
            wishes=Wishes(
                self.people[person],
                mfa=mfa,
                consent=consent,
                device=device,
                terms=terms,
                password_change=password_change,
                cancel=cancel,
                forgot_password=forgot_password,
            ),
        )
