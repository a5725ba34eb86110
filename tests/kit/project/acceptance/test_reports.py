import pytest
from django_entra_auth.testing import Policy, answer_prompt, assert_prompts, sign_in

pytestmark = pytest.mark.django_db


def test_a_person_is_greeted(client):
    sign_in(client, "alice")
    assert b"Hello alice@contoso.example" in client.get("/").content


def test_payroll_asks_for_a_step_up(client):
    sign_in(client)
    assert_prompts(client.get("/payroll/"), auth_context="c1")


def test_an_api_that_wants_more_gets_it(client, entra_emulator, settings):
    settings.GRAPH = f"{entra_emulator.origin}/v1.0"
    page = answer_prompt(client, client.get("/mail/"), entra_emulator, "alice")
    assert b"3 messages" in page.content

    entra_emulator.policies.add(Policy(name="mail", control="mfa", context="c3"))
    entra_emulator.graph.require_context("/v1.0/me/messages", "c3")
    prompt = client.get("/mail/")
    assert_prompts(prompt, scopes=["Mail.Read"])
    page = answer_prompt(client, prompt, entra_emulator, "alice")
    assert b"3 messages" in page.content
