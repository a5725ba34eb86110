"""A site as challenge.js sees it: an API that wants the person once, a prompt elsewhere, a page."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django_entra_auth
from tests.loopback import LoopbackServer, QuietHandler, read_body

SCRIPT = Path(django_entra_auth.__file__).parent / "static/django_entra_auth/challenge.js"
STYLE = SCRIPT.with_name("entra.css")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Page</title>
<link rel="stylesheet" href="/static/django_entra_auth/entra.css">
<script src="/static/django_entra_auth/challenge.js"{attributes} defer></script></head>
<body class="entra"><main><h1>Page</h1><button type="button">Work</button></main></body></html>"""
ENTRA = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Entra</title></head>
<body><h1>Entra</h1><a href="{back}">Approve</a></body></html>"""
Reply = tuple[int, str, str]  # status, content type, body


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    body: bytes
    headers: dict[str, str]


@dataclass
class Person:
    """Whether the person has passed the prompt, and what the API says before."""

    approved: bool = False
    insatiable: bool = False
    status: int = 401
    content_type: str = "application/json"
    login_url: Any = "/auth/login/?next=/&challenge=sealed"
    popup_url: Any = "/auth/login/?challenge=sealed&popup=1"
    attributes: str = ""


@dataclass
class Site:
    """The server; `entra_origin` is another origin, where the prompt is shown."""

    done_page: str
    person: Person = field(default_factory=Person)
    entra_origin: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    held: threading.Event = field(default_factory=threading.Event)

    def calls(self, path: str) -> list[Received]:
        return [one for one in self.received if urlsplit(one.path).path == path]

    def reply(self, request: Received) -> Reply | str:
        """What to answer; a text alone is where to redirect to."""
        path = urlsplit(request.path).path
        if path.startswith("/api/"):
            return self.reply_api(path)
        if path == "/auth/login/":
            return f"{self.entra_origin}/authorize"
        if path == "/auth/callback":
            self.person.approved = True
            return 200, "text/html; charset=utf-8", self.done_page
        if path.startswith("/static/"):
            file = SCRIPT if path.endswith(".js") else STYLE
            kind = "text/javascript" if path.endswith(".js") else "text/css"
            return 200, kind, file.read_text()
        if path == "/":
            page = PAGE.format(attributes=self.person.attributes)
            return 200, "text/html; charset=utf-8", page
        return 404, "text/plain", ""

    def reply_api(self, path: str) -> Reply:
        person = self.person
        approved = person.approved and not person.insatiable
        if path == "/api/late":
            self.arrived.set()
            self.held.wait(15)
        if approved:
            return 200, "application/json", json.dumps({"path": path})
        body = {
            "error": "interaction_required",
            "error_description": "Microsoft wants to see the person.",
            "login_url": person.login_url,
            "popup_url": person.popup_url,
        }
        return person.status, person.content_type, json.dumps(body)


class ReplyServer(LoopbackServer):
    """Answers with `reply(request)`, and with `headers` on all of it."""

    def __init__(
        self, reply: Callable[[Received], Reply | str], headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(_Handler)
        self.reply = reply
        self.headers = {} if headers is None else headers
        self.origin = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(QuietHandler):
    server: ReplyServer

    def do_GET(self) -> None:
        body = read_body(self)
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.reply(Received(self.command, self.path, body, headers))
        if isinstance(reply, str):
            self.send(302, "text/plain", "", location=reply)
        else:
            self.send(*reply)

    def do_POST(self) -> None:
        self.do_GET()

    def do_PUT(self) -> None:
        self.do_GET()

    def send(self, status: int, kind: str, text: str, *, location: str = "") -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        if location:
            self.send_header("Location", location)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
