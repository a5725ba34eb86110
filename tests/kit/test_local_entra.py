"""A local Entra for the time of a test: settings, addresses, a clean start, answers to prompts."""

from __future__ import annotations

import unittest
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.cache import cache, caches
from django.core.cache.backends import locmem
from django.test import Client, TestCase, override_settings

from django_entra_auth.conf import find_problems, get_settings
from django_entra_auth.emulator import FABRIKAM_TENANT_ID, Emulator, EmulatorPage, Policy
from django_entra_auth.testing import (
    EntraEmulatorMixin,
    answer_prompt,
    assert_prompts,
    sign_in,
    use_emulator,
)
from django_entra_auth.testing.local_entra import CACHE_ALIAS, emulator_settings

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.kit.site")]

OWN = {
    "CLIENT_ID": "own",
    "CLIENT_CREDENTIAL": "own-secret",
    "TENANT_ID": "99999999-2222-4333-8444-555555555555",
    "REDIRECT_URI": "https://www.contoso.example/auth/callback",
    "PROXIES": {"https": "http://proxy.contoso.example:3128"},
    "CA_BUNDLE": "/no/such/file.pem",
    "STAFF_ROLES": ["Admin"],
}


@pytest.fixture
def entra(running_entra: Emulator) -> Iterator[Emulator]:
    """In use for a site with settings of its own."""
    with override_settings(ENTRA_AUTH=OWN), use_emulator(running_entra):
        yield running_entra


def test_the_site_signs_in_at_it(client: Client, entra: Emulator) -> None:
    page = answer_prompt(client, client.get("/whoami/"), entra, "bob")
    assert page.json()["username"] == "bob@contoso.example"


def test_its_rules_stay_its_own(client: Client, entra: Emulator) -> None:
    answer_prompt(client, client.get("/whoami/"), entra, "erin")
    assert User.objects.get().is_staff


@pytest.mark.parametrize("mode", ["form_post", "query"])
@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("host", ["testserver", "127.0.0.1:8000"])
def test_it_is_answered_in_every_way(entra: Emulator, mode: str, secure: bool, host: str) -> None:
    client = Client(HTTP_HOST=host)
    with override_settings(ENTRA_AUTH={**django_settings.ENTRA_AUTH, "RESPONSE_MODE": mode}):
        page = answer_prompt(client, client.get("/whoami/", secure=secure), entra)
        assert page.json()["username"] == "alice@contoso.example"


def test_a_policy_is_enforced(client: Client, entra: Emulator) -> None:
    entra.optional_claims |= {"acrs"}
    entra.policies.add(Policy(name="vault", control="mfa", context="c1"))
    answer_prompt(client, client.get("/whoami/"), entra)
    prompt = client.get("/context/")
    assert_prompts(prompt, auth_context="c1")
    with pytest.raises(EmulatorPage):
        answer_prompt(client, prompt, entra, mfa=False)
    assert answer_prompt(client, prompt, entra).content == b"in"


def test_a_script_and_a_form_are_answered_too(client: Client, entra: Emulator) -> None:
    entra.optional_claims |= {"acrs"}
    answer_prompt(client, client.get("/whoami/"), entra)
    script = client.get("/context/", headers={"Sec-Fetch-Mode": "cors"})
    assert script.status_code == 401
    assert answer_prompt(client, script, entra).content == b"in"


def test_a_kept_form_is_offered_again(client: Client, entra: Emulator) -> None:
    entra.optional_claims |= {"acrs"}
    answer_prompt(client, client.get("/whoami/"), entra)
    page = answer_prompt(client, client.post("/context/", {"amount": "17"}), entra)
    assert b"amount" in page.content


def test_who_gives_up_is_on_the_sites_page(client: Client, entra: Emulator) -> None:
    page = answer_prompt(client, client.get("/whoami/"), entra, cancel=True)
    assert page.status_code == 403


def test_what_is_no_prompt_cannot_be_answered(client: Client, entra: Emulator) -> None:
    with pytest.raises(AssertionError, match="leads to no local Entra"):
        answer_prompt(client, client.get("/"), entra)


def test_a_sign_in_without_http_works_beside_it(client: Client, entra: Emulator) -> None:
    sign_in(client)
    assert client.get("/whoami/").status_code == 200
    assert_prompts(client.get("/mail/"), scopes=["Mail.Read"])


# Settings


@pytest.mark.parametrize(
    ("given", "authority", "allowed"),
    [
        (None, "tenant", None),
        (OWN, "tenant", None),
        ({**OWN, "ALLOWED_TENANTS": [OWN["TENANT_ID"]]}, "tenant", ["own"]),
        ({**OWN, "AUTHORITY": "https://contoso.ciamlogin.com/"}, "tenant", None),
        ({"TENANT_ID": "organizations", "ALLOWED_TENANTS": ["*"]}, "organizations", ["*"]),
        (
            {
                "AUTHORITY": "https://login.microsoftonline.com/common/",
                "ALLOWED_TENANTS": [FABRIKAM_TENANT_ID],
            },
            "common",
            [FABRIKAM_TENANT_ID, "own"],
        ),
    ],
)
def test_settings_lead_to_it_and_are_valid(
    running_entra: Emulator, given: Any, authority: str, allowed: Any
) -> None:
    with override_settings(ENTRA_AUTH=given):
        entra_auth = emulator_settings(running_entra)["ENTRA_AUTH"]
    assert {"PROXIES", "CA_BUNDLE", "REDIRECT_URI", "TENANT_ID"}.isdisjoint(entra_auth)
    assert find_problems(entra_auth) == []
    segment = running_entra.tenant_id if authority == "tenant" else authority
    assert entra_auth["AUTHORITY"] == f"{running_entra.origin}/{segment}"
    named = [running_entra.tenant_id if name == "own" else name for name in allowed or []]
    assert entra_auth.get("ALLOWED_TENANTS", []) == named


def test_everything_is_as_before_afterwards(running_entra: Emulator) -> None:
    cache.set("mine", 1)
    running_entra.policies.add(Policy(name="left", control="block"))
    with use_emulator(running_entra):
        assert running_entra.policies.all() == []
        assert get_settings().authority == running_entra.authority
        assert cache.get("mine") == 1
        caches[CACHE_ALIAS].set("theirs", 1)
        running_entra.policies.add(Policy(name="mfa", control="mfa"))
        running_entra.rotate_keys(drop_old=True)
        keys = running_entra.keys
    assert CACHE_ALIAS not in django_settings.CACHES
    assert get_settings().authority != running_entra.authority
    assert running_entra.policies.all() == []
    assert running_entra.keys is not keys
    assert cache.get("mine") == 1
    kept = {name: held for name, held in locmem._caches.items() if CACHE_ALIAS in name}  # type: ignore[attr-defined]
    assert not any(kept.values())


def test_one_test_sees_nothing_of_another(running_entra: Emulator) -> None:
    for _ in range(2):
        with use_emulator(running_entra):
            assert caches[CACHE_ALIAS].get("theirs") is None
            caches[CACHE_ALIAS].set("theirs", 1)


class Mixed(EntraEmulatorMixin, TestCase):
    """Run by the test below; a name that pytest does not collect by itself."""

    __test__ = False
    seen: list[Any] = []

    def setUp(self) -> None:
        super().setUp()
        self.seen.append((self.entra_emulator.port, self.entra_emulator.policies.all()))

    def test_one(self) -> None:
        self.entra_emulator.policies.add(Policy(name="mfa", control="mfa"))
        prompt = self.client.get("/whoami/")
        page = answer_prompt(self.client, prompt, self.entra_emulator)
        self.assertContains(page, "alice@contoso.example")

    test_two = test_one

    def test_three(self) -> None:
        self.fail("on purpose")


def test_the_mixin_gives_each_test_a_clean_one() -> None:
    before = django_settings.ENTRA_AUTH
    names = ("test_one", "test_two", "test_three")
    outcome = unittest.TestSuite(map(Mixed, names)).run(unittest.TestResult())
    assert (outcome.testsRun, len(outcome.failures), outcome.errors) == (3, 1, [])
    assert [policies for _, policies in Mixed.seen] == [[], [], []]
    assert len({port for port, _ in Mixed.seen}) == 1
    assert Mixed.entra_emulator.port == 0, "it was not stopped"
    assert django_settings.ENTRA_AUTH is before
