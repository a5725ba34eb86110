from django_entra_auth.testing import Policy


def test_a_person_signs_in(entra_browser_page):
    page = entra_browser_page
    page.sign_in("alice")
    assert page.locator("h1").inner_text() == "Hello alice@contoso.example"


def test_payroll_is_behind_a_second_factor(entra_emulator, entra_browser_page):
    entra_emulator.optional_claims |= {"acrs", "auth_time"}
    entra_emulator.policies.add(Policy(name="payroll", control="mfa", context="c1"))
    page = entra_browser_page
    page.sign_in("alice")
    page.goto("/payroll/")
    assert page.locator("h1").inner_text() == "Prove it is you"
    page.answer_prompt("alice")
    assert page.locator("h1").inner_text() == "Payroll"
