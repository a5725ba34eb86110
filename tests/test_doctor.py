"""The doctor: it finds each of many seeded misconfigurations, and names what mends it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf.urls.i18n import i18n_patterns
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.utils import timezone
from django.views.generic import View

from django_entra_auth.doctor import Finding, Options, credentials
from django_entra_auth.emulator import FABRIKAM_TENANT_ID
from django_entra_auth.emulator.faults import Fault
from django_entra_auth.mixins import EntraLoginRequiredMixin
from django_entra_auth.models import TokenErrorRecord
from tests.diagnosis import NO_CACHE, SITE, at, certificate, diagnose, local

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("entra_settings")]
OTHER = "99999999-2222-4333-8444-555555555555"
OFFLINE = Options(offline=True, skip=frozenset({"cache"}))


class Recent(EntraLoginRequiredMixin, View):
    entra_max_age = 300
    entra_auth_context = "c1"

    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse()


OURS = path("auth/", include("django_entra_auth.urls"))


class NoUrls:
    urlpatterns = [path("", Recent.as_view())]


class UrlsByLanguage:
    urlpatterns = [*i18n_patterns(OURS)]


class UrlsThatAsk:
    urlpatterns = [OURS, path("deep/", include([path("recent/", Recent.as_view())]))]


@dataclass(frozen=True)
class Case:
    """A misconfiguration, and words of the finding it has to lead to."""

    name: str
    topic: str
    status: str
    reason: str
    fix: str
    entra_auth: Callable[[], dict[str, Any]] = field(default=local)
    options: Options = OFFLINE
    changes: dict[str, Any] = field(default_factory=dict)
    seed: Callable[[Any], Any] = field(default=lambda entra: None)

    def __str__(self) -> str:
        return self.name


def without(*names: str) -> Callable[[], dict[str, Any]]:
    return lambda: {key: value for key, value in local().items() if key not in names}


def with_(**changes: Any) -> Callable[[], dict[str, Any]]:
    return lambda: local(**changes)


def authority(entra_auth: dict[str, Any], tenant: str) -> str:
    return str(entra_auth["AUTHORITY"].rpartition("/")[0] + f"/{tenant}")


def at_tenant(tenant: str, **changes: Any) -> Callable[[], dict[str, Any]]:
    return lambda: local(AUTHORITY=authority(local(), tenant), **changes)


def answer(endpoint: Any, body: dict[str, Any], status: int = 200) -> Callable[[Any], None]:
    fault = Fault(
        status=status, body=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    return lambda entra: entra.faults.add(endpoint, fault, times=None)


def foreign_endpoints(entra: Any) -> None:
    base = f"{entra.origin}/{entra.tenant_id}"
    document = {
        "issuer": f"{base}/v2.0",
        "authorization_endpoint": "https://evil.example/authorize",
        "token_endpoint": "https://evil.example/token",
        "jwks_uri": "https://evil.example/keys",
    }
    answer("discovery", document)(entra)


def no_auth_time(entra: Any) -> None:
    now = timezone.now()
    TokenErrorRecord.objects.create(
        kind="configuration", error="auth_time_missing", first_seen=now, last_seen=now, minute=1
    )


def unregister(entra: Any) -> None:
    entra.application.redirect_uris = ["https://elsewhere.example/auth/callback"]


MULTI = {"ALLOWED_TENANTS": [OTHER]}
ONLINE = at(SITE)
PROXIED = ["site.example.test"]

CASES = [
    Case("no-credential", "settings", "fail", "E001", "app registration",
         without("CLIENT_CREDENTIAL")),
    Case("peer-name", "settings", "fail", "unknown key 'CLIENT_SECRET'", "CLIENT_CREDENTIAL",
         with_(CLIENT_SECRET="hush-hush")),
    Case("no-allowed-tenants", "settings", "fail", "E004", "tenant GUIDs",
         at_tenant("organizations")),
    Case("emulator-unsaid", "settings", "fail", "E005", "LOCAL_EMULATOR",
         without("LOCAL_EMULATOR")),
    Case("emulator-in-production", "settings", "fail", "E006", "Remove",
         options=Options(offline=True, deploy=True, skip=frozenset({"cache"}))),
    Case("no-middleware", "settings", "fail", "E008", "EntraAuthMiddleware",
         changes={"MIDDLEWARE": []}),
    Case("no-backend", "settings", "fail", "E010", "EntraBackend",
         changes={"AUTHENTICATION_BACKENDS": ["django.contrib.auth.backends.ModelBackend"]}),
    Case("cache-alias-unknown", "settings", "fail", "E011", "CACHES", with_(CACHE_ALIAS="tokens")),
    Case("roles-unscoped", "roles", "fail", "without saying of which tenant", "tenant GUID",
         at_tenant("organizations", STAFF_ROLES=["Admin"], **MULTI)),
    Case("roles-of-strangers", "roles", "fail", "tenant that cannot sign in", "ALLOWED_TENANTS",
         at_tenant("organizations", STAFF_ROLES=[f"{FABRIKAM_TENANT_ID}:Admin"], **MULTI)),
    Case("superuser-not-staff", "roles", "warn", "not staff", "STAFF_ROLES",
         with_(SUPERUSER_ROLES=["Admin"])),
    Case("group-id-as-role", "roles", "warn", "GROUPS_CLAIM is 'roles'", "app role's value",
         with_(GROUP_MAPPING={OTHER: "editors"})),
    Case("group-name-as-id", "roles", "warn", "no object id", "object id",
         with_(GROUP_MAPPING={"Editors": "editors"}, GROUPS_CLAIM="groups")),
    Case("no-urls", "addresses", "fail", "no callback", "include(",
         changes={"ROOT_URLCONF": NoUrls}),
    Case("callback-by-language", "addresses", "warn", "/de/auth/callback", "i18n_patterns",
         changes={"ROOT_URLCONF": UrlsByLanguage}),
    Case("redirect-uri-elsewhere", "addresses", "fail", "has no callback", "/auth/callback",
         with_(REDIRECT_URI="https://site.example.test/auth/callback/")),
    Case("redirect-uri-http", "addresses", "fail", "https alone", "https",
         with_(REDIRECT_URI="http://site.example.test/auth/callback")),
    Case("redirect-uri-host", "addresses", "fail", "not in ALLOWED_HOSTS", "ALLOWED_HOSTS",
         with_(REDIRECT_URI="https://other.example/auth/callback")),
    Case("proxy-unheard", "addresses", "warn", "http://site.example.test/auth/callback",
         "SECURE_PROXY_SSL_HEADER", options=at("https://site.example.test", offline=True)),
    Case("host-refused", "addresses", "fail", "refuses the host", "ALLOWED_HOSTS",
         options=at("https://other.example", offline=True)),
    Case("plain-http", "addresses", "fail", "https, and http for localhost", "https",
         options=at("http://site.example.test", offline=True)),
    Case("loopback-by-number", "addresses", "warn", "127.0.0.1", "http://localhost",
         options=at("http://127.0.0.1:8000", offline=True)),
    Case("no-auth-time", "claims", "fail", "auth_time was missing", "optional claim auth_time",
         seed=no_auth_time),
    Case("max-age-views", "claims", "warn", "views with max_age", "optional claim auth_time",
         changes={"ROOT_URLCONF": UrlsThatAsk}),
    Case("context-views", "claims", "warn", "acrs", "Conditional Access policy",
         changes={"ROOT_URLCONF": UrlsThatAsk}),
    Case("e-mail-of-many", "claims", "warn", "xms_edov", "xms_edov",
         at_tenant("organizations", **MULTI)),
    Case("guests-without-acct", "claims", "warn", "acct", "acct", with_(BLOCK_GUESTS=True)),
    Case("own-claim", "claims", "warn", "employeeid", "app registration",
         with_(CLAIM_MAPPING={"last_name": "employeeid"})),
    Case("too-many-groups", "claims", "warn", "200 groups", "app roles",
         with_(GROUP_MAPPING={OTHER: "editors"}, GROUPS_CLAIM="groups")),
    Case("certificate-ends", "credentials", "warn", "ends in 9 days", "new one",
         lambda: local(CLIENT_CREDENTIAL=certificate(days=9.5))),
    Case("certificate-ended", "credentials", "fail", "ended on", "new one",
         lambda: local(CLIENT_CREDENTIAL=certificate(days=-1))),
    Case("certificate-unreadable", "credentials", "fail", "cannot be read", "CLIENT_CREDENTIAL",
         with_(CLIENT_CREDENTIAL={"private_key_pfx_path": "/nowhere.pfx"})),
    Case("secret-wrong", "credentials", "fail", "AADSTS7000215", "secret",
         with_(CLIENT_CREDENTIAL="wrong-secret"), ONLINE),
    Case("first-secret-rejected", "credentials", "warn", "rejects the secret 1", "off the list",
         lambda: local(CLIENT_CREDENTIAL=["old-secret", local()["CLIENT_CREDENTIAL"]]), ONLINE),
    Case("tenant-unknown", "discovery", "fail", "AADSTS90002", "TENANT_ID",
         at_tenant(OTHER), ONLINE),
    Case("entra-unreachable", "discovery", "fail", "cannot be asked", "PROXIES",
         with_(AUTHORITY=f"http://localhost:9/{OTHER}"), ONLINE),
    Case("entra-in-trouble", "discovery", "fail", "does not describe itself", "few minutes",
         options=ONLINE, seed=answer("discovery", {}, status=503)),
    Case("endpoints-elsewhere", "discovery", "fail", "not on the host", "AUTHORITY",
         options=ONLINE, seed=foreign_endpoints),
    Case("no-keys", "keys", "fail", "no key", "AUTHORITY",
         options=ONLINE, seed=answer("keys", {"keys": []})),
    Case("clock-ahead", "clock", "fail", "is ahead", "NTP",
         options=at(SITE, clock=lambda: time.time() + 600)),
    Case("clock-behind", "clock", "warn", "is behind", "NTP",
         options=at(SITE, clock=lambda: time.time() - 60)),
    Case("client-unknown", "registration", "fail", "AADSTS700016", "CLIENT_ID",
         with_(CLIENT_ID=OTHER), ONLINE),
    Case("redirect-uri-unknown", "registration", "fail", "AADSTS50011", "redirect URI",
         options=ONLINE, seed=unregister),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_misconfiguration_is_found_with_what_mends_it(case: Case, entra: Any) -> None:
    case.seed(entra)
    found = diagnose(case.entra_auth(), case.options, **case.changes)
    matching = [one for one in found if one.topic == case.topic and case.reason in one.reason]
    assert matching, found
    assert {one.status for one in matching} == {case.status}
    assert any(case.fix.lower() in one.fix.lower() for one in matching), matching
    assert all(one.reason and (one.fix or one.status in {"pass", "skip"}) for one in found), found


def test_a_sound_site_passes_everything(entra: Any) -> None:
    found = diagnose(options=at(SITE))
    assert {one.topic for one in of(found, "pass")} >= {
        "roles", "addresses", "claims", "credentials", "discovery", "keys", "clock", "registration",
    }  # fmt: skip
    assert of(found, "fail") == []
    assert ["W002" in one.reason for one in of(found, "warn")] == [True]
    assert of(found, "skip") == []


def of(found: list[Finding], status: str) -> list[Finding]:
    return [one for one in found if one.status == status]


def test_offline_asks_entra_nothing(entra: Any) -> None:
    diagnose(options=OFFLINE)
    assert entra.requests == []


def test_a_proxy_that_is_listened_to_gives_the_address_it_was_asked_for(entra: Any) -> None:
    heard = {
        "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
        "USE_X_FORWARDED_HOST": True,
        "FORCE_SCRIPT_NAME": None,
    }
    found = diagnose(options=at("https://site.example.test", offline=True), **heard)
    addresses = [one for one in found if one.topic == "addresses"]
    assert {one.status for one in addresses} == {"pass"}
    assert "https://site.example.test/auth/callback" in addresses[0].reason
    assert "https://site.example.test/auth/logout/" in addresses[1].reason


def test_a_shared_authority_is_tried_at_a_listed_tenant(entra: Any) -> None:
    settings = at_tenant("organizations", ALLOWED_TENANTS=[entra.tenant_id])()
    found = diagnose(settings, at(SITE))
    assert any(one.reason == "Entra accepts the secret 1." for one in found), found
    found = diagnose({**settings, "ALLOWED_TENANTS": ["*"]}, at(SITE))
    assert [one.topic for one in of(found, "skip")] == ["credentials"]


def test_what_the_project_s_own_code_raises_stops_one_examination_alone(entra: Any) -> None:
    def assertion() -> str:
        raise RuntimeError("password=hush-hush")

    found = diagnose(local(CLIENT_CREDENTIAL={"client_assertion": assertion}), at(SITE))
    (broken,) = of(found, "fail")
    assert broken.topic == "credentials"
    assert "RuntimeError" in broken.reason
    assert "hush" not in repr(found)
    assert any(one.topic == "discovery" and one.status == "pass" for one in found)


def test_no_shared_cache_entry_is_read_or_left(entra: Any) -> None:
    """A throttle or a document kept there must not stand between the doctor and Entra."""
    diagnose(options=at(SITE))
    first = len(entra.requests)
    diagnose(options=at(SITE))
    assert len(entra.requests) == 2 * first > 0


def test_everything_can_be_skipped() -> None:
    from django_entra_auth.doctor import TOPICS

    assert diagnose(options=Options(skip=frozenset(TOPICS))) == []
    assert NO_CACHE.skip == {"cache"}


def test_the_end_of_a_certificate_is_read_with_an_older_cryptography_too() -> None:
    naive = timezone.now().replace(microsecond=0, tzinfo=None)
    found = credentials._read_end(SimpleNamespace(not_valid_after=naive))  # type: ignore[arg-type]
    assert found.utcoffset() == timedelta(0)
    assert found.replace(tzinfo=None) == naive
