"""The end of every kind of certificate is known 30 days before, by the check and the doctor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.checks import run_checks

from django_entra_auth.doctor import Finding, Options
from tests.credentials.material import Pair, Shop, as_base64, make_pair
from tests.diagnosis import SITE, at, diagnose

OFFLINE = Options(offline=True, skip=frozenset({"cache"}))


def pem_files(shop: Shop, pair: Pair) -> dict[str, Any]:
    return {
        "private_key_path": shop.write("key.pem", pair.key_pem()),
        "public_certificate_path": shop.write("certificate.pem", pair.certificate_pem),
    }


FORMS: dict[str, Callable[[Shop, Pair], Any]] = {
    "PEM": lambda shop, pair: {
        "private_key": pair.key_pem(),
        "public_certificate": pair.certificate_pem,
    },
    "PEM files": pem_files,
    "one PEM file": lambda shop, pair: {
        "private_key_path": shop.write(
            "site.pem", pair.issuer_pem + pair.certificate_pem + pair.key_pem()
        )
    },
    "PFX": lambda shop, pair: {"private_key_pfx_path": shop.write("site.pfx", pair.pfx())},
    "PFX in base64": lambda shop, pair: {
        "private_key_pfx_path": shop.write("site.pfx", as_base64(pair.pfx()))
    },
}


def warnings_of_the_check() -> list[str]:
    found = run_checks(include_deployment_checks=True)
    return [one.msg for one in found if one.id == "django_entra_auth.W007"]


def of_credentials(findings: list[Finding], status: str = "warn") -> list[str]:
    return [one.reason for one in findings if (one.topic, one.status) == ("credentials", status)]


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(("days", "is_told"), [(29.9, True), (30.5, False)])
def test_a_leaf_that_ends(shop: Shop, name: str, days: float, is_told: bool) -> None:
    shop.use(FORMS[name](shop, make_pair(days=days, issuer_days=3650)))
    expected = ["The client's certificate 1 ends in 29 days"] if is_told else []
    for told in (warnings_of_the_check(), of_credentials(diagnose(options=OFFLINE))):
        assert [text.partition(", on ")[0] for text in told] == expected


@pytest.mark.parametrize("send_x5c", [True, False])
def test_an_issuer_that_ends_matters_where_it_is_sent_along(shop: Shop, send_x5c: bool) -> None:
    form = FORMS["one PEM file"](shop, make_pair(issuer_days=3.5))
    shop.use({**form, "send_x5c": send_x5c})
    assert len(warnings_of_the_check()) == int(send_x5c)


def test_a_function_is_called_by_the_doctor_and_not_by_the_check(shop: Shop) -> None:
    calls = []
    pair = make_pair(days=5.5)

    def fetch() -> Any:
        calls.append(1)
        return FORMS["PEM"](shop, pair)

    shop.use(fetch)
    assert warnings_of_the_check() == []
    skipped = of_credentials(diagnose(options=OFFLINE), "skip")
    assert skipped == ["The function's credential 1 was not called (--offline)."]
    assert calls == []
    assert "certificate 1 ends in 5 days" in of_credentials(diagnose(options=at(SITE)))[0]
    assert calls


def test_several_of_a_function_are_told_apart(shop: Shop) -> None:
    ending = FORMS["PEM"](shop, make_pair(days=5.5))
    shop.use(["x", lambda: [shop.entra.client_secret, ending]])
    warned = of_credentials(diagnose(options=at(SITE)))
    assert any("certificate 2.2 ends in 5 days" in text for text in warned)
    passed = of_credentials(diagnose(options=at(SITE)), "pass")
    assert "Entra accepts the secret 2.1." in passed


def test_the_end_of_a_secret_is_said_to_be_unknown(shop: Shop) -> None:
    for form in (
        shop.entra.client_secret,
        {"client_secret_path": shop.write("secret", shop.entra.client_secret)},
        lambda: shop.entra.client_secret,
    ):
        shop.use(form)
        passed = of_credentials(diagnose(options=at(SITE)), "pass")
        assert "When the secret 1 ends, Entra alone knows: see Certificates & secrets." in passed
        assert "Entra accepts the secret 1." in passed


@pytest.mark.parametrize("has_other", [True, False])
def test_a_missing_file_is_a_failure_only_when_nothing_else_works(
    shop: Shop, has_other: bool
) -> None:
    missing = {"client_secret_path": str(shop.folder / "none")}
    shop.use([missing, shop.entra.client_secret] if has_other else missing)
    (text,) = of_credentials(diagnose(options=at(SITE)), "warn" if has_other else "fail")
    assert text.startswith("The credential 1 cannot be had")
    found = run_checks(include_deployment_checks=True)
    assert [one.id for one in found if "credential" in one.msg] == ["django_entra_auth.E016"]


def test_an_expired_first_credential_is_found_with_its_number(shop: Shop) -> None:
    shop.entra.application.credentials.expired_secrets.add("last-years")
    shop.use(["last-years", shop.entra.client_secret])
    (text,) = of_credentials(diagnose(options=at(SITE)))
    assert "rejects the secret 1" in text
    assert "AADSTS7000222" in text


def test_dotted_paths_are_followed(shop: Shop) -> None:
    shop.use({"client_assertion": f"{__name__}.no_assertion"})
    (text,) = of_credentials(diagnose(options=at(SITE)), "fail")
    assert "assertion 1" in text
    assert "RuntimeError" in text
    assert "hunter2" not in text


def no_assertion() -> str:
    raise RuntimeError("hunter2")
