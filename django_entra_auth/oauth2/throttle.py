"""Respects Retry-After and refusals: answers again from a cache instead of asking again."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from typing import Any, Final

from .http import HttpClient, HttpResponse, TransportError, copy_response, parse_retry_after
from .http_cache import ExpiringCache, open_cache
from .throttle_rules import (
    TOO_MANY,
    Form,
    Rule,
    choose_rule,
    clean_text,
    hash_key,
    make_keys,
    order_params,
    read_form,
)

DOCUMENT_FRESH: Final = 24 * 3600
DOCUMENT_USABLE: Final = 7 * DOCUMENT_FRESH
PROBE_SECONDS: Final = 30
"""How long a single request may try whether everybody may ask again; longer than it can take."""
_AGAIN_SECONDS: Final = 60


@dataclass(frozen=True)
class ThrottleLimits:
    """For how many seconds Entra is left alone.

    ``default`` counts when it names no time, ``maximum`` caps the time it names for one
    account, ``shared_maximum`` what it names for everybody; ``rejection`` is how long the same
    question gets the same refusal.
    """

    default: float = 5
    maximum: float = 3600
    shared_maximum: float = 300
    rejection: float = 60


class ThrottledHttpClient:
    """Wraps an HTTP client so that Entra is not asked again while it asked to be left alone.

    Status 429 holds back everyone with the same (url, client, scope), code redemptions apart
    from other grants, and when that is over one request goes first; any other failure with
    Retry-After, and 5xx without, holds back the one account; an identical request that was
    refused with 400 gets the same answer again. GET answers are kept for a day, and used for a
    week while fetching fails; a GET with ``Cache-Control: no-cache`` asks again, once a minute
    at most. A kept document says how old it is in ``Age`` (RFC 9111 section 5.1). All times are
    in seconds.

    ``http_cache`` is any mapping, or a cache that expires entries itself (``set`` and ``add``
    with a timeout). Keys are hashes, entries hold no credential and no successful token answer.
    Microsoft identity platform: "Handle throttling", the same rules as MSAL's.
    """

    def __init__(
        self,
        http_client: HttpClient,
        *,
        http_cache: MutableMapping[str, Any] | ExpiringCache | None = None,
        limits: ThrottleLimits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = http_client
        self._cache = open_cache(http_cache, clock=clock)
        self._limits = limits or ThrottleLimits()
        self._clock = clock

    def post(
        self, url: str, params: Any = None, data: Any = None, headers: Any = None, **kwargs: Any
    ) -> HttpResponse:
        """Send a POST unless it has to wait; then return the kept answer, ``throttled``."""
        form = read_form(data)

        def send() -> tuple[HttpResponse, Form]:
            response = self._client.post(url, params=params, data=data, headers=headers, **kwargs)
            return copy_response(response), form

        return self._answer(make_keys(url, params, form), send)

    def post_form(
        self, url: str, form: Form, *, headers: Any, authenticate: Callable[[], Form]
    ) -> HttpResponse:
        """Send a form like ``post``; ``authenticate`` adds its fields only if it is really sent.

        A client assertion need not be signed for an answer that is already here.
        """

        def send() -> tuple[HttpResponse, Form]:
            whole = {**form, **authenticate()}
            return copy_response(self._client.post(url, data=whole, headers=headers)), whole

        return self._answer(make_keys(url, None, form), send)

    def get(self, url: str, params: Any = None, headers: Any = None, **kwargs: Any) -> HttpResponse:
        """Return the kept answer of a GET, or a fresh one."""
        key = hash_key("GET", url, order_params(params))
        kept = self._cache.get(key)
        if kept is not None and self._may_use(key, kept, headers):
            return self._reuse(kept)
        try:
            response = copy_response(
                self._client.get(url, params=params, headers=headers, **kwargs)
            )
        except TransportError:
            if kept is None:
                raise
            return self._reuse(kept)
        if kept is not None and (response.status_code == TOO_MANY or response.status_code >= 500):
            return self._reuse(kept)
        self._keep_document(key, response)
        return response

    def close(self) -> None:
        """Close the wrapped client, when it can be closed."""
        close = getattr(self._client, "close", None)
        if close is not None:
            close()

    def _answer(
        self, keys: Mapping[Rule, str], send: Callable[[], tuple[HttpResponse, Form]]
    ) -> HttpResponse:
        kept = self._cache.get_many(tuple(keys.values()))
        for key, entry in kept.items():
            wait = entry["until"] - self._clock()
            if wait > 0:
                return _answer_again(entry, key, _round_up(wait))
        over = kept.get(keys["shared"])
        if over is None:
            return self._ask(keys, send, is_probe=False)
        if not self._cache.add(_probe(keys), 1, PROBE_SECONDS):
            return _answer_again(over, keys["shared"], 1)
        return self._probe(keys, send)

    def _probe(
        self, keys: Mapping[Rule, str], send: Callable[[], tuple[HttpResponse, Form]]
    ) -> HttpResponse:
        """Go first, unless another probe has been told to wait since this caller looked."""
        since = self._cache.get(keys["shared"])
        wait = since["until"] - self._clock() if since else 0
        if since and wait > 0:
            self._cache.delete(_probe(keys))
            return _answer_again(since, keys["shared"], _round_up(wait))
        return self._ask(keys, send, is_probe=True)

    def _ask(
        self,
        keys: Mapping[Rule, str],
        send: Callable[[], tuple[HttpResponse, Form]],
        *,
        is_probe: bool,
    ) -> HttpResponse:
        """Send; the first after everybody was held back goes alone, and frees the others."""
        try:
            response, form = send()
            if is_probe and response.status_code != TOO_MANY:
                self._cache.delete(keys["shared"])
            return response if response.throttled else self._keep_refusal(response, keys, form)
        finally:
            # Last: a new refusal has to be known before anybody else may try.
            if is_probe:
                self._cache.delete(_probe(keys))

    def _keep_refusal(
        self, response: HttpResponse, keys: Mapping[Rule, str], form: Form
    ) -> HttpResponse:
        """Keep what has to be respected; the answer says for how long others are held back."""
        named = parse_retry_after(response.headers.get("retry-after"), self._clock())
        rule = choose_rule(response, named, form)
        if rule is None:
            return response
        if rule == "rejection":
            self._save(keys[rule], response, self._limits.rejection, form)
            return response
        limits = self._limits
        longest = [limits.maximum, *([limits.shared_maximum] if rule == "shared" else [])]
        seconds = min(*longest, limits.default if named is None else named)
        grace = PROBE_SECONDS if rule == "shared" else 0
        self._save(keys[rule], response, seconds, form, grace=grace)
        return replace(response, retry_after=_round_up(seconds), throttle_key=keys[rule])

    def _save(
        self, key: str, response: HttpResponse, seconds: float, form: Form, *, grace: float = 0
    ) -> None:
        if seconds > 0:
            entry = {
                "status": response.status_code,
                "text": clean_text(response.text, form),
                "until": self._clock() + seconds,
            }
            self._cache.set(key, entry, seconds + grace)

    def _may_use(self, key: str, kept: Mapping[str, Any], headers: Any) -> bool:
        if _wants_new(headers):
            # Shared by all workers, so that an unknown key makes one of them ask, not all.
            return not self._cache.add(f"{key}:again", 1, _AGAIN_SECONDS)
        return bool(0 <= self._clock() - kept["stored"] < DOCUMENT_FRESH)

    def _reuse(self, kept: Mapping[str, Any]) -> HttpResponse:
        age = max(0, int(self._clock() - kept["stored"]))
        return HttpResponse(kept["status"], kept["text"], {"age": str(age)})

    def _keep_document(self, key: str, response: HttpResponse) -> None:
        # Something between us and Entra may answer 200 with a page of its own.
        if response.status_code in range(200, 300) and _is_json(response.text):
            entry = {
                "status": response.status_code,
                "text": response.text,
                "stored": self._clock(),
            }
            self._cache.set(key, entry, DOCUMENT_USABLE)


def _answer_again(entry: Mapping[str, Any], key: str, wait: int) -> HttpResponse:
    return HttpResponse(
        entry["status"],
        entry["text"],
        {"retry-after": str(wait)},
        throttled=True,
        retry_after=wait,
        throttle_key=key,
    )


def _probe(keys: Mapping[Rule, str]) -> str:
    return f"{keys['shared']}:probe"


def _wants_new(headers: Any) -> bool:
    return isinstance(headers, Mapping) and "no-cache" in str(headers.get("Cache-Control", ""))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _round_up(seconds: float) -> int:
    return int(-(-seconds // 1))
