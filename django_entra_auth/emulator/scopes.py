"""Scopes: the reserved ones, and which resource the others belong to."""

import re
from collections.abc import Iterable

from .constants import GRAPH_RESOURCE_ID
from .errors import EntraError

RESERVED = ("openid", "profile", "email", "offline_access")
_GRAPH_PREFIXES = (
    "https://graph.microsoft.com/",
    "https://graph.microsoft.us/",
    "https://dod-graph.microsoft.us/",
    "https://microsoftgraph.chinacloudapi.cn/",
)
_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # scope-token of RFC 6749 section 3.3


def parse_scopes(text: str) -> tuple[str, ...]:
    """The scopes in `text`, each once, Graph's in their short form; 70011 when malformed."""
    scopes = list(dict.fromkeys(text.split()))
    if any(not _TOKEN.fullmatch(scope) for scope in scopes):
        raise EntraError(70011, "A scope holds a character that is not allowed.")
    names = [_shorten(scope) for scope in scopes]
    if any(not name for name in names):
        raise EntraError(70011, "A resource was given without a permission.")
    defaults = [name for name in names if name.endswith(".default")]
    if defaults and len(resource_scopes(names)) > 1:
        raise EntraError(70011, "'.default' cannot be combined with other permissions.")
    return tuple(names)


def _shorten(scope: str) -> str:
    for prefix in _GRAPH_PREFIXES:
        if scope.startswith(prefix):
            return scope.removeprefix(prefix)
    return scope


def resource_scopes(scopes: Iterable[str]) -> tuple[str, ...]:
    """The scopes that belong to a resource."""
    return tuple(scope for scope in scopes if scope not in RESERVED)


def resource_of(scope: str) -> str:
    """The resource of one scope: Graph's id for short names, else what precedes the last slash."""
    resource, slash, _ = scope.rpartition("/")
    return resource.removeprefix("api://") if slash else GRAPH_RESOURCE_ID


def require_one_resource(scopes: Iterable[str]) -> str:
    """The only resource in `scopes`, Graph when there is none; 70011 when there are several."""
    resources = {resource_of(scope) for scope in resource_scopes(scopes)}
    if len(resources) > 1:
        raise EntraError(70011, "A token can be issued for one resource only.")
    return resources.pop() if resources else GRAPH_RESOURCE_ID
