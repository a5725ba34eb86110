"""Whose sign-in it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """An Entra account. `tid` and `oid` identify it; `username` is for display alone."""

    tid: str
    oid: str
    home_account_id: str
    username: str
