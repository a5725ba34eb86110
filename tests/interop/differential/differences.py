"""The ways in which this project means to differ from MSAL for Python, each with its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.interop.differential.cell_kinds import (
    both_return_errors,
    forgets_account,
    has_good_token,
    has_new_assertion,
    has_text_answer,
    has_to_wait,
    has_unreadable_time,
    is_failed_assertion,
    is_failed_redemption,
    is_failed_renewal,
    is_kept_error,
    is_obo_answer,
    is_server_error,
    is_transient_rejection,
    longest_wait,
    loses_valid_token,
    may_be_replayed,
    needs_new_token,
)
from tests.interop.differential.cells import RESET, Cell
from tests.interop.differential.comparison import ABSENT, Difference

RENEWAL_PAUSE: Final = 60
_ROUNDING: Final = 2
_TOKEN_KEYS: Final = frozenset(
    {
        "client_info",
        "ext_expires_in",
        "id_token",
        "id_token_claims",
        "refresh_on",
        "refresh_token",
        "scope",
    }
)
_TOKEN_VALUES: Final = frozenset({"access_token", "expires_in", "refresh_token", "token_source"})
_REFUSED: Final = ("error invalid_response", "error temporarily_unavailable")


@dataclass(frozen=True)
class Intended:
    """One intended difference.

    It shows in all cells that ``cells`` accepts and in no other; ``shows`` says whether a
    difference observed in one of them is of this kind.
    """

    name: str
    reason: str
    cells: Callable[[Cell], bool]
    shows: Callable[[Difference], bool]

    def explains(self, difference: Difference) -> bool:
        return self.cells(difference.cell) and self.shows(difference)


def find_reason(difference: Difference) -> str | None:
    """Return why a difference is intended, ``None`` when it is not."""
    return next((entry.reason for entry in INTENDED if entry.explains(difference)), None)


def _sends(msal: int, ours: int, *, call: int = 2) -> Callable[[Difference], bool]:
    return lambda d: d.aspect == "calls" and (d.call, d.msal, d.ours) == (call, msal, ours)


def _ends(msal: str, ours: str) -> Callable[[Difference], bool]:
    return lambda d: d.aspect == "outcome" and d.kinds == (msal, ours)


def _any(*conditions: Callable[[Difference], bool]) -> Callable[[Difference], bool]:
    return lambda d: any(condition(d) for condition in conditions)


_asks_again: Final = _sends(0, 1)
_asks_no_more: Final = _sends(1, 0)


def _says_status_or_category(d: Difference) -> bool:
    is_status = d.aspect == "key status" and d.ours == d.cell.status
    return d.msal == ABSENT and (is_status or (d.aspect == "key category" and bool(d.ours)))


def _says_throttled(d: Difference) -> bool:
    is_kept = d.call == 2 and d.requests[1] == 0
    return d.aspect == "key throttled" and d.msal == ABSENT and d.ours is True and is_kept


def _names_entry(d: Difference) -> bool:
    is_hash = isinstance(d.ours, str) and len(d.ours) == 64
    return d.aspect == "key throttle_key" and d.msal == ABSENT and is_hash


def _says_how_long(d: Difference) -> bool:
    if d.aspect != "key retry_after" or d.msal != ABSENT:
        return False
    longest = longest_wait(d.cell)
    least = longest - _ROUNDING if d.requests[1] else 0
    return bool(least <= d.ours <= longest)


def _is_dict_for_text(d: Difference) -> bool:
    expected = "temporarily_unavailable" if d.cell.status == 429 else "invalid_response"
    return _ends("JSONDecodeError", f"error {expected}")(d)


def _is_dict_for_server_error(d: Difference) -> bool:
    left, right = d.kinds
    return d.aspect == "outcome" and left == "MsalServiceError" and right.startswith("error ")


def _serves_valid_token(d: Difference) -> bool:
    is_allowed = d.call == 1 or not needs_new_token(d.cell)
    return d.aspect == "outcome" and d.kinds[1] == "success" and is_allowed


def _refuses_token(d: Difference) -> bool:
    kind, _, name = d.aspect.partition(" ")
    return (
        (kind == "outcome" and d.kinds[1] in _REFUSED)
        or (kind == "key" and name in _TOKEN_KEYS)
        or (kind == "value" and name in _TOKEN_VALUES)
        or _asks_again(d)
    )


def _never_replays(d: Difference) -> bool:
    is_replay = d.call == 2 and d.requests == (0, 1)
    is_token = d.aspect in ("value access_token", "value refresh_token")
    return is_replay and (is_token or _asks_again(d) or _ends("RuntimeError", "success")(d))


def _comes_from_cache(d: Difference) -> bool:
    kind, _, name = d.aspect.partition(" ")
    is_shorter = kind == "key" and name in _TOKEN_KEYS and d.ours == ABSENT
    is_older = kind == "value" and name in ("access_token", "token_source")
    return d.call == 2 and d.requests[1] == 0 and (is_shorter or is_older or kind == "calls")


def _is_postponed(d: Difference) -> bool:
    is_time = d.aspect == "value refresh_on" and d.call == 2
    return is_time and abs(d.ours - d.msal - RENEWAL_PAUSE) <= _ROUNDING


def _hands_over_whole_error(d: Difference) -> bool:
    names = ("key claims", "key suberror", "key trace_id")
    return d.msal == ABSENT and d.aspect in names


def _validates_id_token(d: Difference) -> bool:
    is_refused = d.kinds[1] == "error invalid_id_token"
    return is_refused and (d.aspect == "outcome" or _asks_again(d))


def _unites_capabilities(d: Difference) -> bool:
    if d.aspect != "wire claims" or d.call != 2:
        return False
    values = [side["access_token"]["xms_cc"]["values"] for side in (d.msal, d.ours)]
    return values == [["cp1"], ["other", "cp1"]]


INTENDED: Final = (
    Intended(
        "error dictionaries say who must act",
        "Callers branch on category and status instead of on texts and numbers.",
        lambda cell: both_return_errors(cell) or cell.grant == "declined",
        _says_status_or_category,
    ),
    Intended(
        "throttled answers say so",
        "A kept answer looks like a fresh one in MSAL, so nobody can tell why nothing changes.",
        is_kept_error,
        _says_throttled,
    ),
    Intended(
        "throttled answers say for how long",
        "A page can count down and a 503 can carry Retry-After only when the time is known.",
        has_to_wait,
        _says_how_long,
    ),
    Intended(
        "throttled answers name the entry that holds them back",
        "An operator can only let a request through when it is known what holds it back.",
        lambda cell: is_kept_error(cell) or has_to_wait(cell),
        _names_entry,
    ),
    Intended(
        "an answer that is not JSON is an error dictionary",
        "A proxy's page must not surface as a JSON exception in the middle of a sign-in.",
        has_text_answer,
        _is_dict_for_text,
    ),
    Intended(
        "a server error is an error dictionary",
        "What the network or Entra did is data; exceptions are kept for a caller's mistakes.",
        lambda c: is_server_error(c) and (not has_good_token(c) or needs_new_token(c)),
        _is_dict_for_server_error,
    ),
    Intended(
        "a lost connection is an error dictionary",
        "What the network or Entra did is data; exceptions are kept for a caller's mistakes.",
        lambda cell: cell.status == RESET and not has_good_token(cell),
        _ends("ConnectionError", "error temporarily_unavailable"),
    ),
    Intended(
        "a valid token is served while Entra is in trouble",
        "A failed refresh takes nothing away from a token that is still good.",
        loses_valid_token,
        _serves_valid_token,
    ),
    Intended(
        "one retry after a server error",
        "A 5xx is often over at once; only grants that may be repeated are.",
        lambda c: is_server_error(c) and c.header == "none" and c.grant != "code",
        _any(_sends(1, 2, call=1), _sends(1, 2), _sends(0, 2)),
    ),
    Intended(
        "one retry after a lost connection",
        "MSAL's one retry does not cover a token request that was sent already.",
        lambda cell: cell.status == RESET and cell.grant != "code",
        _any(_sends(1, 2, call=1), _sends(1, 2)),
    ),
    Intended(
        "tokens are taken from a success only",
        "A token response has status 200 (RFC 6749 section 5.1); MSAL looks at the body alone.",
        lambda cell: cell.body == "success" and cell.status in (400, 401, 403, 429),
        _refuses_token,
    ),
    Intended(
        "a success is never replayed",
        "MSAL keeps a token response that has Retry-After and hands it to the next caller.",
        may_be_replayed,
        _never_replays,
    ),
    Intended(
        "on-behalf-of answers are kept per assertion",
        "An API that is called often would ask for the same token each time.",
        is_obo_answer,
        _comes_from_cache,
    ),
    Intended(
        "a failed code redemption holds back nobody else",
        "In MSAL one person's 503 answers the next person's sign-in.",
        is_failed_redemption,
        _asks_again,
    ),
    Intended(
        "a failed on-behalf-of call holds back nobody else",
        "In MSAL the assertion is not in the key, so one person's failure answers for all.",
        is_failed_assertion,
        _any(_asks_again, _sends(0, 2)),
    ),
    Intended(
        "a Retry-After that cannot be read counts as none",
        "RFC 9110 section 10.2.3 has whole seconds and dates; for the rest the usual rules hold.",
        has_unreadable_time,
        _any(_asks_again, _asks_no_more),
    ),
    Intended(
        "Retry-After may be a date",
        "RFC 9110 section 10.2.3 allows one; MSAL falls back to its few seconds.",
        lambda cell: cell.header == "date" and cell.repeat == "later",
        _asks_no_more,
    ),
    Intended(
        "the wait that everyone shares has a lower limit",
        "A 429 holds back all callers, so that one mistaken hour must not stop everybody.",
        lambda c: c.status == 429 and c.header == "huge" and c.repeat == "much_later",
        _asks_again,
    ),
    Intended(
        "a renewal that failed is not tried again at once",
        "In MSAL every call past refresh_on asks again, for as long as the trouble lasts.",
        is_failed_renewal,
        _any(_asks_no_more, _is_postponed),
    ),
    Intended(
        "a rejection is kept with a certificate too",
        "MSAL's key contains the signed assertion, which is new for each request.",
        has_new_assertion,
        _asks_no_more,
    ),
    Intended(
        "a transient 400 is not kept",
        "Asking again is what helps; MSAL keeps every 400 for a minute.",
        is_transient_rejection,
        _asks_again,
    ),
    Intended(
        "a dead refresh token is dropped",
        "Entra has said bad_token, so sending it again can only fail.",
        lambda c: forgets_account(c) and c.grant in ("silent_expired", "silent_ending"),
        lambda d: _asks_no_more(d) or (d.aspect == "outcome" and d.kinds[1] == "none"),
    ),
    Intended(
        "an error of the sign-in page is handed over whole",
        "MSAL cuts it to three members and loses the claims that the next prompt needs.",
        lambda cell: cell.grant == "declined",
        _hands_over_whole_error,
    ),
    Intended(
        "ID tokens are validated before anything is kept",
        "MSAL checks no signature, and raises for a wrong nonce after storing the tokens.",
        lambda cell: cell.body in ("forged", "wrong_nonce"),
        _validates_id_token,
    ),
    Intended(
        "capabilities join those of a challenge",
        "MSAL overwrites the xms_cc that the challenge asks for.",
        lambda cell: cell.repeat == "capability",
        _unites_capabilities,
    ),
)
