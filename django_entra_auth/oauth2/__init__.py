"""The protocol layer: OAuth 2.0 and OpenID Connect with Microsoft Entra ID, without Django."""

from .application import ConfidentialClientApplication
from .challenges import AuthChallenge, find_claims_challenge, parse_www_authenticate
from .claims import merge_claims
from .classification import Classification, classify
from .throttle import ThrottledHttpClient, ThrottleLimits
from .token_cache import MemoryTokenCache, NullTokenCache, TokenCache

__all__ = [
    "AuthChallenge",
    "Classification",
    "ConfidentialClientApplication",
    "MemoryTokenCache",
    "NullTokenCache",
    "ThrottleLimits",
    "ThrottledHttpClient",
    "TokenCache",
    "classify",
    "find_claims_challenge",
    "merge_claims",
    "parse_www_authenticate",
]
