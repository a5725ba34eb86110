"""The people of the local Entra, and what each of them shows in this demo."""

from collections.abc import Iterator
from typing import NamedTuple

from django_entra_auth.emulator.defaults import default_people

EXPECTATIONS = {
    "alice": "Signs in with a password; has no special rights",
    "bob": "Is asked for a second factor",
    "carol": "Is a guest from another organization",
    "dave": "Is refused: the account is disabled",
    "erin": "Has the app role Admin: may open the reports and Django's admin",
    "frank": "Is in 250 groups, more than fit into a token",
    "grace": "Is refused: belongs to another organization and is no guest here",
    "heidi": "Is an administrator: may give consent for everybody",
}


class DemoPerson(NamedTuple):
    """Somebody the demo's visitor can sign in as."""

    name: str
    username: str
    expectation: str


def list_people() -> Iterator[DemoPerson]:
    """Everybody who belongs to the demo's organization, or shows that one has to."""
    people = default_people()
    for key, expectation in EXPECTATIONS.items():
        yield DemoPerson(people[key].name, people[key].username, expectation)
