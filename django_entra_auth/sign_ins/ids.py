"""Ids: of sign-ins, and GUIDs that a provider names."""

from __future__ import annotations

import hashlib
import secrets
import uuid


def new_sign_in_id() -> str:
    """A fresh 256-bit id; only its hash is ever stored outside the session."""
    return secrets.token_urlsafe(32)


def hash_id(sign_in_id: str) -> str:
    """What stands for a sign-in id in the database and in cache keys."""
    return hashlib.sha256(sign_in_id.encode()).hexdigest()


def normalise_guid(value: object) -> str | None:
    """The lower-case form of a GUID, or None for anything else."""
    try:
        return str(uuid.UUID(value)) if isinstance(value, str) and len(value) == 36 else None
    except ValueError:
        return None
