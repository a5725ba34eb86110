"""What the cache keeps for a sign-in: its tokens, its end, and the one that took its place."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence

from django_entra_auth.cache.chain import HOPS, Chain, Successor
from django_entra_auth.cache.entries import Entries
from django_entra_auth.cache.local_copies import local_copies
from django_entra_auth.cache.token_cache import SignInTokenCache, find_copy
from django_entra_auth.conf import get_settings
from django_entra_auth.exceptions import TemporarilyUnavailable
from django_entra_auth.oauth2.acquisition import find_ready
from django_entra_auth.oauth2.errors import Result
from django_entra_auth.oauth2.scopes import read_scopes
from django_entra_auth.sign_ins.ids import hash_id

logger = logging.getLogger(__name__)


def open_token_cache(
    sign_in_id: str, *, session_seconds: Callable[[], float] | None = None
) -> SignInTokenCache:
    """The tokens of a sign-in.

    `session_seconds` is the session's `get_expiry_age`: what is written lives as long as it does.
    """
    return SignInTokenCache(hash_id(sign_in_id), get_settings(), session_seconds=session_seconds)


def find_local_token(sign_in_id: str, scopes: Sequence[str]) -> Result | None:
    """A good token that this process has read within LOCAL_COPY_SECONDS, without any I/O.

    A dict as MSAL returns it; None where only the shared cache or Entra can tell. Raises
    ValueError for scopes that cannot be asked for.
    """
    _, resource, wanted = read_scopes(scopes)
    seconds = get_settings().local_copy_seconds
    tokens = find_copy(hash_id(sign_in_id), resource, seconds) if seconds else None
    return None if tokens is None else find_ready(tokens, wanted, time.time())


def drop_local_copies(sign_in_id: str) -> None:
    """Forget what this process has read of a sign-in; the shared cache is not touched."""
    local_copies.drop_sign_in(hash_id(sign_in_id))


def open_chain() -> Chain:
    """The ends and successors of all sign-ins."""
    return Chain(Entries(get_settings()))


def drop_tokens(id_hash: str) -> None:
    """End what the cache keeps; a sign-out does not wait for it: the rest ends by itself."""
    try:
        SignInTokenCache(id_hash, get_settings()).delete_account("")
    except TemporarilyUnavailable:
        logger.warning("The cache is down: tokens of an ended sign-in stay until they expire")


def find_successor(sign_in_id: str) -> Successor | None:
    """What took the place of a sign-in by a later prompt, while it is alive itself.

    It has the new `id` and the rest of the session's entry that `start` was given. For a request
    that finds nothing under the id in its session: it was under way during the prompt and has
    written the older session back. Two cache reads where there is one, else one. Raises
    TemporarilyUnavailable.
    """
    chain = open_chain()
    found = chain.load_successor(hash_id(sign_in_id))
    for _ in range(HOPS):
        if found is None:
            return None
        has_ended, later = chain.look(hash_id(found["id"]))
        if later is None:
            return None if has_ended else found
        found = later
    return None


def drop_with_successors(id_hash: str) -> Iterator[str]:
    """Drop the tokens of a sign-in and of all that took its place; yields the hash of each.

    Its tombstone comes before the look for a successor, and `start` looks for the tombstone after
    it has left a pointer: of a sign-out and a prompt at once, one sees the other.
    """
    for _ in range(HOPS):
        drop_tokens(id_hash)
        yield id_hash
        try:
            later = open_chain().load_successor(id_hash)
        except TemporarilyUnavailable:
            return
        if later is None:
            return
        id_hash = hash_id(later["id"])
