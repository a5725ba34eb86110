"""The set of policies: their names, GUIDs, sense, and switching them while they are read."""

from __future__ import annotations

import threading
import uuid

import pytest

from django_entra_auth.emulator import Emulator
from django_entra_auth.emulator.policies import Control, Policies, Policy, policy_id
from tests.emulator import policy_cases as case


def test_reset_switches_everything_off(entra: Emulator) -> None:
    entra.policies.add(case.BLOCK)
    entra.always_challenges = entra.ignores_claims = True
    entra.loop_detection, entra.grants_fewer_scopes = False, frozenset({"x"})
    entra.reset()
    assert entra.policies.all() == []
    assert (entra.always_challenges, entra.ignores_claims) == (False, False)
    assert (entra.loop_detection, entra.grants_fewer_scopes) == (True, frozenset())


def test_a_policy_keeps_its_guid() -> None:
    assert policy_id("MFA") == policy_id("MFA") == Policies().policy_id("MFA") == case.MFA.policy_id
    assert str(uuid.UUID(policy_id("MFA"))) == policy_id("MFA")
    assert policy_id("MFA") != policy_id("mfa")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "", "control": "mfa"},
        {"name": "x", "control": "nonsense"},
        {"name": "x", "control": "mfa", "context": "c0"},
        {"name": "x", "control": "mfa", "context": "c100"},
        {"name": "x", "control": "mfa", "context": "c1\n"},
        {"name": "x", "control": "mfa", "seconds": 60},
        {"name": "x", "control": "sign_in_frequency"},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"name|control|context|seconds"):
        Policy(**wrong)  # type: ignore[arg-type]


def test_a_name_stands_for_one_policy() -> None:
    policies = Policies()
    policies.add(case.MFA)
    stricter: Control = "block"
    policies.add(Policy(name=case.MFA.name, control=stricter))
    assert [policy.control for policy in policies.all()] == ["block"]
    policies.remove("unknown")
    policies.clear()
    assert policies.all() == []


def test_policies_may_change_while_they_are_read() -> None:
    policies, stop = Policies(), threading.Event()
    errors: list[Exception] = []

    def read() -> None:
        try:
            while not stop.is_set():
                policies.all()
        except RuntimeError as error:
            errors.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(2000):
        policies.add(Policy(name=str(number % 50), control="mfa", context=f"c{number % 99 + 1}"))
        policies.remove(str((number + 7) % 50))
    stop.set()
    reader.join()
    assert errors == []
    serials = [active.serial for active in policies.active()]
    assert len(set(serials)) == len(serials)
