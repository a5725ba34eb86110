"""Walking the sign-in pages over HTTP, as a browser without scripts would."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Literal
from urllib.parse import parse_qsl, urljoin, urlsplit

import requests

from .constants import MFA_CODE
from .directory import Person

_MAX_PAGES = 10
_TIMEOUT_SECONDS = 30
_WRONG_MFA_CODE = "000000"
_NEW_PASSWORD = "correct-horse-2"  # noqa: S105 - typed on the page that asks for a new one


@dataclass(frozen=True)
class AuthorizationResponse:
    """What the browser brings to the app: `method` and `url`, and the answer's fields."""

    method: Literal["GET", "POST"]
    url: str = field(repr=False)
    fields: dict[str, str] = field(repr=False)


class EmulatorPage(Exception):
    """The emulator stayed on a page of its own; `number` is the AADSTS number shown, or 0."""

    def __init__(self, status: int, number: int, text: str) -> None:
        super().__init__(f"HTTP {status}, AADSTS{number}: {text}")
        self.status = status
        self.number = number
        self.text = text


@dataclass
class Form:
    """A form of a page: its id, where it goes and its named fields."""

    name: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """What the driver needs to know of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.kind: str = ""
        self.forms: dict[str, Form] = {}
        self.iframes: list[str] = []
        self.continue_url: str = ""
        self.username: str = ""
        self.error_number: int = 0
        self.error_text: str = ""
        self._form: Form | None = None
        self._in_error = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the parts that matter."""
        values = {name: value or "" for name, value in attrs}
        if tag == "body":
            self.kind = values.get("data-page", "")
        elif tag == "form":
            self._form = Form(values.get("id", ""), values.get("action", ""))
            self.forms[self._form.name] = self._form
        elif tag == "input" and self._form is not None and values.get("name"):
            self._form.fields[values["name"]] = values.get("value", "")
        elif tag == "iframe":
            self.iframes.append(values.get("src", ""))
        self._note_marked(tag, values)

    def _note_marked(self, tag: str, values: dict[str, str]) -> None:
        if "data-error-number" in values:
            self.error_number = int(values["data-error-number"])
            self._in_error = tag
        if "data-username" in values:
            self.username = values["data-username"]
        if tag == "a" and values.get("id") == "continue":
            self.continue_url = values.get("href", "")

    def handle_endtag(self, tag: str) -> None:
        """Leave the form or the error text."""
        if tag == "form":
            self._form = None
        if tag == self._in_error:
            self._in_error = ""

    def handle_data(self, data: str) -> None:
        """Collect the error's text."""
        if self._in_error:
            self.error_text = " ".join((self.error_text + " " + data).split())


@dataclass(frozen=True)
class Wishes:
    """How the person behaves: which pages they complete, and whether they leave at once."""

    person: Person
    mfa: bool = True
    consent: bool = True
    device: bool = True
    terms: bool = True
    password_change: bool = True
    cancel: bool = False
    forgot_password: bool = False


@contextmanager
def _session(browser: requests.Session | None) -> Iterator[requests.Session]:
    if browser is not None:
        yield browser
        return
    with requests.Session() as session:
        session.trust_env = False
        yield session


def walk_sign_in(
    auth_uri: str, *, wishes: Wishes, ca_bundle: str | None, browser: requests.Session | None
) -> AuthorizationResponse:
    """Sign somebody in from `auth_uri`; raises EmulatorPage when there is no way on."""
    with _session(browser) as session:
        verify = ca_bundle or True
        answer = session.get(
            auth_uri, allow_redirects=False, timeout=_TIMEOUT_SECONDS, verify=verify
        )
        for _ in range(_MAX_PAGES):
            if answer.is_redirect:
                return _from_redirect(answer.headers["Location"])
            page = Page(answer.text)
            form = _choose_form(page, answer.status_code, wishes)
            if page.kind == "form_post":
                return AuthorizationResponse("POST", form.action, form.fields)
            answer = session.post(
                urljoin(answer.url, form.action),
                data=form.fields,
                allow_redirects=False,
                timeout=_TIMEOUT_SECONDS,
                verify=verify,
            )
    raise EmulatorPage(answer.status_code, 0, "The sign-in does not come to an end.")


def _from_redirect(location: str) -> AuthorizationResponse:
    parts = urlsplit(location)
    fields = dict(parse_qsl(parts.fragment or parts.query, keep_blank_values=True))
    return AuthorizationResponse("GET", location, fields)


def _choose_form(page: Page, status: int, wishes: Wishes) -> Form:
    """The form the person sends next, filled in."""
    if page.kind == "approval":
        return _choose_at_approval(page, status, wishes)
    if page.error_number or not page.forms:
        raise EmulatorPage(status, page.error_number, page.error_text or "An unexpected page.")
    if page.kind == "form_post":
        return page.forms["answer"]
    if wishes.cancel:
        return page.forms["cancel"]
    if wishes.forgot_password:
        return page.forms["forgot"]
    return _CHOICES.get(page.kind, _choose_sign_in)(page.forms, wishes)


def _choose_at_approval(page: Page, status: int, wishes: Wishes) -> Form:
    if wishes.cancel or not wishes.consent:
        return page.forms["cancel"]
    if wishes.person.is_admin and page.username != wishes.person.username:
        return page.forms["other-account"]
    raise EmulatorPage(status, page.error_number, page.error_text)


def _choose_sign_in(forms: dict[str, Form], wishes: Wishes) -> Form:
    person = wishes.person
    return _filled(forms["sign-in"], username=person.username, password=person.password)


def _choose_account(forms: dict[str, Form], wishes: Wishes) -> Form:
    return forms.get(f"account-{wishes.person.username}") or forms["other-account"]


def _choose_at_mfa(forms: dict[str, Form], wishes: Wishes) -> Form:
    return _filled(forms["mfa"], code=MFA_CODE if wishes.mfa else _WRONG_MFA_CODE)


def _choose_at_password_change(forms: dict[str, Form], wishes: Wishes) -> Form:
    if not wishes.password_change:
        return forms["cancel"]
    return _filled(forms["change"], new_password=_NEW_PASSWORD, new_password_again=_NEW_PASSWORD)


_CHOICES: dict[str, Callable[[dict[str, Form], Wishes], Form]] = {
    "pick_account": _choose_account,
    "mfa": _choose_at_mfa,
    "device": lambda forms, wishes: forms["device" if wishes.device else "cancel"],
    "terms": lambda forms, wishes: forms["terms" if wishes.terms else "decline-terms"],
    "password_change": _choose_at_password_change,
    "consent": lambda forms, wishes: forms["accept" if wishes.consent else "decline"],
}


def _filled(form: Form, **values: str) -> Form:
    return Form(form.name, form.action, form.fields | values)
