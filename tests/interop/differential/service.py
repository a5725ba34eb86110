"""A local Entra-shaped service over TLS whose token endpoint answers what a cell says."""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
import threading
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.interop.differential.cells import RESET, Body, Header
from tests.oauth2.scripted import CLIENT_ID, OID, TENANT, make_jwk, make_key

RETRY_AFTER_SECONDS: Final = 30
CLAIMS: Final = '{"access_token":{"capolids":{"essential":true,"values":["policy-1"]}}}'

_IDS: Final = {
    "timestamp": "2026-01-02 03:04:05Z",
    "trace_id": "11111111-2222-3333-4444-555555555555",
    "correlation_id": "66666666-7777-8888-9999-000000000000",
}
_ERRORS: Final[dict[Body, dict[str, Any]]] = {
    "error": {"error": "invalid_grant", "error_codes": [70000]},
    "challenge": {
        "error": "invalid_grant",
        "error_codes": [50076],
        "suberror": "basic_action",
        "claims": CLAIMS,
    },
    "bad_token": {"error": "invalid_grant", "error_codes": [50173], "suberror": "bad_token"},
    "transient": {"error": "temporarily_unavailable", "error_codes": [90033]},
}
_TEXTS: Final[dict[Body, str]] = {
    "text": "Too Many Requests",
    "html": "<html><body>A page of a proxy</body></html>",
    "empty": "",
}


@dataclass
class Reply:
    """What the token endpoint answers; ``lifetimes`` replace those of a good token response."""

    status: int = 200
    body: Body = "success"
    header: Header = "none"
    lifetimes: dict[str, int] = field(default_factory=dict)


class Service:
    """Discovery, keys and a token endpoint on loopback, over TLS with a certificate of its own.

    ``reply`` is what the token endpoint answers from now on, ``nonce`` what the next ID token
    carries, ``received`` the forms it was sent, ``offset`` how many seconds its clock is ahead.
    One client at a time.
    """

    def __init__(self, folder: Path) -> None:
        self.reply = Reply()
        self.nonce: str | None = None
        self.offset = 0.0
        self.received: list[dict[str, str]] = []
        self._issued = 0
        self._key: rsa.RSAPrivateKey = make_key()
        self._other_key: rsa.RSAPrivateKey = make_key()
        self.ca_bundle = str(folder / "service.pem")
        key_file = folder / "service.key"
        _write_tls_files(Path(self.ca_bundle), key_file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_bundle, key_file)
        self._server = _Server(("127.0.0.1", 0), _make_handler(self))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.authority = f"https://127.0.0.1:{self._server.server_address[1]}/{TENANT}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def reset(self) -> None:
        """Forget what was received; the next tokens have the first names again."""
        self.reply, self.nonce, self._issued, self.offset = Reply(), None, 0, 0.0
        self.received = []

    def take_received(self) -> tuple[dict[str, str], ...]:
        forms, self.received = tuple(self.received), []
        return forms

    def answer(self, path: str, form: dict[str, str]) -> tuple[int, str, dict[str, str]]:
        """Return status, body and headers for one request."""
        if path.endswith("/openid-configuration"):
            return 200, json.dumps(self._metadata()), {}
        if path.endswith("/keys"):
            issuer = self.authority.replace(TENANT, "{tenantid}") + "/v2.0"
            return 200, json.dumps({"keys": [make_jwk(self._key, "key-1", issuer=issuer)]}), {}
        self.received.append(form)
        reply = self.reply
        headers = _write_headers(reply.header, time.time() + self.offset)
        return reply.status, self._write_body(reply, form), headers

    def _metadata(self) -> dict[str, str]:
        return {
            "issuer": f"{self.authority}/v2.0",
            "authorization_endpoint": f"{self.authority}/oauth2/v2.0/authorize",
            "token_endpoint": f"{self.authority}/oauth2/v2.0/token",
            "jwks_uri": f"{self.authority}/discovery/v2.0/keys",
            "end_session_endpoint": f"{self.authority}/oauth2/v2.0/logout",
        }

    def _write_body(self, reply: Reply, form: dict[str, str]) -> str:
        if reply.body in ("success", "forged", "wrong_nonce"):
            return json.dumps(self._issue(form, reply))
        if reply.body in _ERRORS:
            error = _ERRORS[reply.body]
            number = error["error_codes"][0]
            text = f"AADSTS{number}: A scripted error."
            return json.dumps({**error, "error_description": text, **_IDS})
        return _TEXTS.get(reply.body, "")

    def _issue(self, form: dict[str, str], reply: Reply) -> dict[str, Any]:
        self._issued += 1
        number = self._issued
        tokens: dict[str, Any] = {
            "token_type": "Bearer",
            "expires_in": 4799,
            "ext_expires_in": 4799,
            "access_token": f"access-token-{number}",
            **reply.lifetimes,
        }
        if form.get("grant_type") == "client_credentials":
            return tokens
        home = urlsafe_b64encode(json.dumps({"uid": OID, "utid": TENANT}).encode())
        return {
            **tokens,
            "scope": "openid profile User.Read",
            "refresh_token": f"refresh-token-{number}",
            "client_info": home.rstrip(b"=").decode(),
            "id_token": self._sign_id_token(reply.body),
        }

    def _sign_id_token(self, body: Body) -> str:
        now = int(time.time())
        claims = {
            "ver": "2.0",
            "iss": f"{self.authority}/v2.0",
            "aud": CLIENT_ID,
            "iat": now,
            "nbf": now,
            "exp": now + 3900,
            "tid": TENANT,
            "oid": OID,
            "sub": "pairwise-subject",
            "preferred_username": "alice@contoso.example",
        }
        nonce = "another-nonce" if body == "wrong_nonce" else self.nonce
        key = self._other_key if body == "forged" else self._key
        members = {**claims, "nonce": nonce} if nonce else claims
        return jwt.encode(members, key, "RS256", headers={"kid": "key-1"})


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet: a client that goes away is no news."""


def _write_headers(header: Header, now: float) -> dict[str, str]:
    values = {
        "seconds": str(RETRY_AFTER_SECONDS),
        "date": formatdate(now + RETRY_AFTER_SECONDS, usegmt=True),
        "zero": "0",
        "negative": "-5",
        "huge": "99999",
        "garbage": "soon",
    }
    return {} if header == "none" else {"Retry-After": values[header]}


def _make_handler(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Otherwise the first answer waits for the client's delayed acknowledgement.
        disable_nagle_algorithm = True

        def log_message(self, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            form = dict(parse_qsl(self.rfile.read(length).decode()))
            status, body, headers = service.answer(urlsplit(self.path).path, form)
            if status == RESET:
                self.close_connection = True
                return
            data = body.encode()
            lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(data)}"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            self.wfile.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)

        def do_POST(self) -> None:
            self.do_GET()

    return Handler


def make_certificate(key: Any, *, days: int = 1) -> x509.Certificate:
    """Return a self-signed certificate for loopback names."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), address])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )


def write_pem(key: Any) -> bytes:
    """Return a private key as unencrypted PEM."""
    return bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _write_tls_files(certificate_file: Path, key_file: Path) -> None:
    # A handshake with a P-256 key costs a fraction of one with RSA, and there are hundreds.
    key = ec.generate_private_key(ec.SECP256R1())
    pem = make_certificate(key).public_bytes(serialization.Encoding.PEM)
    certificate_file.write_bytes(pem)
    key_file.write_bytes(write_pem(key))
