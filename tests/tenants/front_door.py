"""Puts the hosts of Microsoft's clouds before a local Entra: an https proxy that ends their TLS.

A client that is told of the proxy and of its certificate speaks to these hosts as it would in the
world; whatever host it names, the local Entra answers.
"""

from __future__ import annotations

import datetime
import http.client
import ssl
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})


class FrontDoor(ThreadingHTTPServer):
    """Takes CONNECT for every host in `hosts` and hands what comes to the local Entra at `port`."""

    daemon_threads = True

    def __init__(self, port: int, hosts: tuple[str, ...], folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = ("localhost", port)
        self.visited: set[str] = set()
        self.ca_bundle = str(folder / "front-door.pem")
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _write_certificate(Path(self.ca_bundle), hosts)
        self.context.load_cert_chain(self.ca_bundle)
        self.proxies = {"https": f"http://127.0.0.1:{self.server_address[1]}"}
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="front-door")

    def __enter__(self) -> FrontDoor:
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients cut connections without a word."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FrontDoor

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_CONNECT(self) -> None:
        self.server.visited.add(self.path.partition(":")[0])
        self.send_response(200)
        self.end_headers()
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)
        self.close_connection = False

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kept = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        upstream = http.client.HTTPConnection(*self.server.target, timeout=30)
        with suppress(ConnectionError):
            upstream.request(self.command, self.path, body, kept)
            self._relay(upstream.getresponse())
        upstream.close()

    do_POST = do_GET  # noqa: N815 - the name the base class calls

    def _relay(self, answer: http.client.HTTPResponse) -> None:
        body = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")  # no thread waits for a next request
        self.end_headers()
        self.wfile.write(body)


def _write_certificate(path: Path, hosts: tuple[str, ...]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "front door")])
    now = datetime.datetime.now(datetime.timezone.utc)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
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
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(certificate.public_bytes(Encoding.PEM) + private)


def _key_usage() -> x509.KeyUsage:
    on = {"digital_signature", "key_cert_sign"}
    off = "content_commitment key_encipherment data_encipherment key_agreement crl_sign"
    others = dict.fromkeys([*off.split(), "encipher_only", "decipher_only"], False)
    return x509.KeyUsage(**others, **dict.fromkeys(on, True))
