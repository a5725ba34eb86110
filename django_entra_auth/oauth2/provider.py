"""The provider as one application sees it: its metadata, token endpoint and ID tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .answers import new_correlation_id
from .authority import Authority
from .credential import CredentialChain
from .errors import ProtocolFailure, Result, make_error
from .id_token import SENTENCES, Check, Expectation, InvalidIdToken, validate_id_token
from .keys import KeyStore
from .metadata import MetadataStore, ProviderMetadata
from .throttle import ThrottledHttpClient
from .token_request import TokenEndpoint


class Provider:
    """Asks one authority on behalf of one client. ``clock`` returns Unix time.

    Every method may raise ``ProtocolFailure``, which carries the error dictionary.
    """

    def __init__(
        self,
        client_id: str,
        authority: Authority,
        credentials: CredentialChain,
        http_client: ThrottledHttpClient,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._client_id = client_id
        self.authority = authority
        self._credentials = credentials
        self._http = http_client
        self._clock = clock
        self._metadata = MetadataStore(authority, http_client, clock=clock)
        self._keys = KeyStore(lambda: self._metadata.get().jwks_uri, http_client, clock=clock)

    def get_metadata(self) -> ProviderMetadata:
        """Return the authority's checked metadata."""
        return self._metadata.get()

    def request_tokens(
        self,
        grant: Mapping[str, str | None],
        *,
        tenant_id: str | None = None,
        nonce: str | None = None,
        max_age: int | None = None,
        requires_id_token: bool = False,
    ) -> Result:
        """Send a grant and return the token response, its ID token validated if there is one.

        A shared authority is asked at the endpoint of ``tenant_id``, if given. ``nonce`` and
        ``max_age`` (seconds) are what the ID token has to fit.
        """
        correlation_id = new_correlation_id()
        result = self._endpoint(tenant_id).request(grant, correlation_id=correlation_id)
        if not result.get("id_token") and not requires_id_token:
            return result
        expected = self._expect(nonce=nonce, max_age=max_age)
        try:
            return {**result, "id_token_claims": self._read_id_token(result, expected)}
        except ProtocolFailure as failure:
            failure.result.setdefault("correlation_id", correlation_id)
            raise

    def _endpoint(self, tenant_id: str | None) -> TokenEndpoint:
        url = self._metadata.get().token_endpoint
        if self.authority.is_shared and tenant_id is not None:
            # The document may spell the segment in another case than the setting does.
            shared = f"/{re.escape(self.authority.tenant)}/"
            url = re.sub(shared, f"/{tenant_id}/", url, count=1, flags=re.IGNORECASE)
        return TokenEndpoint(url, self._client_id, self._credentials, self._http, self._clock)

    def _read_id_token(self, result: Mapping[str, Any], expected: Expectation) -> dict[str, Any]:
        token = result.get("id_token")
        if not token:
            text = "The sign-in service sent no ID token."
            raise ProtocolFailure(make_error("invalid_response", text))
        try:
            return validate_id_token(token, expected, find_key=self._keys.find, now=self._clock())
        except InvalidIdToken as exc:
            raise refuse_id_token(exc.check) from None

    def _expect(self, *, nonce: str | None, max_age: int | None) -> Expectation:
        metadata = self._metadata.get()
        return Expectation(
            client_id=self._client_id,
            issuer=metadata.issuer,
            tenant_id=metadata.tenant_id,
            nonce=nonce,
            max_age=max_age,
            accepts_consumers=self.authority.accepts_consumers,
            requires_key_issuer=self.authority.is_shared,
            tenant_from_issuer=self.authority.kind == "b2c",
        )


def refuse_id_token(check: Check) -> ProtocolFailure:
    """Return the failure that names the check which an ID token did not pass."""
    return ProtocolFailure(make_error("invalid_id_token", SENTENCES[check], failed_check=check))
