"""Fetches an authority's OpenID configuration and refuses one that points elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .authority import Authority
from .documents import fetch_document
from .errors import ProtocolFailure, make_error
from .http import HttpClient
from .shared_calls import LastGood


@dataclass(frozen=True)
class ProviderMetadata:
    """The checked part of an OpenID configuration (OIDC Discovery 1.0 section 3).

    ``issuer`` contains ``{tenantid}`` and ``tenant_id`` is ``None`` for shared authorities.
    """

    issuer: str
    tenant_id: str | None
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None


class MetadataStore:
    """Keeps one authority's metadata: fetched at first use, again after a day."""

    def __init__(
        self, authority: Authority, http_client: HttpClient, *, clock: Callable[[], float]
    ) -> None:
        self._authority = authority
        self._http = http_client
        self._clock = clock
        self._document = LastGood(self._fetch, clock=clock)

    def get(self) -> ProviderMetadata:
        """Return the metadata. Raises ``ProtocolFailure`` when it cannot be had or is refused."""
        return self._document.get()

    def _fetch(self, bypass: bool) -> tuple[ProviderMetadata, int]:
        url = self._authority.metadata_url
        return fetch_document(
            self._http,
            url,
            lambda document: read_metadata(document, self._authority),
            clock=self._clock,
            bypass=bypass,
        )


def read_metadata(document: Mapping[str, Any], authority: Authority) -> ProviderMetadata:
    """Return the metadata in ``document``.

    Raises ``ProtocolFailure`` (``invalid_authority_metadata``) when an endpoint is missing or
    not on the authority's host or its cloud's, or the issuer is not one this authority has.
    """
    issuer = document.get("issuer")
    try:
        tenant_id = authority.read_issuer(issuer)
    except ValueError as exc:
        raise _refuse(str(exc)) from None
    return ProviderMetadata(
        issuer=str(issuer),
        tenant_id=tenant_id,
        authorization_endpoint=_read_endpoint(document, "authorization_endpoint", authority),
        token_endpoint=_read_endpoint(document, "token_endpoint", authority),
        jwks_uri=_read_endpoint(document, "jwks_uri", authority),
        end_session_endpoint=_read_optional(document, "end_session_endpoint", authority),
    )


def _read_optional(document: Mapping[str, Any], name: str, authority: Authority) -> str | None:
    return _read_endpoint(document, name, authority) if document.get(name) is not None else None


def _read_endpoint(document: Mapping[str, Any], name: str, authority: Authority) -> str:
    url = document.get(name)
    if not authority.trusts_endpoint(url):
        raise _refuse(f"{name} is not on the host of the authority or of its cloud")
    return str(url)


def _refuse(reason: str) -> ProtocolFailure:
    text = f"The authority's metadata was refused: {reason}."
    return ProtocolFailure(make_error("invalid_authority_metadata", text))
