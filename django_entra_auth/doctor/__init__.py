"""Looks at a site from end to end and says what would keep people out, and how to mend it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.conf import settings as django_settings

from django_entra_auth.conf import EntraSettings, find_problems, get_settings
from django_entra_auth.doctor import addresses, cache, claims, credentials, entra, roles, settings
from django_entra_auth.doctor.findings import Finding, Status, skipped

__all__ = ["TOPICS", "Finding", "Options", "Status", "examine"]

TOPICS = (
    "settings",
    "roles",
    "addresses",
    "claims",
    "credentials",
    "cache",
    "discovery",
    "keys",
    "clock",
    "registration",
)
ONLINE = frozenset({"discovery", "keys", "clock", "registration"})


@dataclass(frozen=True, slots=True)
class Options:
    """What to look at. `urls` are the site's public addresses ("https://example.org").

    `offline` asks Entra nothing; `deploy` adds the checks for production; `skip` names topics;
    `clock` returns Unix time.
    """

    offline: bool = False
    deploy: bool = False
    urls: tuple[str, ...] = ()
    skip: frozenset[str] = frozenset()
    clock: Callable[[], float] = time.time


def examine(options: Options) -> Iterator[Finding]:
    """The findings, each as soon as it is known."""
    left_out = options.skip | (ONLINE if options.offline else frozenset())
    for finding in _examine(options, left_out):
        if finding.topic not in options.skip:
            yield finding
    if options.offline and "discovery" not in options.skip:
        yield skipped("discovery", "Entra was not asked anything (--offline).")


def _examine(options: Options, left_out: frozenset[str]) -> Iterator[Finding]:
    if "settings" not in left_out:
        yield from settings.look(deploy=options.deploy)
    if find_problems(getattr(django_settings, "ENTRA_AUTH", None)):
        rest = ", ".join(topic for topic in TOPICS[1:] if topic not in left_out)
        fix = "Mend the settings first, then run this again."
        yield skipped("everything else", f"Not looked at: {rest}.", fix)
        return
    yield from _examine_site(get_settings(), options, left_out)


def _examine_site(
    entra_settings: EntraSettings, options: Options, left_out: frozenset[str]
) -> Iterator[Finding]:
    if "roles" not in left_out:
        yield from roles.look(entra_settings)
    if "addresses" not in left_out:
        yield from addresses.look(entra_settings, options.urls)
    if "claims" not in left_out:
        yield from claims.look(entra_settings, clock=options.clock)
    if "credentials" not in left_out:
        yield from credentials.look(entra_settings, clock=options.clock, is_offline=options.offline)
    if "cache" not in left_out:
        yield from cache.look(entra_settings)
    if not left_out >= ONLINE:
        yield from entra.look(entra_settings, options.urls, clock=options.clock)
