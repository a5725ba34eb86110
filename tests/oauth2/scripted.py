"""A local HTTP server that answers from a script, and a provider built on it."""

from __future__ import annotations

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID = "6731de76-14a6-49ae-97bc-6eba6914391e"
SECRET = "s3cret~value-of-the-client"
TENANT = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
OTHER_TENANT = "bbbbcccc-1111-dddd-2222-eeee3333ffff"
OID = "00aa00aa-bb11-cc22-dd33-44ee44ee44ee"
CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"
REDIRECT_URI = "https://app.example/auth/callback"


@dataclass
class Answer:
    """One answer: ``body`` text, bytes or JSON-able; ``mode`` says how it fails, if it does."""

    status: int = 200
    body: Any = ""
    headers: dict[str, str] = field(default_factory=dict)
    mode: str = "whole"  # whole, hang, drip_headers, drip_body, reset, endless


@dataclass
class Received:
    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]


class Clock:
    """Unix time that a test moves."""

    def __init__(self, now: float | None = None) -> None:
        self.now = time.time() if now is None else now

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


class ScriptedServer:
    """Answers each path from its list (the last answer repeats) and records what came."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: dict[str, list[Answer | Callable[[Received], Answer]]] = {}
        self.released = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._make_handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def script(self, path: str, *answers: Answer | Callable[[Received], Answer]) -> None:
        with self._lock:
            self.answers[path] = list(answers)

    def count(self, path: str) -> int:
        with self._lock:
            return sum(1 for request in self.received if request.path == path)

    def last(self, path: str) -> Received:
        with self._lock:
            return [request for request in self.received if request.path == path][-1]

    def take(self, request: Received) -> Answer:
        with self._lock:
            self.received.append(request)
            answers = self.answers.get(request.path)
            if not answers:
                return Answer(404, "nothing here")
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return answer(request) if callable(answer) else answer

    def _make_handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                pass

            def handle(self) -> None:
                try:
                    super().handle()
                except ConnectionError:
                    self.close_connection = True

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("content-length") or 0)
                form = dict(parse_qsl(self.rfile.read(length).decode()))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Received(
                    self.command, parts.path, dict(parse_qsl(parts.query)), form, headers
                )
                send_answer(self, server.take(request), server.released)

            def do_POST(self) -> None:
                self.do_GET()

        return Handler


def send_answer(handler: Any, answer: Answer, released: threading.Event) -> None:
    body = answer.body
    if not isinstance(body, (str, bytes)):
        body = json.dumps(body)
    data = body.encode() if isinstance(body, str) else body
    head = [f"HTTP/1.1 {answer.status} X"]
    headers = {"Content-Type": "application/json", "Content-Length": str(len(data))}
    if answer.mode == "endless":
        del headers["Content-Length"]
    head += [f"{name}: {value}" for name, value in {**headers, **answer.headers}.items()]
    wire = ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")
    out = handler.wfile
    if answer.mode == "hang":
        released.wait(20)
    elif answer.mode == "reset":
        pass
    elif answer.mode == "drip_headers":
        _drip(out, wire + data, released)
    elif answer.mode == "drip_body":
        out.write(wire)
        _drip(out, data, released)
    elif answer.mode == "endless":
        out.write(wire)
        while not released.is_set():
            out.write(b" " * 65536)
    else:
        out.write(wire + data)
        return
    handler.close_connection = True


def _drip(out: Any, data: bytes, released: threading.Event) -> None:
    for byte in data:
        out.write(bytes([byte]))
        out.flush()
        if released.wait(0.02):
            return


def make_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _b64(number: int) -> str:
    return urlsafe_b64encode(number.to_bytes(256, "big").lstrip(b"\0")).rstrip(b"=").decode()


def make_jwk(key: rsa.RSAPrivateKey, kid: str, **members: Any) -> dict[str, Any]:
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "use": "sig", "kid": kid, "n": _b64(numbers.n), "e": "AQAB"}
    return {name: value for name, value in {**jwk, **members}.items() if value is not None}


class Provider:
    """An Entra-shaped provider on a scripted server: discovery, keys, tokens."""

    def __init__(self, server: ScriptedServer, key: rsa.RSAPrivateKey, clock: Clock) -> None:
        self.server = server
        self.key = key
        self.clock = clock
        self.segment = TENANT
        self.tenant = TENANT
        self.publish()

    @property
    def base(self) -> str:
        return f"{self.server.origin}/{self.segment}"

    @property
    def issuer(self) -> str:
        return f"{self.server.origin}/{self.tenant}/v2.0"

    @property
    def paths(self) -> dict[str, str]:
        return {
            "metadata": f"/{self.segment}/v2.0/.well-known/openid-configuration",
            "keys": f"/{self.segment}/discovery/v2.0/keys",
            "token": f"/{self.segment}/oauth2/v2.0/token",
        }

    def metadata(self, **changes: Any) -> dict[str, Any]:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{self.base}/oauth2/v2.0/token",
            "jwks_uri": f"{self.base}/discovery/v2.0/keys",
            "end_session_endpoint": f"{self.base}/oauth2/v2.0/logout",
        }
        return {**document, **changes}

    def publish(self, *, keys: list[dict[str, Any]] | None = None, **changes: Any) -> None:
        template = f"{self.server.origin}/{{tenantid}}/v2.0"
        keys = keys or [make_jwk(self.key, "key-1", issuer=template)]
        self.server.script(self.paths["metadata"], Answer(body=self.metadata(**changes)))
        self.server.script(self.paths["keys"], Answer(body={"keys": keys}))

    def claims(self, **changes: Any) -> dict[str, Any]:
        now = int(self.clock())
        claims = {
            "ver": "2.0",
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "nbf": now,
            "exp": now + 3900,
            "tid": self.tenant,
            "oid": OID,
            "sub": "pairwise-subject",
            "preferred_username": "alice@contoso.example",
            **changes,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def sign(
        self, claims: dict[str, Any], *, key: Any = None, kid: str = "key-1", alg: str = "RS256"
    ) -> str:
        return jwt.encode(claims, key or self.key, algorithm=alg, headers={"kid": kid})

    def tokens(self, id_token: str | None, /, **changes: Any) -> dict[str, Any]:
        body = {
            "token_type": "Bearer",
            "scope": "openid profile User.Read",
            "expires_in": 4799,
            "ext_expires_in": 4799,
            "access_token": "at-" + "x" * 40,
            "refresh_token": "rt-" + "y" * 40,
            "id_token": id_token,
            "client_info": urlsafe_b64encode(json.dumps({"uid": OID, "utid": self.tenant}).encode())
            .rstrip(b"=")
            .decode(),
            **changes,
        }
        return {name: value for name, value in body.items() if value is not None}

    def answer_tokens(self, *answers: Answer | Callable[[Received], Answer]) -> None:
        self.server.script(self.paths["token"], *answers)
