"""The kinds of caller, and the way each goes through a prompt and back."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from django.test import Client

from tests.visitor import SITE, Visitor, local, make_client, query_of

PAGE = "/page/?from=here"
PAIRS = [("b", "1"), ("a", "2 & 3"), ("b", "ü ☃"), ("empty", "")]
FORM, MULTIPART, JSON = (
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=edge",
    "application/json",
)
HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
NAVIGATE = {**HTML, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
SCRIPTED = {"Accept": "*/*", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
FRAMED = {**HTML, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
REFERER = {"Referer": SITE + PAGE}
HTMX = {"HX-Request": "true", "HX-Current-URL": SITE + PAGE, **REFERER}


@dataclass(frozen=True)
class Caller:
    """How a browser asks: method, headers, content type; and what kind of caller that makes it."""

    name: str
    kind: str
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "GET"
    content_type: str = ""

    def __str__(self) -> str:
        return self.name


CALLERS = [
    Caller("navigation", "navigation", NAVIGATE),
    Caller("navigation-plain", "navigation", HTML),
    Caller("form", "form", {**NAVIGATE, **REFERER}, "POST", FORM),
    Caller("form-plain", "form", {**HTML, **REFERER}, "POST", FORM),
    Caller("form-multipart", "form", {**NAVIGATE, **REFERER}, "POST", MULTIPART),
    Caller("htmx", "htmx", {**SCRIPTED, **HTMX}),
    Caller("htmx-plain", "htmx", {"Accept": "*/*", **HTMX}),
    Caller("htmx-form", "htmx-form", {**SCRIPTED, **HTMX}, "POST", FORM),
    Caller("iframe", "frame", {**FRAMED, **REFERER}),
    Caller("iframe-form", "frame", {**FRAMED, **REFERER}, "POST", FORM),
    Caller("prefetch", "prefetch", {**SCRIPTED, "Sec-Purpose": "prefetch"}),
    Caller("prerender", "prefetch", {**NAVIGATE, "Sec-Purpose": "prefetch;prerender"}),
    Caller("fetch", "script", {**SCRIPTED, **REFERER}),
    Caller("fetch-plain", "script", {"Accept": "application/json, */*", **REFERER}),
    Caller("fetch-json", "script", {**SCRIPTED, **REFERER}, "POST", JSON),
    Caller("json-plain", "script", {"Accept": "application/json", **REFERER}, "POST", JSON),
    Caller(
        "xhr-plain", "script", {**HTML, "X-Requested-With": "XMLHttpRequest", **REFERER}
    ),
]  # fmt: skip
BY_NAME = {caller.name: caller for caller in CALLERS}
# One of each kind, where every one of them would prove no more.
KINDS = [BY_NAME[name] for name in ("navigation", "form", "htmx", "htmx-form", "iframe", "fetch")]


def make_walker(entra: Any, **options: Any) -> Walker:
    """A person whose requests are checked for CSRF as in production, with a browser at Entra."""
    return Walker(entra, make_client(enforce_csrf_checks=True), **options)


@dataclass
class Walker(Visitor):
    """A visitor that can ask in any of the ways above; `at_entra` is the browser's other half.

    `site` is the origin that the browser sees, `extra` how the server sees it.
    """

    at_entra: requests.Session = field(default_factory=requests.Session)
    person: str = "alice"
    site: str = SITE
    extra: dict[str, str] = field(default_factory=dict)

    def answer(self, auth_uri: str, person: str = "", **options: Any) -> Any:
        options.setdefault("browser", self.at_entra)
        return self.entra.complete_sign_in(auth_uri, person=person or self.person, **options)

    def sign_in(self, person: str = "", next_url: str = "/page/", **options: Any) -> Any:
        done = super().sign_in(person or self.person, next_url, **options)
        self.follow(done)
        self.client.get("/page/")  # the CSRF cookie
        return done

    def ask(self, caller: Caller, path: str) -> Any:
        """Send the request of a caller."""
        token = self.client.cookies["csrftoken"].value if "csrftoken" in self.client.cookies else ""
        headers = {k: v.replace(SITE, self.site) for k, v in caller.headers.items()}
        body: Any = b""
        if caller.content_type == JSON:
            body, headers["X-CSRFToken"] = json.dumps(dict(PAIRS)), token
        elif caller.method == "POST":
            body = encode_form([("csrfmiddlewaretoken", token), *PAIRS], caller.content_type)
        return self.client.generic(
            caller.method, path, body, content_type=caller.content_type, headers=headers
        )

    def visit(self, url: str) -> Any:
        """Go to an address as a click does."""
        return self.client.get(self.local(url), headers=NAVIGATE)

    def local(self, url: str) -> str:
        """Path and query of an address of the site."""
        return local(url.replace(self.site, SITE))

    def deliver(self, answer: Any, client: Client | None = None) -> Any:
        if self.site == SITE:
            return super().deliver(answer, client)
        if answer.method == "GET":
            return self.visit(answer.url)
        body = urlencode(answer.fields)
        kept = Client(**self.extra).post(self.local(answer.url), body, content_type=FORM)
        return self.visit(kept["Location"])

    def follow(self, landed: Any) -> str:
        """Where the callback leads: by a redirect, or by a page for the strictest cookies."""
        while landed.status_code == 200:
            url = find_continue(landed)
            if "/auth/callback" not in url:
                return url
            landed = self.visit(url)
        assert landed.status_code == 302, landed.content
        return str(landed["Location"])

    def find_prompt(self, caller: Caller, answer: Any) -> str:
        """The address at Entra that an answer leads this caller to."""
        if caller.kind == "navigation":
            assert answer.status_code == 302, answer.content
            return str(answer["Location"])
        if caller.kind == "form":
            return str(find_continue(answer))
        if caller.kind == "htmx":
            return str(answer["HX-Redirect"])
        clicked = self.visit(self.find_login(caller, answer))
        if clicked.status_code == 302 and clicked["Location"].startswith(self.site):
            clicked = self.visit(clicked["Location"])
        if clicked.status_code == 200:  # says first that what was sent was not kept
            clicked = self.visit(find_continue(clicked))
        assert clicked.status_code == 302, clicked.content
        return str(clicked["Location"])

    def find_login(self, caller: Caller, answer: Any) -> str:
        """The address of `login` in an answer."""
        if caller.kind == "htmx-form":
            return str(answer["HX-Redirect"])
        if caller.kind == "frame":
            return str(find_continue(answer))
        return str(answer.json()["login_url"])

    def repeat(self, caller: Caller, path: str, landed: Any) -> Any:
        """What comes after the prompt: going there, sending the form on, or asking again."""
        if caller.kind == "navigation":
            return self.visit(self.follow(landed))
        if caller.kind == "form":
            return self.send_on(self.follow(landed))
        return self.ask(caller, path)

    def send_on(self, resume_url: str) -> Any:
        """Look at the kept form, and send it as its page does."""
        shown = self.visit(resume_url)
        assert shown.status_code == 200, shown.content
        html = shown.content.decode()
        names = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', html)
        pairs = [(unescape(name), unescape(value)) for name, value in names]
        body = encode_form(pairs, FORM)
        headers = {**NAVIGATE, "Origin": self.site}
        sent = self.client.generic("POST", resume_url, body, content_type=FORM, headers=headers)
        if sent.status_code != 307:
            return sent
        url = self.local(sent["Location"])
        return self.client.generic("POST", url, body, content_type=FORM, headers=headers)

    def count(self, path: str, **form: str) -> int:
        """How many requests Entra got at an address that ends so."""
        return len(find_requests(self.entra, path, **form))


def find_continue(answer: Any) -> str:
    """The one address that a page of this app leads to."""
    assert answer.context is not None, (answer.status_code, answer.content)
    url = str(answer.context["continue_url"])
    assert url.replace("&", "&amp;") in answer.content.decode()
    return url


def find_requests(entra: Any, path: str, **form: str) -> list[Any]:
    """Requests at Entra to an address that ends so, with these fields in the body."""
    return [
        one
        for one in list(entra.requests)
        if one.path.endswith(path) and form.items() <= dict(one.form).items()
    ]


def encode_form(pairs: list[tuple[str, str]], content_type: str) -> bytes:
    if content_type == FORM:
        return urlencode(pairs).encode()
    parts = (
        f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in pairs
    )
    return ("".join(parts) + "--edge--\r\n").encode()


def grouped(pairs: list[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """As QueryDict tells them."""
    names = list(dict.fromkeys(name for name, _ in pairs))
    return [(name, [value for key, value in pairs if key == name]) for name in names]


def claims_of(url: str) -> dict[str, Any]:
    """The claims an address at Entra asks for."""
    return dict(json.loads(query_of(url).get("claims", "{}")))


def header_claims(answer: Any) -> dict[str, Any]:
    """The claims in a 401's header (RFC 6750)."""
    pattern = r'Bearer error="insufficient_claims", claims="([A-Za-z0-9+/=]+)"'
    match = re.fullmatch(pattern, answer["WWW-Authenticate"])
    assert match, answer["WWW-Authenticate"]
    return dict(json.loads(base64.b64decode(match[1])))


def is_at_entra(url: str, entra: Any) -> bool:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" == entra.origin
