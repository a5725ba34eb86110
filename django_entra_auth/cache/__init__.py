"""What all workers share, in the Django cache, sealed."""

from django_entra_auth.cache.http_cache import DjangoHTTPCache

__all__ = ["DjangoHTTPCache"]
