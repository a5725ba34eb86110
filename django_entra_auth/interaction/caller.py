"""Who is asking: a person's browser on its way to a page, or a script that cannot follow one."""

from __future__ import annotations

from enum import Enum
from urllib.parse import urlsplit

from django.http import HttpRequest

from django_entra_auth.conf import get_settings
from django_entra_auth.interaction.next_url import check_next

FORM_TYPES = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
PAGE_TYPES = frozenset({("text", "html"), ("application", "xhtml+xml"), ("text", "*")})
FRAMES = frozenset({"iframe", "frame", "embed", "object", "fencedframe"})


class Caller(Enum):
    """What kind of request it is, as far as an answer depends on it."""

    NAVIGATION = "navigation"
    FORM = "form"
    HTMX = "htmx"
    FRAME = "frame"
    PREFETCH = "prefetch"
    SCRIPT = "script"


def identify_caller(request: HttpRequest) -> Caller:
    """Tell by Fetch Metadata (W3C), or without it by `Accept` and the headers scripts add."""
    headers = request.headers
    if "prefetch" in headers.get("Sec-Purpose", headers.get("Purpose", "")):
        return Caller.PREFETCH
    if headers.get("HX-Request") == "true":
        return Caller.HTMX
    if headers.get("Sec-Fetch-Dest") in FRAMES:
        return Caller.FRAME
    if not _is_navigation(request):
        return Caller.SCRIPT
    if request.method in {"GET", "HEAD"}:
        return Caller.NAVIGATION
    is_form = request.method == "POST" and request.content_type in FORM_TYPES
    return Caller.FORM if is_form else Caller.SCRIPT


def _is_navigation(request: HttpRequest) -> bool:
    mode = request.headers.get("Sec-Fetch-Mode")
    if mode is not None:
        return mode == "navigate" and request.headers.get("Sec-Fetch-Dest") == "document"
    if request.headers.get("X-Requested-With") == "XMLHttpRequest":
        return False
    # "*/*" alone accepts a page; beside other types it is what scripts add that want those.
    kinds = {(kind.main_type, kind.sub_type) for kind in request.accepted_types}
    return kinds == {("*", "*")} or not kinds.isdisjoint(PAGE_TYPES)


def find_way_back(request: HttpRequest, caller: Caller) -> str | None:
    """The local path to return to after a prompt, None when nothing fits.

    For a page it is its own address; for what happens inside a page, the page's.
    """
    if caller is Caller.NAVIGATION:
        return check_next(request.get_full_path()) or check_next(request.path)
    source = request.headers.get("HX-Current-URL") if caller is Caller.HTMX else None
    return _check_own_origin(request, source or request.headers.get("Referer")) or (
        check_next(request.get_full_path()) if request.method in {"GET", "HEAD"} else None
    )


def _check_own_origin(request: HttpRequest, url: str | None) -> str | None:
    """The path of an absolute URL of this site, under the name asked for or the registered one."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    # Behind a proxy that hides the host only REDIRECT_URI tells what browsers call this site.
    registered = urlsplit(get_settings().redirect_uri or "")
    known = {(request.scheme, request.get_host()), (registered.scheme, registered.netloc)}
    if not parts.netloc or (parts.scheme, parts.netloc) not in known:
        return None
    return check_next(parts.path + (f"?{parts.query}" if parts.query else ""))
