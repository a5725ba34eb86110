"""How many failed redemptions a browser, and a remote address, may cause.

A redemption costs a request at Entra; nobody may make this site send them without end.
"""

from __future__ import annotations

import ipaddress

from django.http import HttpRequest

from django_entra_auth.cache.entries import Entries, build_key
from django_entra_auth.exceptions import SignInFailed

WINDOW_SECONDS = 600
PER_BROWSER = 10
PER_ADDRESS = 100
# A private address is most often a proxy that everybody shares.
PER_PRIVATE_ADDRESS = 1000


def require_redemption_allowed(request: HttpRequest, browser: str, entries: Entries) -> None:
    """Raise SignInFailed `too_many` once a limit is reached."""
    for key, limit in _limits(request, browser):
        if entries.read_count(key) >= limit:
            raise SignInFailed("too_many", retry_after=WINDOW_SECONDS)


def count_failed_redemption(request: HttpRequest, browser: str, entries: Entries) -> None:
    """Count one against the browser and the address."""
    for key, _limit in _limits(request, browser):
        entries.count(key, WINDOW_SECONDS)


def _limits(request: HttpRequest, browser: str) -> list[tuple[str, int]]:
    address = request.META.get("REMOTE_ADDR", "")
    limit = PER_ADDRESS if _is_global(address) else PER_PRIVATE_ADDRESS
    return [
        (build_key("failures", "browser", browser), PER_BROWSER),
        (build_key("failures", "address", address), limit),
    ]


def _is_global(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False
