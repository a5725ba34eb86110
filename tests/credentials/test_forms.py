"""Every form of CLIENT_CREDENTIAL signs somebody in; the local Entra checks what it proves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest

from tests.credentials.material import PASSPHRASE, Shop, as_base64, make_cluster_token, make_pair

Form = Callable[[Shop], Any]
handed_out: dict[str, Any] = {}


def from_vault() -> Any:
    """Named by a dotted path in settings."""
    return handed_out["credential"]


def sign_for(client_id: str, token_endpoint: str) -> str:
    """An assertion that the project signs itself, in a hardware module perhaps."""
    return str(handed_out["sign"](client_id, token_endpoint))


def keep(credential: Any) -> None:
    handed_out["credential"] = credential


def pem(shop: Shop, **more: Any) -> dict[str, Any]:
    return {
        "private_key": shop.pair.key_pem(),
        "public_certificate": shop.pair.certificate_pem,
        **more,
    }


def pem_paths(shop: Shop, *, passphrase: str | None = None) -> dict[str, Any]:
    return {
        "private_key_path": shop.write("key.pem", shop.pair.key_pem(passphrase)),
        "public_certificate_path": shop.write("certificate.pem", shop.pair.certificate_pem),
    }


def bundle(shop: Shop, *, root_first: bool) -> dict[str, Any]:
    chain = [shop.pair.certificate_pem, shop.pair.issuer_pem]
    chain = chain[::-1] if root_first else chain
    return {"private_key_path": shop.write("site.pem", "".join([*chain, shop.pair.key_pem()]))}


def own_assertion(shop: Shop) -> Any:
    from django_entra_auth.oauth2.credential import parse_credentials

    (credential,) = parse_credentials(pem(shop))

    def sign(client_id: str, token_endpoint: str) -> str:
        return credential.authenticate(
            client_id=client_id, token_endpoint=token_endpoint, now=shop.entra.clock()
        )["client_assertion"]

    handed_out["sign"] = sign
    return {"client_assertion": f"{__name__}.sign_for"}


def federated(shop: Shop) -> dict[str, Any]:
    key = make_pair().key
    shop.federate(key)
    return {"client_assertion_path": shop.write("federated-token", make_cluster_token(key))}


def kept(credential: Any, form: Any) -> Any:
    keep(credential)
    return form


FORMS: dict[str, Form] = {
    "secret": lambda shop: shop.entra.client_secret,
    "secret file": lambda shop: {
        "client_secret_path": Path(shop.write("secret", f"{shop.entra.client_secret}\n"))
    },
    "PEM": pem,
    "PEM with a passphrase": lambda shop: pem(
        shop, private_key=shop.pair.key_pem(PASSPHRASE), passphrase=PASSPHRASE
    ),
    "PEM with its certificate sent along": lambda shop: pem(shop, send_x5c=True),
    "PEM files": pem_paths,
    "PEM files with a passphrase": lambda shop: {
        **pem_paths(shop, passphrase=PASSPHRASE),
        "passphrase": PASSPHRASE,
    },
    "PEM files with a passphrase file": lambda shop: {
        **pem_paths(shop, passphrase=PASSPHRASE),
        "passphrase_path": shop.write("passphrase", f"{PASSPHRASE}\n"),
    },
    "key of the environment, certificate file": lambda shop: {
        "private_key": shop.pair.key_pem(),
        "public_certificate_path": shop.write("certificate.pem", shop.pair.certificate_pem),
    },
    "one PEM file": lambda shop: bundle(shop, root_first=False),
    "one PEM file, root first": lambda shop: bundle(shop, root_first=True),
    "PFX": lambda shop: {"private_key_pfx_path": shop.write("site.pfx", shop.pair.pfx())},
    "PFX with a passphrase": lambda shop: {
        "private_key_pfx_path": shop.write("site.pfx", shop.pair.pfx(PASSPHRASE)),
        "passphrase": PASSPHRASE,
    },
    "PFX as a vault mounts it": lambda shop: {
        "private_key_pfx_path": shop.write("site.pfx", as_base64(shop.pair.pfx()))
    },
    "assertion by a dotted path": own_assertion,
    "federated token file": federated,
    "callable": lambda shop: kept(shop.entra.client_secret, from_vault),
    "callable by a dotted path": lambda shop: kept(
        pem(shop), {"client_credential": f"{__name__}.from_vault"}
    ),
    "callable in a dict": lambda shop: kept(pem(shop), {"client_credential": from_vault}),
    "callable that returns several": lambda shop: kept(
        [pem(shop), shop.entra.client_secret], from_vault
    ),
    "list": lambda shop: kept(pem(shop), [pem_paths(shop), from_vault, "last"]),
}


@pytest.mark.parametrize("name", FORMS)
def test_somebody_signs_in(shop: Shop, name: str) -> None:
    shop.use(FORMS[name](shop))
    visitor, response = shop.sign_in()
    assert response.status_code == 302, response.content
    assert visitor.is_signed_in()
    (form,) = shop.token_forms()
    assert ("client_secret" in form) != ("client_assertion" in form)


def test_the_certificate_travels_on_request_alone(shop: Shop) -> None:
    headers = []
    for send_x5c in (False, True):
        shop.use({**bundle(shop, root_first=True), "send_x5c": send_x5c})
        shop.sign_in()
        headers.append(jwt.get_unverified_header(shop.token_forms()[-1]["client_assertion"]))
    assert "x5c" not in headers[0]
    assert len(headers[1]["x5c"]) == 2
    assert headers[0]["x5t#S256"] == headers[1]["x5t#S256"], "the leaf's, wherever it stood"


@pytest.mark.parametrize("break_it", ["unregistered", "expired_secret", "wrong_key"])
def test_what_proves_nothing_signs_nobody_in(shop: Shop, break_it: str) -> None:
    shop.use(pem(shop))
    if break_it == "unregistered":
        shop.entra.application.credentials.certificates.clear()
    elif break_it == "wrong_key":
        other = make_pair()
        shop.use({"private_key": other.key_pem(), "public_certificate": other.certificate_pem})
    else:
        shop.use(shop.entra.client_secret)
        shop.entra.application.credentials.expired_secrets.add(shop.entra.client_secret)
    visitor, response = shop.sign_in()
    assert response.status_code == 500
    assert not visitor.is_signed_in()


MISSING: dict[str, Any] = {
    "secret file": {"client_secret_path": "/nowhere/secret"},
    "PFX": {"private_key_pfx_path": "/nowhere/site.pfx"},
    "failing assertion": {"client_assertion": lambda: 1 / 0},
    "no assertion": {"client_assertion": lambda: None},
    "failing function": lambda: 1 / 0,
    "no PEM": lambda: {"private_key": "no PEM", "public_certificate": "nor this"},
}


@pytest.mark.parametrize("name", MISSING)
def test_without_a_credential_there_is_a_page_and_no_request(shop: Shop, name: str) -> None:
    shop.use(MISSING[name])
    visitor, response = shop.sign_in()
    assert response.status_code == 500
    assert "AADSTS" not in response.content.decode()
    assert "PEM" not in response.content.decode()
    assert not visitor.is_signed_in()
    assert shop.count() == 0
