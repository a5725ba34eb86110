"""Where challenges come from: what to ask for, and what makes it need a person."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django_entra_auth.emulator.faults import Fault
from django_entra_auth.emulator.policies import Policy
from tests.challenges.asking import Walker

MAIL_CLAIMS = '{"access_token":{"capolids":{"essential":true,"values":["a"]}}}'
CONTEXT = {"essential": True, "value": "c1"}
MFA_FOR_MAIL = Policy(name="m", control="mfa", scopes=frozenset({"Mail.Read"}))
MFA_FOR_CONTEXT = Policy(name="c", control="mfa", context="c1")
CONSENT_FOR_MAIL = Policy(name="k", control="user_consent", scopes=frozenset({"Mail.Read"}))


@dataclass(frozen=True)
class Source:
    """`arrange` makes the next request of `path` need a person; `asked` are the claims' sections.

    `prompt` is what the authorize request says there, `scopes` what it asks for beyond identity.
    """

    name: str
    path: str
    arrange: Callable[[Walker], None]
    asked: tuple[str, ...] = ()
    prompt: str | None = None
    scopes: frozenset[str] = frozenset({"User.Read"})

    def __str__(self) -> str:
        return self.name


def refuse_refresh(walker: Walker, **members: Any) -> None:
    """Let the token endpoint refuse the next refresh in these words."""
    body = {
        "error_description": "AADSTS50076: Due to a change made by your administrator",
        "error_codes": [50076],
        **members,
    }
    fault = Fault(400, json.dumps(body), {"Content-Type": "application/json"})
    walker.entra.faults.add("token", fault, grant="refresh_token")


def _policy(policy: Policy) -> Callable[[Walker], None]:
    return lambda walker: walker.entra.policies.add(policy)


def _revoke(walker: Walker) -> None:
    walker.entra.revoke_sign_ins("alice")


def _protect_transfer(walker: Walker) -> None:
    walker.entra.policies.add(MFA_FOR_CONTEXT)


def _protect_transfer_forbidden(walker: Walker) -> None:
    walker.entra.policies.add(MFA_FOR_CONTEXT)
    walker.entra.graph.challenge_style = "forbidden"


def _grow_old(walker: Walker) -> None:
    """The credentials were given longer ago than the view wants."""
    walker.entra.optional_claims |= {"auth_time"}
    session = walker.client.session
    session["_entra"]["claims"]["auth_time"] = 1_000_000_000
    session.save()


MAIL = frozenset({"Mail.Read"})
# Entra adds the policies to what the API has asked for.
BOTH = ("access_token.acrs", "access_token.capolids")
TERMS_FOR_MAIL = Policy(name="t", control="terms_of_use", scopes=MAIL)

SOURCES = [
    Source(
        "interaction_required",
        "/token/",
        lambda walker: refuse_refresh(walker, error="interaction_required"),
        scopes=MAIL,
    ),
    Source(
        "interaction_required-claims",
        "/token/",
        lambda walker: refuse_refresh(walker, error="interaction_required", claims=MAIL_CLAIMS),
        ("access_token.capolids",),
        scopes=MAIL,
    ),
    Source("basic_action-claims", "/token/", _policy(MFA_FOR_MAIL), ("access_token.capolids",),
           scopes=MAIL),
    Source("suberror-without-claims", "/token/", _policy(TERMS_FOR_MAIL), scopes=MAIL),
    Source("bad_token", "/token/", _revoke, scopes=MAIL),
    Source("api-revoked", "/api/", _revoke, ("access_token.nbf",)),
    Source("api-context", "/api-transfer/", _protect_transfer, BOTH),
    Source("api-forbidden", "/api-transfer/", _protect_transfer_forbidden, BOTH),
    Source("other-client", "/other-client/", _revoke, ("access_token.nbf",)),
    Source("context", "/context/", _policy(MFA_FOR_CONTEXT), ("id_token.acrs",)),
    Source("max_age", "/recent/", _grow_old, prompt="login"),
    Source("consent", "/scopes/", _policy(CONSENT_FOR_MAIL), scopes=MAIL),
    Source("raised", "/raised/", _policy(MFA_FOR_CONTEXT), ("id_token.acrs",)),
    Source("caught", "/caught/", _policy(MFA_FOR_CONTEXT), ("id_token.acrs",)),
]  # fmt: skip
BY_NAME = {source.name: source for source in SOURCES}
