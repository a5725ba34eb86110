"""The addresses that Entra gets to see: through a proxy, under a host, with a language's prefix."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from django.conf import settings as django_settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.test import RequestFactory
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve, reverse
from django.utils.translation import override

from django_entra_auth.conf import EntraSettings
from django_entra_auth.doctor.findings import Findings, failed, never_breaking, passed, warned
from django_entra_auth.oauth2.authority import is_loopback, parse_origin

TOPIC = "addresses"
CALLBACK = "django_entra_auth:callback"
LOGOUT = "django_entra_auth:logout"


@never_breaking(TOPIC)
def look(settings: EntraSettings, urls: tuple[str, ...]) -> Findings:
    """Redirect and post-logout URI, for REDIRECT_URI or each of the site's addresses."""
    try:
        paths = _find_paths(CALLBACK)
    except NoReverseMatch:
        fix = 'Add path("auth/", include("django_entra_auth.urls")) to the URLconf.'
        yield failed(TOPIC, "The site has no callback.", fix)
        return
    if len(paths) > 1:
        reason = f"The callback's path changes with the language: {', '.join(paths)}."
        fix = "Include django_entra_auth.urls outside i18n_patterns, or register every path."
        yield warned(TOPIC, reason, fix)
    if settings.redirect_uri:
        yield from _look_at_fixed(settings.redirect_uri)
    for url in urls:
        yield from _look_at_url(settings, url)
    if not settings.redirect_uri and not urls:
        reason = f"Entra gets {paths[0]} below whatever host a visitor has asked for."
        fix = "Run this with --url https://your.site to see the whole address."
        yield warned(TOPIC, reason, fix)


def find_redirect_uris(settings: EntraSettings, urls: tuple[str, ...]) -> list[str]:
    """The redirect URIs that are known for sure; none when an address cannot be built."""
    if settings.redirect_uri:
        return [settings.redirect_uri]
    try:
        return [_build(url, CALLBACK) for url in urls]
    except (DisallowedHost, NoReverseMatch):
        return []


def _find_paths(name: str) -> list[str]:
    languages = [code for code, _ in django_settings.LANGUAGES] if django_settings.USE_I18N else []
    found = []
    for code in languages or [django_settings.LANGUAGE_CODE]:
        with override(code):
            found.append(reverse(name))
    return list(dict.fromkeys(found))


def _look_at_fixed(uri: str) -> Findings:
    parts = urlsplit(uri)
    if not _leads_to_callback(parts.path):
        reason = f"REDIRECT_URI is {uri}, where this site has no callback."
        fix = f"Let it end in {reverse(CALLBACK)}; case and trailing slash count."
        yield failed(TOPIC, reason, fix)
    elif not _is_accepted(uri):
        yield failed(TOPIC, f"REDIRECT_URI is {uri}: Entra accepts https alone.", "Write https.")
    else:
        yield passed(TOPIC, f"Entra sends people to {uri} (REDIRECT_URI); register it.")
        yield passed(TOPIC, _describe_logout(urljoin(uri, reverse(LOGOUT))))
    if parts.hostname and not _is_allowed(uri):
        reason = f"The host of REDIRECT_URI, {parts.netloc}, is not in ALLOWED_HOSTS."
        yield failed(TOPIC, reason, "Add it to ALLOWED_HOSTS: the callback would answer 400.")


def _leads_to_callback(path: str) -> bool:
    prefix = get_script_prefix()
    local = "/" + path[len(prefix) :] if path.startswith(prefix) else path
    for code, _ in [*django_settings.LANGUAGES, (django_settings.LANGUAGE_CODE, "")]:
        with override(code):
            try:
                if resolve(local).view_name == CALLBACK:
                    return True
            except Resolver404:
                continue
    return False


def _look_at_url(settings: EntraSettings, url: str) -> Findings:
    origin = parse_origin(url)
    if origin is None:
        yield failed(TOPIC, "--url is no address.", "Write --url https://your.site.")
        return
    if not _is_allowed(url):
        reason = f"The site refuses the host of {origin}."
        yield failed(TOPIC, reason, "Add it to ALLOWED_HOSTS.")
        return
    if settings.redirect_uri:
        if parse_origin(settings.redirect_uri) != origin:
            reason = f"People who come to {origin} are first sent to the origin of REDIRECT_URI."
            yield passed(TOPIC, reason)
        return
    yield from _look_at_built(url, _build(url, CALLBACK))


def _look_at_built(url: str, uri: str) -> Findings:
    if url.startswith("https:") and not uri.startswith("https:"):
        reason = f"Behind a proxy that ends https, Entra gets {uri} and refuses it."
        fix = (
            "Set SECURE_PROXY_SSL_HEADER to the header your proxy sets and cleans, or REDIRECT_URI"
            " to the https address. Without a proxy in front there is nothing to do."
        )
        yield warned(TOPIC, reason, fix)
        return
    if not _is_accepted(uri):
        reason = f"Entra gets {uri}: it accepts https, and http for localhost alone."
        yield failed(TOPIC, reason, "Serve the site by https.")
        return
    if urlsplit(uri).scheme == "http" and urlsplit(uri).hostname != "localhost":
        reason = f"Entra gets {uri}; its portal registers http for the name localhost alone."
        yield warned(TOPIC, reason, "Open the site as http://localhost in development.")
        return
    yield passed(TOPIC, f"Entra sends people to {uri}; register it.")
    yield passed(TOPIC, _describe_logout(_build(url, LOGOUT)))


def _describe_logout(uri: str) -> str:
    return f"After a sign-out Entra sends people to {uri}; register it as a redirect URI too."


def _is_accepted(uri: str) -> bool:
    parts = urlsplit(uri)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")


def _is_allowed(url: str) -> bool:
    try:
        _make_request(url).get_host()
    except DisallowedHost:
        return False
    return True


def _build(url: str, name: str) -> str:
    return _make_request(url).build_absolute_uri(reverse(name))


def _make_request(url: str) -> HttpRequest:
    """A request as it arrives through a proxy that tells what these settings listen to."""
    parts = urlsplit(url)
    meta = {"HTTP_HOST": parts.netloc}
    if django_settings.USE_X_FORWARDED_HOST:
        meta |= {"HTTP_HOST": "127.0.0.1:8000", "HTTP_X_FORWARDED_HOST": parts.netloc}
    header = django_settings.SECURE_PROXY_SSL_HEADER
    if header and parts.scheme == "https":
        meta[header[0]] = header[1]
    return RequestFactory().get("/", **meta)  # type: ignore[arg-type]
