"""Sorts cells by what the token service's answer means; a second statement of the rules."""

from __future__ import annotations

from typing import Final

from tests.interop.differential.cells import RESET, Cell, Repeat
from tests.interop.differential.service import RETRY_AFTER_SECONDS

DEFAULT_WAIT: Final = 5
REJECTION_WAIT: Final = 60
SHARED_LIMIT: Final = 300
ACCOUNT_LIMIT: Final = 3600

JSON_ERRORS: Final = ("error", "challenge", "bad_token", "transient")
TEXTS: Final = ("text", "html", "empty")

_ELAPSED: Final[dict[Repeat, int]] = {"later": 10, "much_later": 400}


def is_outage(cell: Cell) -> bool:
    """Whether the service is in trouble, as opposed to having decided."""
    return cell.status == RESET or cell.status >= 429 or cell.body == "transient"


def is_server_error(cell: Cell) -> bool:
    """Whether the service answers with a status from 500."""
    return cell.status >= 500


def names_a_time(cell: Cell) -> bool:
    """Whether the answer has a Retry-After that means something."""
    return cell.header not in ("none", "negative", "garbage")


def needs_new_token(cell: Cell) -> bool:
    """Whether no kept token will do for the second call."""
    return cell.repeat in ("challenge", "capability", "force")


def has_good_token(cell: Cell) -> bool:
    """Whether a kept token can still be served when the service does not give another."""
    return cell.grant == "silent_due" or (cell.grant == "silent_ending" and is_outage(cell))


def both_return_errors(cell: Cell) -> bool:
    """Whether both clients return an error dictionary for one of the calls."""
    if cell.body not in JSON_ERRORS or is_server_error(cell):
        return False
    return not has_good_token(cell) or needs_new_token(cell)


def longest_wait(cell: Cell) -> int:
    """Return for how many seconds the answer holds back the same request."""
    if not names_a_time(cell):
        return REJECTION_WAIT if cell.status == 400 else DEFAULT_WAIT
    limit = SHARED_LIMIT if cell.status == 429 else ACCOUNT_LIMIT
    named = {"zero": 0, "huge": limit}.get(cell.header, RETRY_AFTER_SECONDS)
    return min(limit, named)


def is_held_back(cell: Cell) -> bool:
    """Whether the second call is answered from what was kept of the first."""
    if _ELAPSED.get(cell.repeat, 0) >= longest_wait(cell):
        return False
    if cell.status == 429:
        return True
    is_same_person = cell.grant != "code" and cell.repeat != "other"
    if is_server_error(cell) or (names_a_time(cell) and cell.status >= 400):
        return is_same_person
    is_same_question = is_same_person and cell.repeat not in ("challenge", "capability")
    return cell.status == 400 and cell.body != "transient" and is_same_question


def forgets_account(cell: Cell) -> bool:
    """Whether the first answer ends what is known of the person."""
    return cell.is_silent and cell.body == "bad_token"


def has_to_wait(cell: Cell) -> bool:
    """Whether an error dictionary says how long to wait."""
    is_told = cell.status == 429 or (names_a_time(cell) and cell.status >= 400)
    return both_return_errors(cell) and (is_told or is_kept_error(cell))


def is_kept_error(cell: Cell) -> bool:
    """Whether both second calls fail, ours with a kept answer."""
    return both_return_errors(cell) and is_held_back(cell) and not forgets_account(cell)


def has_text_answer(cell: Cell) -> bool:
    """Whether an answer that is not JSON decides a call."""
    is_decided = cell.body in TEXTS and not is_server_error(cell)
    return is_decided and (not has_good_token(cell) or needs_new_token(cell))


def loses_valid_token(cell: Cell) -> bool:
    """Whether MSAL serves nothing although a kept token is good."""
    if cell.grant == "silent_due":
        return is_server_error(cell) or cell.body in TEXTS
    is_token = cell.body == "success" and not is_server_error(cell)
    return has_good_token(cell) and not is_token


def may_be_replayed(cell: Cell) -> bool:
    """Whether MSAL keeps a success for the second call, which asks something else."""
    is_kept = cell.header in ("seconds", "date", "huge", "garbage")
    is_asked = cell.grant == "code" or (
        cell.grant in ("client", "obo") and cell.repeat in ("challenge", "other")
    )
    return cell.status == 200 and cell.body == "success" and is_kept and is_asked


def is_obo_answer(cell: Cell) -> bool:
    """Whether the same on-behalf-of call succeeds twice."""
    is_success = cell.status == 200 and cell.body == "success"
    return cell.grant == "obo" and is_success and cell.repeat == "again"


def is_failed_redemption(cell: Cell) -> bool:
    """Whether MSAL answers the second code from what the first one got."""
    is_kept = cell.header in ("seconds", "date", "huge", "garbage")
    is_kept |= is_server_error(cell) and cell.header == "none"
    return cell.grant == "code" and cell.status not in (RESET, 200, 429) and is_kept


def is_failed_assertion(cell: Cell) -> bool:
    """Whether MSAL answers the second person from what the first one got."""
    is_kept = is_server_error(cell) or (names_a_time(cell) and cell.status in (400, 401, 403))
    return cell.grant == "obo" and cell.repeat == "other" and is_kept


def has_unreadable_time(cell: Cell) -> bool:
    """Whether a Retry-After without a meaning changes what is asked again."""
    if cell.header == "negative":
        is_kept = is_server_error(cell) or cell.status == 400
        return cell.status == 429 or (is_kept and cell.grant != "code")
    is_guessed = cell.header == "garbage" and cell.status in (401, 403)
    return is_guessed and cell.grant not in ("code", "silent_due")


def is_failed_renewal(cell: Cell) -> bool:
    """Whether MSAL asks again, or would, although the renewal has just failed."""
    if cell.grant != "silent_due" or cell.repeat != "again":
        return False
    if is_server_error(cell):
        return cell.header in ("zero", "negative")
    is_text = cell.body in TEXTS and cell.status in (200, 401, 403)
    return cell.body in JSON_ERRORS or is_text or cell.status == RESET


def has_new_assertion(cell: Cell) -> bool:
    """Whether a rejected request is signed anew by MSAL."""
    is_signed_again = cell.grant in ("silent_expired", "silent_ending")
    return cell.credential == "certificate" and cell.status == 400 and is_signed_again


def is_transient_rejection(cell: Cell) -> bool:
    """Whether a 400 says that asking again may help."""
    is_asked = cell.grant not in ("code", "silent_due")
    return cell.status == 400 and cell.body == "transient" and is_asked
