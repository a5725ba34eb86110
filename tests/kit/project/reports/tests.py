from unittest import mock

from django.test import TestCase
from django_entra_auth.exceptions import InteractionRequired, SignInFailed
from django_entra_auth.testing import (
    EntraEmulatorMixin,
    Policy,
    answer_prompt,
    assert_prompts,
    sign_in,
)


class SignedInTests(TestCase):
    def test_strangers_are_asked_to_sign_in(self):
        assert_prompts(self.client.get("/"))

    def test_a_person_is_greeted(self):
        sign_in(self.client, "alice")
        self.assertContains(self.client.get("/"), "Hello alice@contoso.example")

    def test_a_role_makes_staff(self):
        self.assertTrue(sign_in(self.client, roles=["Admin"]).is_staff)

    def test_guests_stay_outside(self):
        with self.assertRaises(SignInFailed) as refused:
            sign_in(self.client, "carol", claims={"acct": 1})
        self.assertEqual(refused.exception.reason, "guest_not_allowed")


class PayrollTests(TestCase):
    def test_a_step_up_opens_it(self):
        sign_in(self.client, acrs=["c1"])
        self.assertContains(self.client.get("/payroll/"), "Payroll")

    def test_without_one_it_is_asked_for(self):
        sign_in(self.client)
        assert_prompts(self.client.get("/payroll/"), auth_context="c1", max_age=600)

    def test_it_does_not_count_for_ever(self):
        sign_in(self.client, acrs=["c1"], seconds_ago=7200)
        assert_prompts(self.client.get("/payroll/"), auth_context="c1")


class MailTests(TestCase):
    def test_without_a_token_consent_is_asked_for(self):
        sign_in(self.client)
        assert_prompts(self.client.get("/mail/"), scopes=["Mail.Read"])

    def test_messages_are_counted(self):
        sign_in(self.client, tokens={"Mail.Read": "a-token"})
        with mock.patch("reports.views.fetch_messages", return_value=["one", "two"]):
            self.assertContains(self.client.get("/mail/"), "2 messages")

    def test_what_the_api_asks_for_is_asked_of_the_person(self):
        claims = '{"access_token": {"acrs": {"essential": true, "value": "c2"}}}'
        challenge = InteractionRequired(scopes=["Mail.Read"], claims=claims)
        sign_in(self.client, tokens={"Mail.Read": "a-token"})
        with mock.patch("reports.views.fetch_messages", side_effect=challenge):
            assert_prompts(self.client.get("/mail/"), scopes=["Mail.Read"], claims=claims)


class PolicyTests(EntraEmulatorMixin, TestCase):
    def test_payroll_is_behind_a_second_factor(self):
        self.entra_emulator.optional_claims |= {"acrs", "auth_time"}
        self.entra_emulator.policies.add(Policy(name="payroll", control="mfa", context="c1"))
        prompt = self.client.get("/payroll/")
        assert_prompts(prompt, auth_context="c1")
        page = answer_prompt(self.client, prompt, self.entra_emulator, "alice")
        self.assertContains(page, "Payroll")

    def test_who_gives_up_is_told_so(self):
        prompt = self.client.get("/")
        page = answer_prompt(self.client, prompt, self.entra_emulator, cancel=True)
        self.assertContains(page, "cancelled", status_code=403)
