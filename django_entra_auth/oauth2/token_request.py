"""Sends token requests and reads their answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .answers import describe_silence, make_headers, read_answer
from .credential import ROLLOVER_NUMBERS, CredentialChain
from .credential_forms import Credential, CredentialUnavailable
from .errors import ProtocolFailure, Result, make_error
from .http import TransportError
from .throttle import ThrottledHttpClient

logger = logging.getLogger(__name__)

UNAVAILABLE: Final = "credential_unavailable"
"""The ``error`` of a request that was not sent because there is no credential to send with it."""
_LONGEST: Final = 366 * 86_400
# Categories that leave open whether the client was recognized.
_SAYS_NOTHING: Final = frozenset({"invalid_answer", "throttled", "transient"})


@dataclass(frozen=True)
class TokenEndpoint:
    """Where and as whom tokens are asked for; ``clock`` returns Unix time."""

    url: str
    client_id: str
    credentials: CredentialChain
    http_client: ThrottledHttpClient
    clock: Callable[[], float]

    def request(self, grant: Mapping[str, str | None], *, correlation_id: str) -> Result:
        """Send one grant and return the answer; its ``None`` fields are left out.

        Raises ``ProtocolFailure`` with the error dictionary for everything but a success.
        """
        result: Result = {}
        rejected: dict[int, Result] = {}
        for attempt in self.credentials.attempts():
            result = self._send(grant, attempt.credential, correlation_id)
            # A rejected client was not listened to: its code, too, is as good as before.
            if not _is_rejected(result):
                if result.get("category") not in _SAYS_NOTHING:
                    self.credentials.accept(attempt, rejected)
                break
            rejected[attempt.place] = result
        if "error" in result:
            raise ProtocolFailure(result)
        return result

    def _send(
        self, grant: Mapping[str, str | None], credential: Credential, correlation_id: str
    ) -> Result:
        form = {
            "client_id": self.client_id,
            "client_info": "1",
            **{name: value for name, value in grant.items() if value is not None},
        }

        def authenticate() -> Mapping[str, str]:
            return credential.authenticate(
                client_id=self.client_id, token_endpoint=self.url, now=self.clock()
            )

        try:
            response = self.http_client.post_form(
                self.url, form, headers=make_headers(correlation_id), authenticate=authenticate
            )
        except TransportError as exc:
            result = describe_silence(exc, correlation_id)
        except CredentialUnavailable as exc:
            # Nothing was sent; what is wrong is known here alone, and to be seen in the log.
            extra = {"correlation_id": correlation_id}
            logger.warning("A token request was not sent: %s", exc, extra=extra)
            result = make_error(UNAVAILABLE, str(exc), correlation_id=correlation_id)
        else:
            result = read_answer(response, correlation_id=correlation_id, now=self.clock())
        if "error" not in result:
            result = _check_success(result, correlation_id)
        _log_outcome(result, str(grant.get("grant_type")), correlation_id)
        return result


def _is_rejected(result: Mapping[str, Any]) -> bool:
    if result.get("error") == UNAVAILABLE:
        return True
    codes = result.get("error_codes")
    return isinstance(codes, list) and any(
        type(code) is int and code in ROLLOVER_NUMBERS for code in codes
    )


def _check_success(body: dict[str, Any], correlation_id: str) -> Result:
    """Return the token response with its numbers as numbers, or an error (RFC 6749 section 5.1)."""
    result = dict(body)
    # Whoever finds these takes them for validated.
    result.pop("id_token_claims", None)
    # B2C may send an ID token alone.
    has_token = bool(result.get("access_token") or result.get("id_token"))
    if not has_token or not _are_texts(result) or not _read_lifetimes(result):
        text = "The sign-in service sent a token answer that cannot be read."
        return make_error("invalid_response", text, correlation_id=correlation_id)
    if str(result.get("token_type", "")).lower() != "bearer":
        text = "The sign-in service sent a token of a type that was not asked for."
        return make_error("invalid_response", text, correlation_id=correlation_id)
    result["token_source"] = "identity_provider"  # noqa: S105
    return result


def _are_texts(result: Mapping[str, Any]) -> bool:
    names = ("access_token", "refresh_token", "id_token", "scope", "client_info", "token_type")
    return all(isinstance(result[name], str) for name in names if name in result)


def _read_lifetimes(result: dict[str, Any]) -> bool:
    """Turn lifetimes into whole seconds of a sensible size; B2C sends them as text."""
    for name in ("expires_in", "ext_expires_in", "refresh_in"):
        if name in result:
            try:
                result[name] = min(max(int(result[name]), 0), _LONGEST)
            except (TypeError, ValueError, OverflowError):
                return False
    return True


def _log_outcome(result: Mapping[str, Any], grant_type: str, correlation_id: str) -> None:
    error = result.get("error")
    codes = result.get("error_codes")
    extra = {"correlation_id": correlation_id, "error_codes": codes}
    if error is None:
        logger.debug("Token request (%s) succeeded", grant_type, extra=extra)
        return
    logger.info(
        "Token request (%s) failed: %s, category %s",
        grant_type,
        _quote(error),
        result.get("category"),
        extra=extra,
    )


def _quote(value: object) -> str:
    """Return a provider's word for the log: short, without control characters."""
    return "".join(char if char.isprintable() else "?" for char in str(value)[:100])
