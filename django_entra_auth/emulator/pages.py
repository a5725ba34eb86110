"""HTML pages of the local Entra: templates, and the headers every page carries."""

import secrets
from functools import cache
from pathlib import Path

from django.template import Context, Engine

from .messages import Response, html_response

_HERE = Path(__file__).parent


@cache
def _engine() -> Engine:
    return Engine(dirs=[str(_HERE / "templates")], autoescape=True)


def _policy(script: str, frames: tuple[str, ...]) -> str:
    # No form-action: browsers apply it to redirects too, and the answer redirects to the client.
    frame = f"; frame-src {' '.join(frames)}" if frames else ""
    return (
        f"default-src 'none'; style-src 'self'; img-src 'self'; script-src {script}{frame}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )


def render_page(
    template: str,
    *,
    status: int = 200,
    with_script: bool = False,
    frames: tuple[str, ...] = (),
    **context: object,
) -> Response:
    """A page from `template`; `with_script` gives it a nonce, `frames` are origins it may embed."""
    nonce = secrets.token_urlsafe(16)
    values = {**context, "nonce": nonce}
    html = _engine().get_template(template).render(Context(values, use_l10n=False, use_tz=False))
    script = f"'nonce-{nonce}'" if with_script else "'none'"
    return html_response(html, status=status).with_headers(
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", _policy(script, frames)),
        ("Referrer-Policy", "strict-origin-when-cross-origin"),
        ("X-Frame-Options", "DENY"),
    )


@cache
def read_static(name: str) -> bytes:
    """The bytes of the stylesheet or the icon."""
    return (_HERE / "static" / name).read_bytes()
