"""No secret, key, passphrase or assertion is logged, recorded, shown or repeated in an error."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from django_entra_auth.client import get_application
from django_entra_auth.models import TokenErrorRecord
from tests.credentials.material import PASSPHRASE, Shop, make_pair
from tests.diagnosis import SITE, at, diagnose

CANARY = "hunter2-canary"


def fails() -> Any:
    raise RuntimeError(CANARY)


def wrong_pem(shop: Shop) -> dict[str, Any]:
    other = make_pair()
    return {
        "private_key_path": shop.write("key.pem", other.key_pem(PASSPHRASE)),
        "public_certificate_path": shop.write("certificate.pem", other.certificate_pem),
        "passphrase": PASSPHRASE,
    }


def replaced_by_rubbish(shop: Shop) -> dict[str, Any]:
    form = {"client_secret_path": shop.write("secret", CANARY)}
    shop.use(form)
    shop.sign_in()
    shop.write("secret", f"{CANARY}\0\xff".encode("latin-1"))
    return form


BAD: dict[str, Callable[[Shop], Any]] = {
    "secret": lambda shop: CANARY,
    "file": lambda shop: {"client_secret_path": shop.write("secret", CANARY)},
    "secret instead of a path": lambda shop: {"client_secret_path": CANARY},
    "function": lambda shop: lambda: CANARY,
    "failing function": lambda shop: fails,
    "function of nonsense": lambda shop: lambda: {"private_key": CANARY, CANARY: CANARY},
    "assertion": lambda shop: {"client_assertion": lambda: CANARY},
    "failing assertion": lambda shop: {"client_assertion": fails},
    "key": wrong_pem,
    "key that is none": lambda shop: {"private_key_path": shop.write("key.pem", CANARY)},
    "passphrase": lambda shop: {**wrong_pem(shop), "passphrase": CANARY},
    "PFX": lambda shop: {"private_key_pfx_path": shop.write("a.pfx", CANARY), "passphrase": CANARY},
    "list": lambda shop: [CANARY, {"client_secret_path": CANARY}, fails],
    "rubbish in the place of a good one": replaced_by_rubbish,
}


@pytest.mark.parametrize("name", BAD)
def test_nothing_of_a_credential_is_told(
    shop: Shop, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shop.use(BAD[name](shop))
    _, response = shop.sign_in()
    findings = diagnose(dict(shop.settings.ENTRA_AUTH), at(SITE, deploy=True))
    messages = run_checks(include_deployment_checks=True)
    rows = list(TokenErrorRecord.objects.values())
    logged = [(record.getMessage(), record.__dict__) for record in caplog.records]
    told = repr((response.content, findings, messages, rows, logged))
    forms = shop.token_forms()
    for secret in (CANARY, PASSPHRASE, *[form.get("client_assertion", CANARY) for form in forms]):
        assert secret not in told
    assert "-----BEGIN" not in told


@pytest.mark.parametrize(
    "credential",
    [
        {CANARY: 1},
        {"client_assertion": CANARY},
        {"client_credential": f"nowhere.{CANARY}"},
        {"private_key": CANARY, "public_certificate": CANARY},
        {"client_secret_path": CANARY, "client_secret": CANARY},
        {"client_secret": CANARY},
        {"client_secret_path": 7},
        {"thumbprint_path": CANARY, "private_key": CANARY},
        ["good", {"private_key_pfx_path": CANARY, CANARY: 1}],
    ],
    ids=str,
)
def test_a_form_that_does_not_exist_is_refused_without_repeating_it(
    shop: Shop, credential: Any
) -> None:
    shop.use(credential)
    with pytest.raises(ImproperlyConfigured) as caught:
        get_application()
    assert CANARY not in str(caught.value)
    assert any(
        one.id == "django_entra_auth.E016" for one in run_checks(include_deployment_checks=True)
    )
