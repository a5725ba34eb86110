"""HTTP servers of tests: on a free loopback port, for as long as a block lasts, without a word."""

from __future__ import annotations

import datetime
import ssl
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

POLL_SECONDS = 0.02
# Between two neighbours only (RFC 9110 section 7.6.1).
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})

ServerT = TypeVar("ServerT", bound="LoopbackServer")


class LoopbackServer(ThreadingHTTPServer):
    """Serves inside a `with` block."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(POLL_SECONDS,))

    def __enter__(self: ServerT) -> ServerT:
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients cut connections without a word."""


class QuietHandler(BaseHTTPRequestHandler):
    """Keeps connections open and writes no line per request."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class ProxyHandler(QuietHandler):
    """Takes CONNECT for any host and goes on as that host, over TLS."""

    def do_CONNECT(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.connection = self.tls_context().wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", -1)
        self.wfile.close()
        self.wfile = self.connection.makefile("wb", 0)
        self.close_connection = False

    def tls_context(self) -> ssl.SSLContext:
        """What ends the client's TLS."""
        raise NotImplementedError

    def finish(self) -> None:
        super().finish()
        self.connection.close()


def read_body(handler: BaseHTTPRequestHandler) -> bytes:
    """The body of a request that says how long it is."""
    return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))


def drop_hops(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers that a proxy passes on."""
    return [(name, value) for name, value in headers if name.lower() not in HOP_BY_HOP]


def write_certificate(path: Path, hosts: Iterable[str]) -> Path:
    """A file with a certificate for `hosts` that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(_make_certificate(key, hosts).public_bytes(Encoding.PEM) + private)
    return path


def _make_certificate(key: ec.EllipticCurvePrivateKey, hosts: Iterable[str]) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.timezone.utc)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # Verifiers with strict RFC 5280 checks (the default from Python 3.13 on) want all of these.
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(map(x509.DNSName, hosts)), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .add_extension(_key_usage(), critical=True)
        .sign(key, hashes.SHA256())
    )


def _key_usage() -> x509.KeyUsage:
    on = {"digital_signature", "key_cert_sign"}
    off = "content_commitment key_encipherment data_encipherment key_agreement crl_sign"
    others = dict.fromkeys([*off.split(), "encipher_only", "decipher_only"], False)
    return x509.KeyUsage(**others, **dict.fromkeys(on, True))
