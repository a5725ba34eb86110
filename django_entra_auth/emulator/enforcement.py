"""Judging a sign-in by the policies that are on, and wording the refusal."""

import json
from dataclasses import dataclass
from typing import Any

from .directory import Account, Application
from .errors import EntraError
from .grants import SignInFacts
from .policies import ActivePolicy, Control, Policy, policy_id
from .state import State

# Which control speaks first: what nobody can do anything about, proofs, pages to read, consent.
_ORDER: tuple[Control, ...] = (
    "assignment",
    "block",
    "risk",
    "app_protection",
    "sign_in_frequency",
    "mfa",
    "compliant_device",
    "password_change",
    "terms_of_use",
    "admin_consent",
    "user_consent",
)
_NUMBERS: dict[Control, int] = {
    "assignment": 50105,
    "block": 53003,
    "risk": 53011,
    "app_protection": 53005,
    "sign_in_frequency": 70043,
    "mfa": 50076,
    "compliant_device": 53000,
    "password_change": 50142,
    "terms_of_use": 50158,
    "admin_consent": 90094,
    "user_consent": 65001,
}
_FINAL: tuple[Control, ...] = ("assignment", "block", "risk", "app_protection")
_NAMES_POLICIES = ("block", "risk", "mfa", "compliant_device")
_SESSION_TOO_OLD = 70044
_CONSENT = ("admin_consent", "user_consent")


@dataclass(frozen=True)
class Asked:
    """Who asks for what: scopes, and authentication contexts for the two kinds of token.

    The policies of `policy_ids` have a say whatever is asked for: they refused a token before,
    perhaps one for an API that another API calls.
    """

    application: Application
    account: Account
    scopes: tuple[str, ...]
    contexts: frozenset[str] = frozenset()
    access_contexts: frozenset[str] = frozenset()
    policy_ids: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Proof:
    """What the sign-in has to show for itself, as of `at` (seconds since the epoch).

    `is_fresh` when the person gave credentials for this very request.
    """

    facts: SignInFacts
    at: float
    is_fresh: bool = False


@dataclass(frozen=True)
class Demand:
    """What has to happen first, and all the policies that want it."""

    control: Control
    unmet: tuple[ActivePolicy, ...]

    @property
    def number(self) -> int:
        """The AADSTS number it is refused with."""
        return _NUMBERS[self.control]

    @property
    def is_consent(self) -> bool:
        """Whether only consent is missing."""
        return self.control in _CONSENT

    @property
    def names(self) -> list[str]:
        """The names of the policies."""
        return [active.policy.name for active in self.unmet]


def find_demand(state: State, asked: Asked, proof: Proof) -> Demand | None:
    """The first thing policies demand and the sign-in does not have; None when it may go on."""
    unmet = _find_unmet(state, asked, proof)
    for control in _ORDER:
        found = tuple(active for active in unmet if active.policy.control == control)
        if found:
            return Demand(control, found)
    return None


def _find_unmet(state: State, asked: Asked, proof: Proof) -> list[ActivePolicy]:
    person = state.short_name(asked.account.person)
    return [
        active
        for active in state.policies.active()
        if _has_a_say(active.policy, person, asked) and not _is_met(active, asked, proof)
    ]


def _has_a_say(policy: Policy, person: str, asked: Asked) -> bool:
    if policy.policy_id in asked.policy_ids:
        return policy.is_about(person)
    return policy.applies_to(person, asked.scopes, asked.contexts | asked.access_contexts)


def _is_met(active: ActivePolicy, asked: Asked, proof: Proof) -> bool:
    policy, facts = active.policy, proof.facts
    if policy.control == "mfa":
        return facts.mfa_at is not None
    if policy.control == "compliant_device":
        return facts.is_device_registered
    if policy.control in ("terms_of_use", "password_change"):
        return active.serial in facts.completed
    if policy.control == "sign_in_frequency":
        return proof.is_fresh or proof.at - facts.auth_time <= (policy.seconds or 0)
    return policy.control in _CONSENT and _has_consent(policy, asked)


def _has_consent(policy: Policy, asked: Asked) -> bool:
    scopes = policy.scopes_among(asked.scopes)
    if policy.control == "admin_consent":
        return asked.application.is_consented_for_all(asked.account, scopes)
    return asked.application.is_consented(asked.account, scopes)


def find_satisfied_contexts(state: State, asked: Asked, proof: Proof) -> frozenset[str]:
    """The contexts the session gained earlier and that no policy has come to stand before."""
    unmet = _find_unmet(state, asked, proof)
    return asked.contexts - {active.policy.context for active in unmet}


def make_refusal(demand: Demand, asked: Asked) -> EntraError:
    """The token endpoint's answer."""
    return EntraError(demand.number, claims=_make_claims(demand, asked))


def make_exchange_refusal(demand: Demand, asked: Asked) -> EntraError:
    """The answer to an API that exchanges a token: what a person can satisfy needs a prompt."""
    if demand.is_consent or demand.control in _FINAL:
        return make_refusal(demand, asked)
    return make_silent_refusal(demand, asked)


def make_endless_challenge() -> EntraError:
    """A challenge that no policy stands behind and no prompt ever satisfies."""
    claims = {"access_token": {"capolids": _name_policies([policy_id("Always challenges")])}}
    text = json.dumps(claims, separators=(",", ":"))
    return EntraError(50076, error="interaction_required", suberror="basic_action", claims=text)


def _name_policies(ids: list[str]) -> dict[str, Any]:
    return {"essential": True, "values": ids}


def make_silent_refusal(demand: Demand, asked: Asked) -> EntraError:
    """The answer to `prompt=none`."""
    claims = _make_claims(demand, asked)
    if demand.is_consent:
        error = suberror = "consent_required"
        return EntraError(demand.number, error=error, suberror=suberror, claims=claims)
    if demand.control == "sign_in_frequency":
        return EntraError(_SESSION_TOO_OLD, claims=claims)
    suberror = make_refusal(demand, asked).suberror or ""
    return EntraError(demand.number, error="interaction_required", suberror=suberror, claims=claims)


def _make_claims(demand: Demand, asked: Asked) -> str | None:
    """The claims request that brings the person back for what is missing."""
    policies = [active.policy for active in demand.unmet]
    is_about_context = any(policy.context for policy in policies)
    if demand.control not in _NAMES_POLICIES and not is_about_context:
        return None
    capolids = _name_policies([policy.policy_id for policy in policies])
    claims: dict[str, Any] = {"access_token": {"capolids": capolids}}
    claims["access_token"] |= _ask_contexts(asked.access_contexts)
    id_token = _ask_contexts(asked.contexts)
    return json.dumps(claims | ({"id_token": id_token} if id_token else {}), separators=(",", ":"))


def _ask_contexts(contexts: frozenset[str]) -> dict[str, Any]:
    if not contexts:
        return {}
    values = sorted(contexts)
    which = {"value": values[0]} if len(values) == 1 else {"values": values}
    return {"acrs": {"essential": True, **which}}
