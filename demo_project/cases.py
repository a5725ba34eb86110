"""The cases of the Conditional Access page: what each shows, and what it needs to be switched."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

# Long enough to read the page; tests have less time.
THROTTLE_SECONDS = int(os.environ.get("DEMO_THROTTLE_SECONDS") or 30)

Way = Literal["link", "form", "htmx", "fetch"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One button, called `button`: `way` is how its request reaches the site.

    `policy` holds members of `emulator.policies.Policy`; it is switched on for the person alone.
    """

    key: str
    title: str
    text: str
    button: str
    way: Way = "link"
    policy: Mapping[str, Any] | None = None
    revokes: bool = False
    throttle_seconds: int = 0


_ALL = (
    Case(
        key="graph",
        title="Call Graph",
        button="Call Graph",
        text="The site calls Microsoft Graph in your name. Nothing stands in the way.",
    ),
    Case(
        key="revoke",
        title="Revoke me",
        button="Revoke me",
        text="An administrator ends all your sign-ins, then the site calls Graph: it refuses the"
        " old token at once, and you sign in again on the way.",
        revokes=True,
    ),
    Case(
        key="mail",
        title="Read mail: needs consent",
        button="Read mail",
        text="The site wants a permission that you have not given yet. Entra asks for it when it"
        " is needed, not before.",
        policy={
            "name": "consent for mail",
            "control": "user_consent",
            "scopes": ["Mail.Read"],
        },
    ),
    Case(
        key="transfer",
        title="Transfer money: step-up (c1)",
        button="Transfer money",
        text="The API lets nobody transfer money without the authentication context c1, and a"
        " policy ties a second factor to it.",
        policy={"name": "c1 needs a second factor", "control": "mfa", "context": "c1"},
    ),
    Case(
        key="recent",
        title="Recent sign-in (max_age)",
        button="Confirm it is me",
        text="Some pages want your password given just now. Entra asks for it again, and the site"
        " checks when that was.",
    ),
    Case(
        key="blocked",
        title="Blocked by policy",
        button="Open my files",
        text="Entra refuses your files whatever you do. A prompt could not help, so there is none:"
        " a page says why and names the number.",
        policy={"name": "no files", "control": "block", "scopes": ["Files.Read"]},
    ),
    Case(
        key="throttle",
        title=f"Throttle Entra for {THROTTLE_SECONDS} s",
        button="Throttle Entra",
        text="Entra answers “too many requests”. Nobody is prompted or signed out, no further"
        " request is sent, and the page tries again when it may.",
        throttle_seconds=THROTTLE_SECONDS,
    ),
    Case(
        key="htmx",
        title="htmx: step-up (c3)",
        button="Load the part",
        text="A part of this page asks for itself, as htmx does: the whole window goes to Entra and"
        " comes back to this page. Then press again: it goes through.",
        way="htmx",
        policy={
            "name": "c3 needs a registered device",
            "control": "compliant_device",
            "context": "c3",
        },
    ),
    Case(
        key="fetch",
        title="fetch: step-up (c4)",
        button="Call by script",
        text="A script calls the site. A dialog asks you on, Entra opens in a window of its own,"
        " and the script repeats its call. This page stays as it is.",
        way="fetch",
        policy={
            "name": "c4 needs a new password",
            "control": "password_change",
            "context": "c4",
        },
    ),
    Case(
        key="form",
        title="Form with step-up (c2)",
        button="Send the form",
        text="Sending this form needs the authentication context c2: terms of use to accept. What"
        " you have written is kept meanwhile, and you send it when you are back.",
        way="form",
        policy={"name": "c2 needs the terms of use", "control": "terms_of_use", "context": "c2"},
    ),
)
CASES: Mapping[str, Case] = {case.key: case for case in _ALL}
