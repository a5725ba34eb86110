"""What is read of a token answer before anybody else sees it."""

from __future__ import annotations

from django_entra_auth.oauth2 import MemoryTokenCache
from tests.oauth2.scripted import OID, TENANT, Answer


def test_claims_that_nobody_validated_are_not_taken_for_validated(make_app, sign_in, provider):
    app = make_app(token_cache=MemoryTokenCache())
    sign_in(app)
    forged = {"oid": OID, "tid": TENANT, "roles": ["Admin"]}
    body = {"access_token": "at-2", "expires_in": 3600, "token_type": "Bearer"}
    provider.answer_tokens(Answer(body={**body, "id_token_claims": forged}))
    (account,) = app.get_accounts()
    result = app.acquire_token_silent(["User.Read"], account, force_refresh=True)
    assert result["access_token"] == "at-2"
    assert "id_token_claims" not in result
