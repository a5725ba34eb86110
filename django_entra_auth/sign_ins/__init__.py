"""Start, find and end sign-ins, and reach the tokens behind them."""

from django_entra_auth.sign_ins.background import (
    BackgroundTokens,
    in_request,
    request_scope,
    tokens_for,
)
from django_entra_auth.sign_ins.ending import (
    end,
    end_everywhere,
    end_from_elsewhere,
    end_one,
    has_ended,
)
from django_entra_auth.sign_ins.ids import hash_id, new_sign_in_id, normalise_guid
from django_entra_auth.sign_ins.rows import follow_session_key, has_any, is_alive, start
from django_entra_auth.sign_ins.tokens import (
    drop_local_copies,
    drop_tokens,
    find_local_token,
    find_successor,
    open_token_cache,
)

__all__ = [
    "BackgroundTokens",
    "drop_local_copies",
    "drop_tokens",
    "end",
    "end_everywhere",
    "end_from_elsewhere",
    "end_one",
    "find_local_token",
    "find_successor",
    "follow_session_key",
    "has_any",
    "has_ended",
    "hash_id",
    "in_request",
    "is_alive",
    "new_sign_in_id",
    "normalise_guid",
    "open_token_cache",
    "request_scope",
    "start",
    "tokens_for",
]
