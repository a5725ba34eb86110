"""Every HTTP call is bounded in time and size, whatever the server does."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from ipaddress import IPv4Address

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from django_entra_auth.oauth2.http import (
    MAX_ANSWER,
    BoundedHttpClient,
    TransportError,
    parse_retry_after,
)
from tests.oauth2.scripted import Answer

REFRESH = {"grant_type": "refresh_token", "refresh_token": "r"}
CODE = {"grant_type": "authorization_code", "code": "c"}


@pytest.fixture
def client():
    client = BoundedHttpClient(timeout=(1, 0.5), total_timeout=0.8)
    yield client
    client.close()


@pytest.fixture
def url(server):
    return f"{server.origin}/x"


def fail(call):
    started = time.monotonic()
    with pytest.raises(TransportError) as caught:
        call()
    return caught.value.reason, time.monotonic() - started


class TestAnswers:
    def test_whole(self, client, server, url):
        server.script("/x", Answer(418, "tea \N{TEACUP WITHOUT HANDLE}", {"X-Y": "z"}))
        response = client.post(url, data={"a": "b"}, headers={"A": "b"}, params={"q": "1"})
        assert (response.status_code, response.text) == (418, "tea \N{TEACUP WITHOUT HANDLE}")
        assert response.headers["x-y"] == "z"
        request = server.last("/x")
        assert (request.form, request.query, request.headers["a"]) == ({"a": "b"}, {"q": "1"}, "b")

    def test_repr_shows_no_body(self, client, server, url):
        server.script("/x", Answer(200, "a-secret"))
        assert "a-secret" not in repr(client.get(url))

    def test_connections_are_reused(self, client, server, url):
        server.script("/x", Answer(200, "x"))
        for _ in range(5):
            assert client.get(url).text == "x"

    def test_no_redirect_is_followed_nor_its_body_read_without_bound(self, client, server, url):
        server.script("/x", Answer(302, "", {"Location": "/y"}))
        assert client.get(url).status_code == 302
        assert server.count("/y") == 0
        server.script("/x", Answer(302, "", {"Location": "/y"}, mode="endless"))
        assert fail(lambda: client.get(url))[0] == "too_large"

    def test_no_cookie_is_kept(self, client, server, url):
        server.script("/x", Answer(200, "", {"Set-Cookie": "fpc=1; Path=/"}))
        client.get(url)
        client.get(url)
        assert "cookie" not in server.last("/x").headers

    def test_no_netrc_and_no_environment(self, client, server, url, tmp_path, monkeypatch):
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login user password secret\n")
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        server.script("/x", Answer(200, "x"))
        client.get(url)
        assert "authorization" not in server.last("/x").headers

    def test_proxies_are_used(self, server):
        server.script("/far", Answer(200, "by proxy"))
        client = BoundedHttpClient(proxies={"http": server.origin})
        try:
            # A proxy request names the whole URL; the scripted server sees its path.
            response = client.get("http://somewhere.invalid/far")
        finally:
            client.close()
        assert response.text == "by proxy"
        assert server.last("/far").headers["host"] == "somewhere.invalid"


class TestBounds:
    @pytest.mark.parametrize("mode", ["hang", "drip_headers", "drip_body"])
    def test_time(self, client, server, url, mode):
        server.script("/x", Answer(200, "x" * 2000, mode=mode))
        reason, seconds = fail(lambda: client.post(url, data=CODE))
        assert reason == "timeout"
        assert seconds < 1.5

    def test_time_is_not_spent_twice(self, client, server, url):
        """The deadline covers the retries, and a hanging server is not asked again."""
        server.script("/x", Answer(mode="hang"))
        reason, seconds = fail(lambda: client.get(url))
        assert (reason, server.count("/x")) == ("timeout", 1)
        assert seconds < 1.5

    def test_size(self, client, server, url):
        server.script("/x", Answer(200, "x" * MAX_ANSWER))
        assert len(client.get(url).text) == MAX_ANSWER
        server.script("/x", Answer(200, "x" * (MAX_ANSWER + 1)))
        assert fail(lambda: client.get(url))[0] == "too_large"
        server.script("/x", Answer(mode="endless"))
        assert fail(lambda: client.get(url))[0] == "too_large"

    def test_compressed_answers_are_not_asked_for(self, client, server, url):
        server.script("/x", Answer(200, "x"))
        client.get(url)
        assert server.last("/x").headers["accept-encoding"] == "identity"

    def test_broken_compression(self, client, server, url):
        server.script("/x", Answer(200, "no gzip", {"Content-Encoding": "gzip"}))
        assert fail(lambda: client.get(url))[0] == "connection"


class TestRetry:
    @pytest.mark.parametrize("first", [Answer(mode="reset"), Answer(500), Answer(503)])
    def test_once_for_what_may_be_repeated(self, client, server, url, first):
        server.script("/x", first, Answer(200, "fine"))
        assert client.post(url, data=REFRESH).text == "fine"
        server.script("/x", first, Answer(200, "fine"))
        assert client.get(url).text == "fine"

    def test_not_twice(self, client, server, url):
        server.script("/x", Answer(500), Answer(500), Answer(200))
        assert client.get(url).status_code == 500
        assert server.count("/x") == 2

    def test_never_for_codes(self, client, server, url):
        server.script("/x", Answer(mode="reset"), Answer(200))
        assert fail(lambda: client.post(url, data=CODE))[0] == "connection"
        server.script("/x", Answer(500), Answer(200))
        assert client.post(url, data=CODE).status_code == 500
        assert server.count("/x") == 2

    @pytest.mark.parametrize("data", [None, "grant_type=refresh_token", b""])
    def test_never_for_unknown_bodies(self, client, server, url, data):
        server.script("/x", Answer(500))
        client.post(url, data=data)
        assert server.count("/x") == 1

    @pytest.mark.parametrize("status", [400, 401, 404, 429, 302, 200])
    def test_not_for_other_answers(self, client, server, url, status):
        server.script("/x", Answer(status))
        client.post(url, data=REFRESH)
        assert server.count("/x") == 1

    def test_never_sleeps_for_retry_after(self, client, server, url):
        server.script("/x", Answer(503, "", {"Retry-After": "30"}), Answer(200))
        started = time.monotonic()
        assert client.get(url).status_code == 503
        assert time.monotonic() - started < 1
        assert server.count("/x") == 1

    def test_can_be_turned_off(self, server, url):
        client = BoundedHttpClient(max_retries=0)
        server.script("/x", Answer(500), Answer(200))
        assert client.get(url).status_code == 500
        client.close()

    def test_refused_connection(self, client):
        assert fail(lambda: client.get("http://127.0.0.1:1/x"))[0] == "connection"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


class TlsServer:
    """A TLS listener that answers every request with the same bytes and counts connections."""

    def __init__(self, certificate, answer=b""):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.answer = answer
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                try:
                    self.talk(connection)
                except OSError:
                    continue

    def talk(self, connection):
        if connection.recv(7, socket.MSG_PEEK) == b"CONNECT":
            while not connection.recv(4096).endswith(b"\r\n\r\n"):
                pass
            connection.sendall(b"HTTP/1.1 200 Established\r\n\r\n")
        with self.context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(4096)
            secure.sendall(self.answer)


class TestTls:
    ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nsafe"

    def test_an_unknown_certificate_is_refused_and_not_asked_twice(self, certificate):
        client = BoundedHttpClient()
        with TlsServer(certificate, self.ANSWER) as server:
            assert fail(lambda: client.get(f"https://127.0.0.1:{server.port}/"))[0] == "tls"
        client.close()
        assert server.connections == 1

    def test_ca_bundle(self, certificate):
        client = BoundedHttpClient(ca_bundle=str(certificate))
        with TlsServer(certificate, self.ANSWER) as server:
            assert client.get(f"https://127.0.0.1:{server.port}/").text == "safe"
        client.close()

    def test_through_a_proxy(self, certificate):
        """The listener plays the proxy as well as the server behind it."""
        with TlsServer(certificate, self.ANSWER) as server:
            client = BoundedHttpClient(
                ca_bundle=str(certificate), proxies={"https": f"http://127.0.0.1:{server.port}"}
            )
            assert client.get("https://127.0.0.1:9/").text == "safe"
        client.close()


class TestForeignClients:
    def test_a_plain_session(self, server, url):
        server.script("/x", Answer(302, "", {"Location": "/y"}), Answer(mode="hang"))
        session = requests.Session()
        client = BoundedHttpClient(session, timeout=(1, 0.3), total_timeout=0.5, max_retries=0)
        assert client.get(url).status_code == 302
        assert fail(lambda: client.get(url))[0] == "timeout"
        client.close()

    def test_anything_with_get_and_post(self):
        class Bare:
            def __init__(self, text):
                self.status_code, self.text = 200, text

        class Client:
            def get(self, url, params=None, headers=None):
                return Bare("got")

            def post(self, url, params=None, data=None, headers=None):
                return Bare("x" * (MAX_ANSWER + 1))

        client = BoundedHttpClient(Client())
        assert client.get("https://x.example/").text == "got"
        assert fail(lambda: client.post("https://x.example/", data={}))[0] == "too_large"
        client.close()

    def test_its_network_errors_are_ours(self):
        class Client:
            def get(self, url, **_):
                raise requests.ConnectionError("https://x.example/?secret=1")

            def post(self, url, **_):
                raise TimeoutError

        client = BoundedHttpClient(Client())
        with pytest.raises(TransportError) as caught:
            client.get("https://x.example/")
        assert "secret" not in str(caught.value)
        assert caught.value.__suppress_context__
        assert fail(lambda: client.post("https://x.example/", data=REFRESH))[0] == "timeout"


class TestRetryAfter:
    NOW = 1_760_000_000.0

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("0", 0),
            ("17", 17),
            ("  7 ", 7),
            ("9" * 40, 999_999_999_999),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            (None, None),
            ("٣", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
            ("Sun, 99 Nov 1994 08:49:37 GMT", None),
        ],
    )
    def test_values(self, value, seconds):
        assert parse_retry_after(value, self.NOW) == seconds

    @pytest.mark.parametrize("ahead", [1, 59, 3600])
    def test_date(self, ahead):
        moment = datetime.fromtimestamp(self.NOW, timezone.utc) + timedelta(seconds=ahead)
        assert parse_retry_after(format_datetime(moment, usegmt=True), self.NOW) == ahead

    @given(
        st.text() | st.from_regex(r"\A[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ .{0,5}\Z")
    )
    def test_anything(self, value):
        seconds = parse_retry_after(value, self.NOW)
        assert seconds is None or seconds >= 0


def make_certificate(folder):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import NameOID

    from tests.oauth2.scripted import make_key

    key = make_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
