"""Credentials are replaced while the process runs: nobody notices, and Entra is asked once more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from django_entra_auth.client import get_application
from django_entra_auth.emulator.faults import Fault
from django_entra_auth.oauth2 import ConfidentialClientApplication
from django_entra_auth.oauth2 import application as module
from django_entra_auth.oauth2.credential import parse_credentials
from django_entra_auth.oauth2.credential_sources import RETRY_SECONDS
from tests.credentials.material import Shop, make_cluster_token, make_pair

THREADS = 20
REFUSED_SECRET = 7000215
REJECTED_ONCE = Fault(401, '{"error": "invalid_client", "error_codes": [7000222]}')


def ask(application: ConfidentialClientApplication, number: int = 0) -> dict[str, Any]:
    """A token request that no cache answers."""
    return application.acquire_token_for_client([f"api://{number}/.default"])


@pytest.fixture
def application(shop: Shop) -> Iterator[Callable[..., ConfidentialClientApplication]]:
    """Make an application without Django around it."""
    made: list[ConfidentialClientApplication] = []

    def make(credential: Any, **options: Any) -> ConfidentialClientApplication:
        made.append(
            ConfidentialClientApplication(
                shop.entra.client_id,
                client_credential=credential,
                authority=shop.entra.authority,
                allow_loopback=True,
                **options,
            )
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


class Vault:
    """A function of the project's, counted."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.calls = answer, 0

    def __call__(self) -> Any:
        self.calls += 1
        return self.answer


def test_a_file_that_is_replaced_first_costs_no_request_more(shop: Shop) -> None:
    """Both secrets count at Entra for a while, as in every orderly rollover."""
    shop.use({"client_secret_path": shop.write("secret", shop.entra.client_secret)})
    assert shop.sign_in()[0].is_signed_in()
    built = get_application()
    shop.write("secret", "the-new-one")
    shop.entra.application.client_secret = "the-new-one"
    assert shop.sign_in("erin")[0].is_signed_in()
    assert get_application() is built, "nothing was restarted"
    assert [form["client_secret"] for form in shop.token_forms()][1:] == ["the-new-one"]


def test_a_mounted_certificate_that_is_replaced_signs_the_next_request(shop: Shop) -> None:
    newer = make_pair()
    shop.use(
        {
            "private_key_path": shop.write("key.pem", shop.pair.key_pem()),
            "public_certificate_path": shop.write("certificate.pem", shop.pair.certificate_pem),
        }
    )
    assert shop.sign_in()[0].is_signed_in()
    shop.write("key.pem", newer.key_pem())
    # Between the two files the pair does not fit: the last good one counts.
    assert shop.sign_in("erin")[0].is_signed_in()
    shop.write("certificate.pem", newer.certificate_pem)
    shop.entra.application.credentials.certificates[:] = [newer.certificate]
    assert shop.sign_in("heidi")[0].is_signed_in()
    assert shop.count() == 3


def test_a_federated_token_is_read_again_when_the_platform_renews_it(shop: Shop) -> None:
    key = make_pair().key
    shop.federate(key)
    shop.use({"client_assertion_path": shop.write("token", make_cluster_token(key, exp=1))})
    assert not shop.sign_in()[0].is_signed_in()
    shop.write("token", make_cluster_token(key))
    assert shop.sign_in()[0].is_signed_in()
    assert shop.count() == 2


def test_a_function_is_asked_again_when_entra_rejects_what_it_said(shop: Shop) -> None:
    vault = Vault(shop.entra.client_secret)
    shop.use(vault)
    assert shop.sign_in()[0].is_signed_in()
    vault.answer = shop.entra.application.client_secret = "the-new-one"
    assert shop.sign_in("erin")[0].is_signed_in(), "with the same code, which was not looked at"
    assert shop.sign_in("alice")[0].is_signed_in()
    sent = [form["client_secret"] for form in shop.token_forms()]
    assert sent == [
        shop.entra.client_secret,
        shop.entra.client_secret,
        "the-new-one",
        "the-new-one",
    ]
    assert vault.calls == 2


def test_a_vault_that_lags_behind_is_asked_again_soon(shop: Shop, application: Any) -> None:
    now = [100.0]
    vault = Vault("old")
    patch = pytest.MonkeyPatch()
    patch.setattr(
        module,
        "parse_credentials",
        lambda value, **more: parse_credentials(value, monotonic=lambda: now[0], **more),
    )
    app = application(vault)
    patch.undo()
    for _ in range(5):
        assert ask(app)["error_codes"] == [REFUSED_SECRET]
    assert (vault.calls, shop.count()) == (2, 5)
    vault.answer = shop.entra.client_secret
    now[0] += RETRY_SECONDS
    assert "access_token" in ask(app)
    assert (vault.calls, shop.count()) == (3, 7)


def test_a_file_whose_old_content_entra_rejects_is_tried_once(shop: Shop, application: Any) -> None:
    app = application({"client_secret_path": shop.write("secret", "never-registered")})
    assert ask(app)["error_codes"] == [REFUSED_SECRET]
    assert shop.count() == 1


@pytest.mark.parametrize("kind", ["file", "function", "list"])
def test_many_at_once_meet_a_rollover(shop: Shop, application: Any, kind: str) -> None:
    """Each thread is rejected once at the most, and all of them get through."""
    old, new = shop.entra.client_secret, "the-new-one"
    vault = Vault(old)
    forms = {
        "file": {"client_secret_path": shop.write("secret", old)},
        "function": vault,
        "list": [old, new],
    }
    app = application(forms[kind])
    assert "access_token" in ask(app)
    before = shop.count()
    shop.entra.application.client_secret = vault.answer = new
    shop.write("secret", new)
    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(lambda number: ask(app, number), range(1, THREADS + 1)))
    assert all("access_token" in result for result in results), results
    assert THREADS <= shop.count() - before <= 2 * THREADS
    assert vault.calls <= 2
    before = shop.count()
    assert "access_token" in ask(app, 99)
    assert shop.count() - before == 1, "the accepted one is remembered"


def test_a_list_goes_from_a_certificate_to_the_next(shop: Shop) -> None:
    older = make_pair()
    shop.use(
        [
            {"private_key": older.key_pem(), "public_certificate": older.certificate_pem},
            {"private_key_pfx_path": shop.write("site.pfx", shop.pair.pfx())},
        ]
    )
    assert shop.sign_in()[0].is_signed_in()
    assert shop.sign_in("erin")[0].is_signed_in()
    assert shop.count() == 3


def test_a_list_goes_on_where_a_file_is_missing(shop: Shop) -> None:
    shop.use([{"client_secret_path": str(shop.folder / "later")}, shop.entra.client_secret])
    assert shop.sign_in()[0].is_signed_in()
    assert shop.count() == 1


def test_an_outage_says_nothing_about_the_next_credential(shop: Shop, application: Any) -> None:
    told: list[int] = []
    credentials = ["old", shop.entra.client_secret]
    app = application(credentials, on_credential_rejected=lambda place, _: told.append(place))
    shop.entra.faults.add("token", REJECTED_ONCE)
    shop.entra.faults.outage("503", times=2)  # the second credential and its one repetition
    assert ask(app)["category"] == "transient"
    assert told == []


def test_a_refusal_of_the_client_is_not_kept_for_the_next_credential(
    shop: Shop, application: Any
) -> None:
    """Whatever its status is: the answer would stand in the way of the one that works."""
    app = application(["old", shop.entra.client_secret], http_cache={})
    shop.entra.faults.add("token", Fault(400, REJECTED_ONCE.body))
    assert "access_token" in ask(app)
