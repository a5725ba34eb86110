"""Secrets, certificates, assertions, and the change from one to the next."""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from datetime import datetime, timedelta, timezone

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from django_entra_auth.oauth2.credential import ROLLOVER_NUMBERS, parse_credentials
from tests.oauth2.scripted import CLIENT_ID, SECRET, Answer

ENDPOINT = "https://login.microsoftonline.com/t/oauth2/v2.0/token"
NOW = 1_760_000_000.7
PASSPHRASE = "open sesame"


def make_certificate(key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app")])
    now = datetime.now(timezone.utc)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    return builder.sign(key, hashes.SHA256())


@pytest.fixture(scope="module")
def certificate(signing_key):
    return make_certificate(signing_key)


@pytest.fixture(scope="module")
def certificate_pem(certificate):
    return certificate.public_bytes(Encoding.PEM).decode()


def key_pem(key, passphrase=None):
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()


def authenticate(value):
    (credential,) = parse_credentials(value)
    return credential.authenticate(client_id=CLIENT_ID, token_endpoint=ENDPOINT, now=NOW)


def read_assertion(fields, key, now=NOW):
    assert fields["client_assertion_type"] == (
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    )
    token = fields["client_assertion"]
    claims = jwt.decode(
        token,
        key.public_key(),
        ["PS256"],
        audience=ENDPOINT,
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )
    return jwt.get_unverified_header(token), claims


class TestSecret:
    def test_is_sent_in_the_body(self):
        assert authenticate("the secret") == {"client_secret": "the secret"}

    def test_repr(self):
        (credential,) = parse_credentials("hunter2")
        assert "hunter2" not in repr(credential)


class TestPem:
    def test_assertion(self, signing_key, certificate, certificate_pem):
        value = {"private_key": key_pem(signing_key), "public_certificate": certificate_pem}
        header, claims = read_assertion(authenticate(value), signing_key)
        digest = certificate.fingerprint(hashes.SHA256())
        thumbprint = urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert header == {"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint}
        assert claims.pop("jti")
        assert claims == {
            "aud": ENDPOINT,
            "iss": CLIENT_ID,
            "sub": CLIENT_ID,
            "nbf": int(NOW),
            "iat": int(NOW),
            "exp": int(NOW) + 600,
        }

    def test_each_assertion_is_new(self, signing_key, certificate_pem):
        value = {"private_key": key_pem(signing_key), "public_certificate": certificate_pem}
        first, second = (read_assertion(authenticate(value), signing_key)[1] for _ in range(2))
        assert first["jti"] != second["jti"]

    def test_certificate_on_request(self, signing_key, certificate, certificate_pem):
        value = {
            "private_key": key_pem(signing_key),
            "public_certificate": certificate_pem,
            "send_x5c": True,
        }
        header, _ = read_assertion(authenticate(value), signing_key)
        (der,) = header["x5c"]
        assert b64decode(der, validate=True) == certificate.public_bytes(Encoding.DER)

    def test_passphrase(self, signing_key, certificate_pem):
        value = {
            "private_key": key_pem(signing_key, PASSPHRASE),
            "public_certificate": certificate_pem,
        }
        assert read_assertion(authenticate({**value, "passphrase": PASSPHRASE}), signing_key)
        for wrong in ({}, {"passphrase": "no"}, {"passphrase": 7}):
            with pytest.raises(ValueError, match="client_credential"):
                parse_credentials({**value, **wrong})

    def test_the_pair_must_belong_together(self, other_key, certificate_pem):
        value = {"private_key": key_pem(other_key), "public_certificate": certificate_pem}
        with pytest.raises(ValueError, match="does not belong"):
            parse_credentials(value)

    def test_only_rsa(self):
        key = ec.generate_private_key(ec.SECP256R1())
        pem = make_certificate(key).public_bytes(Encoding.PEM).decode()
        with pytest.raises(ValueError, match="RSA"):
            parse_credentials({"private_key": key_pem(key), "public_certificate": pem})

    def test_parsed_once(self, signing_key, certificate_pem):
        value = {"private_key": key_pem(signing_key), "public_certificate": certificate_pem}
        (credential,) = parse_credentials(value)
        (again,) = (attempt.credential for attempt in parse_credentials(credential).attempts())
        assert again is credential
        assert key_pem(signing_key) not in repr(credential)


class TestPfx:
    @pytest.fixture
    def path(self, tmp_path, signing_key, certificate):
        path = tmp_path / "app.pfx"
        encryption = BestAvailableEncryption(PASSPHRASE.encode())
        path.write_bytes(
            pkcs12.serialize_key_and_certificates(
                b"app", signing_key, certificate, None, encryption
            )
        )
        return str(path)

    def test_assertion(self, path, signing_key):
        value = {"private_key_pfx_path": path, "passphrase": PASSPHRASE}
        header, _ = read_assertion(authenticate(value), signing_key)
        assert set(header) == {"alg", "typ", "x5t#S256"}

    def test_certificate_on_request(self, path, signing_key):
        value = {
            "private_key_pfx_path": path,
            "passphrase": PASSPHRASE,
            "public_certificate": True,
        }
        assert "x5c" in read_assertion(authenticate(value), signing_key)[0]

    def test_read_once_and_only_when_needed(self, path, tmp_path, signing_key):
        (credential,) = parse_credentials({"private_key_pfx_path": path, "passphrase": PASSPHRASE})
        for _ in range(2):
            credential.authenticate(client_id=CLIENT_ID, token_endpoint=ENDPOINT, now=NOW)
            (tmp_path / "app.pfx").unlink(missing_ok=True)

    def test_unreadable(self, path, tmp_path):
        for value in (
            {"private_key_pfx_path": path, "passphrase": "wrong"},
            {"private_key_pfx_path": str(tmp_path / "missing.pfx")},
        ):
            with pytest.raises(ValueError, match="PFX"):
                authenticate(value)


class TestAssertion:
    @pytest.mark.parametrize(
        "source",
        [
            "a.b.c",
            lambda: "a.b.c",
            lambda token_endpoint, client_id: "a.b.c" if token_endpoint == ENDPOINT else "",
            lambda client_id: "a.b.c" if client_id == CLIENT_ID else "",
            lambda *, token_endpoint: "a.b.c" if token_endpoint == ENDPOINT else "",
            lambda **context: "a.b.c" if len(context) == 2 else "",
            lambda context: "a.b.c" if context["client_id"] == CLIENT_ID else "",
            lambda audience="x": "a.b.c" if audience == "x" else "",
        ],
    )
    def test_sources(self, source):
        fields = authenticate({"client_assertion": source})
        assert fields["client_assertion"] == "a.b.c"

    def test_called_for_each_request(self):
        calls = []
        value = {"client_assertion": lambda: calls.append(1) or "a.b.c"}
        (credential,) = parse_credentials(value)
        for _ in range(2):
            credential.authenticate(client_id=CLIENT_ID, token_endpoint=ENDPOINT, now=NOW)
        assert len(calls) == 2

    @pytest.mark.parametrize("nothing", [None, "", 7, b"x"])
    def test_no_assertion(self, nothing):
        with pytest.raises(ValueError, match="returned no assertion"):
            authenticate({"client_assertion": lambda: nothing})


class TestMisuse:
    @pytest.mark.parametrize(
        "value",
        [
            None,
            "",
            "  ",
            7,
            b"secret",
            [],
            [""],
            {},
            {"hunter2": 1},
            {"client_assertion": 7},
            {"client_assertion": "x", "private_key": "hunter2"},
            {"private_key": "hunter2"},
            {"private_key": "hunter2", "thumbprint": "hunter2"},
            {"private_key": "hunter2", "public_certificate": "hunter2"},
            {"private_key": 7, "public_certificate": "hunter2"},
            {"private_key_pfx_path": "x", "hunter2": "y"},
            ["good", {"private_key": "hunter2"}],
        ],
    )
    def test_is_refused_without_repeating_it(self, value):
        with pytest.raises(ValueError, match="client_credential") as caught:
            parse_credentials(value)
        assert "hunter2" not in str(caught.value)


class TestRollover:
    @pytest.fixture
    def tried(self, server, provider):
        """The secrets that were tried, in order."""
        return lambda: [
            request.form["client_secret"]
            for request in server.received
            if request.path == provider.paths["token"]
        ]

    @pytest.mark.parametrize("number", sorted(ROLLOVER_NUMBERS))
    def test_the_next_one_is_tried(self, make_app, sign_in, provider, tried, number):
        app = make_app(client_credential=["old", "new"])
        rejected = {"error": "invalid_client", "error_codes": [number]}

        def answer(request):
            if request.form["client_secret"] == "old":
                return Answer(401, rejected)
            return Answer(400, {"error": "invalid_grant"})

        assert sign_in(app, answer=answer)["error"] == "invalid_grant"
        assert tried() == ["old", "new"]
        sign_in(app, answer=answer)
        assert tried() == ["old", "new", "new"], "the accepted one is remembered"

    def test_and_back_again(self, make_app, sign_in, tried):
        app = make_app(client_credential=["one", "two"])
        accepted = ["two", "one"]

        def answer(request):
            if request.form["client_secret"] == accepted[0]:
                return Answer(400, {"error": "invalid_grant"})
            return Answer(401, {"error": "invalid_client", "error_codes": [7000222]})

        sign_in(app, answer=answer)
        accepted.pop(0)
        assert sign_in(app, answer=answer)["error"] == "invalid_grant"
        assert tried() == ["one", "two", "two", "one"]

    @pytest.mark.parametrize(
        "body",
        [
            {"error": "unauthorized_client", "error_codes": [700016]},
            {"error": "invalid_client"},
            {"error": "invalid_client", "error_codes": ["7000215"]},
            {"error": "invalid_client", "error_codes": "7000215"},
            {"error": "invalid_grant", "error_codes": [50076]},
        ],
    )
    def test_other_errors_try_nothing_else(self, make_app, sign_in, tried, body):
        app = make_app(client_credential=["one", "two"])
        assert sign_in(app, answer=Answer(401, body))["error"] == body["error"]
        assert tried() == ["one"]

    def test_all_rejected(self, make_app, sign_in, tried):
        app = make_app(client_credential=["one", "two"])
        body = {"error": "invalid_client", "error_codes": [7000215]}
        result = sign_in(app, answer=Answer(401, body))
        assert (result["error"], result["category"]) == ("invalid_client", "configuration")
        assert tried() == ["one", "two"]

    def test_one_alone_is_tried_once(self, app, sign_in, tried):
        body = {"error": "invalid_client", "error_codes": [7000215]}
        sign_in(app, answer=Answer(401, body))
        assert tried() == [SECRET]
