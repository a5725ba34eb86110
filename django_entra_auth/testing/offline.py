"""Lets Django's test clients be prompted without a network."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import request_started
from django.test.client import AsyncClientHandler, ClientHandler

from django_entra_auth.client import get_application
from django_entra_auth.conf import get_settings
from django_entra_auth.oauth2.authority import (
    CONSUMER_TENANT,
    TENANT_TEMPLATE,
    Authority,
    is_guid,
    parse_authority,
)
from django_entra_auth.oauth2.metadata import MetadataStore, ProviderMetadata, read_metadata
from django_entra_auth.testing.settings import TEST_TENANT_ID


class KnownMetadata(MetadataStore):
    """Metadata that nobody has to fetch: Entra's, for an authority it has never been asked about.

    It lives in this process alone. The shared cache may be another one's too, and is left as it is.
    """

    def __init__(self, metadata: ProviderMetadata) -> None:
        self._metadata = metadata

    def get(self) -> ProviderMetadata:
        """Return the metadata."""
        return self._metadata


def stay_offline() -> None:
    """From now on a prompt that answers a request of a test client asks no network.

    Sites on a local Entra do ask that one.
    """
    for handler in (ClientHandler, AsyncClientHandler):
        request_started.connect(
            _know_the_authority,
            sender=handler,
            dispatch_uid=f"django_entra_auth.testing.{handler.__name__}",
        )


def _know_the_authority(**kwargs: Any) -> None:
    # At each request: with other settings there is another application.
    with suppress(ImproperlyConfigured):
        if get_settings().is_local_authority:
            return
        application = get_application()
        if not isinstance(application._provider._metadata, KnownMetadata):
            application._provider._metadata = KnownMetadata(build_metadata(application.authority))


def build_metadata(url: str) -> ProviderMetadata:
    """What Entra would say of the authority with this URL."""
    authority = parse_authority(url, allow_loopback=True)
    tenant = TENANT_TEMPLATE if authority.is_shared else find_tenant(authority)
    document = {
        "issuer": build_issuer(authority, tenant),
        "authorization_endpoint": f"{authority.url}/oauth2/v2.0/authorize",
        "token_endpoint": f"{authority.url}/oauth2/v2.0/token",
        "jwks_uri": f"{authority.url}/discovery/v2.0/keys",
        "end_session_endpoint": f"{authority.url}/oauth2/v2.0/logout",
    }
    return read_metadata(document, authority)


def find_tenant(authority: Authority) -> str:
    """The tenant id that the authority names; a made-up one where it names a domain, or many."""
    if authority.tenant.lower() == "consumers":
        return CONSUMER_TENANT
    return authority.tenant.lower() if is_guid(authority.tenant) else TEST_TENANT_ID


def build_issuer(authority: Authority, tenant: str) -> str:
    """How the authority's ID tokens name their issuer for people of a tenant."""
    if authority.kind == "external_id":
        return f"https://{tenant}.ciamlogin.com/{tenant}/v2.0"
    tail = "/" if authority.kind == "b2c" else ""
    return f"{authority.origin}/{tenant}/v2.0{tail}"
