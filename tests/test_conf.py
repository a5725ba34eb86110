"""The settings dict: defaults, laziness, and a clear word about everything that is wrong in it."""

from __future__ import annotations

import base64
import copy
from collections.abc import Mapping
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from django_entra_auth.conf import (
    SETTING_FIELDS,
    EntraSettings,
    Problem,
    find_problems,
    get_settings,
)
from django_entra_auth.oauth2.authority import is_loopback

TENANT = "11111111-2222-4333-8444-555555555555"
OTHER_TENANT = "66666666-7777-4888-8999-aaaaaaaaaaaa"
MINIMAL: dict[str, Any] = {
    "CLIENT_ID": "3f2a6c1e-5b7d-4e90-a1c8-0d9e8f7a6b10",
    "CLIENT_CREDENTIAL": "a-very-secret-value",
    "TENANT_ID": "contoso.onmicrosoft.com",
}
LOCAL = "http://localhost:8400/contoso"
KEY = base64.b64encode(bytes(range(32))).decode()


def build(**changes: Any) -> EntraSettings:
    with override_settings(ENTRA_AUTH={**MINIMAL, **changes}):
        return get_settings()


def problems(**changes: Any) -> list[Problem]:
    return find_problems({**MINIMAL, **changes})


def codes(**changes: Any) -> list[str]:
    return [problem.code for problem in problems(**changes)]


def test_defaults_are_those_of_the_contract() -> None:
    built = build()
    expected = {
        "allowed_tenants": (),
        "authority": "https://login.microsoftonline.com/contoso.onmicrosoft.com",
        "block_guests": False, "ca_bundle": None, "cache_alias": "default",
        "claim_mapping": {"first_name": "given_name", "last_name": "family_name", "email": "email"},
        "client_capabilities": ("cp1",), "create_users": True, "domain_hint": None,
        "encryption_keys": None, "group_mapping": {}, "groups_claim": "roles",
        "http_timeout": (3.05, 10), "local_copy_seconds": 15, "local_emulator": False,
        "proxies": None, "redirect_uri": None, "rejection_cache_seconds": 60,
        "response_mode": "form_post", "resume_max_bytes": 262144, "revalidate_seconds": 3600,
        "scopes": (), "sign_in_max_seconds": 3600, "staff_roles": (), "step_up_seconds": 3600,
        "superuser_roles": (), "throttle_max_seconds": 3600, "throttle_seconds": 5,
        "token_error_retention_days": 30, "update_users": True,
        "username_claim": "preferred_username",
    }  # fmt: skip
    assert {name: getattr(built, name) for name in expected} == expected
    required = {"CLIENT_ID", "CLIENT_CREDENTIAL", "TENANT_ID"}
    assert {name.upper() for name in expected} | required == set(SETTING_FIELDS)


def test_authority_wins_over_the_tenant_and_loses_its_last_slash() -> None:
    built = build(AUTHORITY="https://login.microsoftonline.us/contoso/")
    assert built.authority == "https://login.microsoftonline.us/contoso"


def test_the_same_object_is_served_until_the_dict_is_replaced() -> None:
    with override_settings(ENTRA_AUTH=dict(MINIMAL)):
        first = get_settings()
        assert get_settings() is first
        with override_settings(ENTRA_AUTH={**MINIMAL, "BLOCK_GUESTS": True}):
            assert get_settings().block_guests is True
        assert get_settings().block_guests is False


def test_it_is_built_again_when_the_secret_key_is_replaced() -> None:
    with override_settings(ENTRA_AUTH=dict(MINIMAL), SECRET_KEY="one" * 20):
        before = get_settings().sealing_keys
        with override_settings(SECRET_KEY="two" * 20, SECRET_KEY_FALLBACKS=["one" * 20]):
            assert get_settings().sealing_keys == (b"two" * 20, *before)


def test_a_secret_key_of_bytes_is_taken() -> None:
    with override_settings(ENTRA_AUTH=dict(MINIMAL), SECRET_KEY=b"bytes" * 10):
        assert get_settings().sealing_keys == (b"bytes" * 10,)


def test_the_users_dict_is_never_changed_and_never_shared() -> None:
    raw = {
        **MINIMAL,
        "SCOPES": ["User.Read"],
        "CLAIM_MAPPING": {"email": "email"},
        "GROUP_MAPPING": {"a": ["One", "Two"]},
        "ALLOWED_TENANTS": [TENANT.upper()],
        "AUTHORITY": "https://login.microsoftonline.com/contoso/",
    }
    before = copy.deepcopy(raw)
    with override_settings(ENTRA_AUTH=raw):
        built = get_settings()
        assert find_problems(raw) == []
        assert raw == before
        raw["SCOPES"].append("Mail.Read")
        raw["CLAIM_MAPPING"]["first_name"] = "given_name"
        assert built.scopes == ("User.Read",)
        assert dict(built.claim_mapping) == {"email": "email"}


def test_the_built_settings_cannot_be_changed() -> None:
    built = build(GROUP_MAPPING={"a": "One"})
    with pytest.raises(AttributeError):
        built.block_guests = True  # type: ignore[misc]
    with pytest.raises(TypeError):
        built.claim_mapping["email"] = "upn"  # type: ignore[index]
    with pytest.raises(TypeError):
        built.group_mapping["b"] = "Two"  # type: ignore[index]


def test_secrets_are_absent_from_repr() -> None:
    with override_settings(SECRET_KEY="django-secret-" * 4, SECRET_KEY_FALLBACKS=["old-one-" * 8]):
        text = repr(build(ENCRYPTION_KEYS=[KEY]))
    for secret in ("a-very-secret-value", KEY, "django-secret-", "old-one-"):
        assert secret not in text
    assert MINIMAL["CLIENT_ID"] in text


def test_encryption_keys_take_the_place_of_the_secret_key() -> None:
    url_safe = base64.urlsafe_b64encode(b"\xff" * 32).decode()
    assert build(ENCRYPTION_KEYS=[url_safe, KEY]).sealing_keys[0] == b"\xff" * 32


def test_first_use_raises_with_the_text_of_the_check() -> None:
    bad = {**MINIMAL, "BLOCK_GUESTS": "yes"}
    (problem,) = find_problems(bad)
    with override_settings(ENTRA_AUTH=bad), pytest.raises(ImproperlyConfigured) as caught:
        get_settings()
    assert problem.message in str(caught.value)
    assert problem.hint in str(caught.value)


def test_first_use_of_bad_settings_raises_every_time_and_recovers() -> None:
    with override_settings(ENTRA_AUTH=None):
        for _ in range(2):
            with pytest.raises(ImproperlyConfigured, match="ENTRA_AUTH is not set"):
                get_settings()
    assert build().client_id == MINIMAL["CLIENT_ID"]


def test_no_message_repeats_a_secret() -> None:
    secret = "a-very-secret-value"
    assert secret not in repr(problems(CLIENT_CREDENTIAL=[[secret]], ENCRYPTION_KEYS=[secret]))


@pytest.mark.parametrize("raw", [None, 5, "text", [], [("CLIENT_ID", "x")], object()])
def test_something_that_is_no_dict_is_one_problem(raw: object) -> None:
    assert [problem.code for problem in find_problems(raw)] == ["E001"]


@pytest.mark.parametrize("key", ["CLIENT_ID", "CLIENT_CREDENTIAL", "TENANT_ID"])
def test_what_is_required_is_asked_for(key: str) -> None:
    raw = {name: value for name, value in MINIMAL.items() if name != key}
    (problem,) = find_problems(raw)
    assert problem.code == "E001"
    assert key in problem.message


def test_an_authority_stands_in_for_the_tenant() -> None:
    raw = {name: value for name, value in MINIMAL.items() if name != "TENANT_ID"}
    assert find_problems({**raw, "AUTHORITY": "https://contoso.ciamlogin.com/contoso"}) == []


MALFORMED: dict[str, list[Any]] = {
    "CLIENT_ID": ["", 5, None], "CLIENT_CREDENTIAL": ["", None, 5, [], {}, [""]],
    "TENANT_ID": [5, " "], "LOCAL_EMULATOR": ["yes", 1],
    "AUTHORITY": [
        "login.microsoftonline.com/contoso", "ftp://login.microsoftonline.com/contoso",
        "https:///contoso", "https://login.microsoftonline.com/contoso?x=1", 5,
        "https://[::1/contoso", "https://login.example\u2100/contoso",
        "https://login.microsoftonline.com",
        "https://login.microsoftonline.com/contoso/adfs/one/more",
    ],
    "ALLOWED_TENANTS": [TENANT, [5], [""], None], "SCOPES": ["User.Read", [None]],
    "DOMAIN_HINT": [5], "CLIENT_CAPABILITIES": ["cp1"], "CACHE_ALIAS": [None],
    "LOCAL_COPY_SECONDS": [-1, "15", True],
    "ENCRYPTION_KEYS": [
        KEY, ["short"], [base64.b64encode(b"x" * 16).decode()], ["\u20ac" * 43], [KEY, "no!"],
    ],
    "REDIRECT_URI": ["/auth/callback", "https://[/auth/callback"],
    "RESPONSE_MODE": ["fragment", ["query"]], "CREATE_USERS": [None], "UPDATE_USERS": ["no"],
    "CLAIM_MAPPING": [["email"], {1: "email"}, {"email": None}], "USERNAME_CLAIM": [None],
    "GROUPS_CLAIM": ["wids"],
    "GROUP_MAPPING": [["a"], {"": "One"}, {"a": None}, {"a": 5}, {"a": ["One", 2]}],
    "STAFF_ROLES": ["admin"], "SUPERUSER_ROLES": [[1]], "BLOCK_GUESTS": [0],
    "REVALIDATE_SECONDS": ["never"], "STEP_UP_SECONDS": [None],
    "SIGN_IN_MAX_SECONDS": [float("nan"), float("inf")], "RESUME_MAX_BYTES": [-5],
    "HTTP_TIMEOUT": [10, (3,), (0, 10), (3, None)], "PROXIES": ["http://proxy", {"https": 5}],
    "CA_BUNDLE": [5], "THROTTLE_SECONDS": ["5"], "THROTTLE_MAX_SECONDS": [None],
    "REJECTION_CACHE_SECONDS": [[]], "TOKEN_ERROR_RETENTION_DAYS": [{}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value"),
    [(key, value) for key, values in MALFORMED.items() for value in values],
    ids=lambda value: repr(value)[:40],
)
def test_a_malformed_value_is_a_problem_and_never_an_exception(key: str, value: Any) -> None:
    found = problems(**{key: value})
    assert [problem.code for problem in found] == ["E002"]
    assert f"'{key}'" in found[0].message
    assert found[0].hint


def test_every_key_has_a_malformed_value_in_this_file() -> None:
    assert set(MALFORMED) == set(SETTING_FIELDS)


WELL_FORMED: list[tuple[str, Any]] = [
    ("CLIENT_CREDENTIAL", ["new secret", "old secret"]),
    ("CLIENT_CREDENTIAL", {"private_key": "PEM", "public_certificate": "PEM"}),
    ("CLIENT_CREDENTIAL", {"client_assertion": lambda: "assertion"}), ("AUTHORITY", None),
    ("AUTHORITY", "https://contoso.b2clogin.com/contoso.onmicrosoft.com/b2c_1_sign_in"),
    ("ALLOWED_TENANTS", (TENANT,)), ("LOCAL_COPY_SECONDS", 0), ("ENCRYPTION_KEYS", [KEY]),
    ("ENCRYPTION_KEYS", None), ("REDIRECT_URI", "https://site.example/auth/callback"),
    ("RESPONSE_MODE", "query"), ("GROUPS_CLAIM", "groups"),
    ("GROUP_MAPPING", {"a": "One", "b": ["Two", "Three"]}), ("REVALIDATE_SECONDS", None),
    ("HTTP_TIMEOUT", [1, 2.5]), ("PROXIES", {"https": "http://proxy.example:3128"}),
    ("CA_BUNDLE", "/etc/ssl/bundle.pem"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), WELL_FORMED, ids=lambda value: repr(value)[:40])
def test_a_well_formed_value_is_taken(key: str, value: Any) -> None:
    assert problems(**{key: value}) == []


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("CLIENT_IDD", "CLIENT_ID"), ("client_id", "CLIENT_ID"), ("SCOPE", "SCOPES"),
        ("CLIENT_SECRET", "CLIENT_CREDENTIAL"), ("TENANT", "TENANT_ID"), ("SERVER", "AUTHORITY"),
        ("TIMEOUT", "HTTP_TIMEOUT"), ("RELYING_PARTY_ID", "CLIENT_ID"),
        ("OIDC_RP_CLIENT_SECRET", "CLIENT_CREDENTIAL"), ("oidc_rp_scopes", "SCOPES"),
        ("MIRROR_GROUPS", "GROUP_MAPPING"), ("BLOCK_GUEST_USERS", "BLOCK_GUESTS"),
        ("ALLOWED_TENNANTS", "ALLOWED_TENANTS"), ("STEPUP_SECONDS", "STEP_UP_SECONDS"),
    ],
)  # fmt: skip
def test_an_unknown_key_gets_a_suggestion(wrong: str, right: str) -> None:
    (problem,) = problems(**{wrong: "value"})
    assert problem.code == "E003"
    assert repr(wrong) in problem.message
    assert problem.hint == f"Did you mean {right}?"


@pytest.mark.parametrize("key", ["QWXZJ", 5, None, ("a",), ""])
def test_an_unknown_key_that_resembles_nothing_is_to_be_removed(key: Any) -> None:
    (problem,) = find_problems({**MINIMAL, key: 1})
    assert (problem.code, problem.hint) == ("E003", "Remove it.")


SHARED_AUTHORITIES = [
    *({"TENANT_ID": name} for name in ("common", "organizations", "consumers", "Common")),
    {"AUTHORITY": "https://login.microsoftonline.us/organizations/"},
    {"AUTHORITY": "https://login.microsoftonline.com/common/v2.0"},
    {"AUTHORITY": "https://login.microsoftonline.com/organizations/v2.0/"},
]


@pytest.mark.parametrize("authority", SHARED_AUTHORITIES, ids=repr)
def test_a_shared_authority_needs_its_tenants_named(authority: dict[str, str]) -> None:
    assert codes(**authority) == ["E004"]
    assert codes(**authority, ALLOWED_TENANTS=["*"]) == []
    assert codes(**authority, ALLOWED_TENANTS=[TENANT]) == []


@pytest.mark.parametrize("authority", SHARED_AUTHORITIES, ids=repr)
def test_a_shared_authority_is_known_as_one(authority: dict[str, str]) -> None:
    assert build(**authority, ALLOWED_TENANTS=[TENANT]).is_multi_tenant


def test_one_tenant_needs_no_list() -> None:
    assert not build(TENANT_ID=TENANT).is_multi_tenant


def test_tenants_are_compared_in_lower_case() -> None:
    assert build(ALLOWED_TENANTS=[TENANT.upper()]).allowed_tenants == (TENANT,)


@pytest.mark.parametrize(
    "authority",
    [
        LOCAL,
        "https://localhost:8443/contoso",
        "https://127.0.0.1:8443/contoso",
        "https://[::1]:8443/contoso",
        "https://entra.localhost/contoso",
    ],
)
def test_a_local_authority_has_to_be_said_out_loud(authority: str) -> None:
    assert codes(AUTHORITY=authority) == ["E005"]
    with pytest.raises(ImproperlyConfigured):
        build(AUTHORITY=authority)


def test_plain_http_to_elsewhere_is_refused() -> None:
    assert codes(AUTHORITY="http://login.microsoftonline.com/contoso") in (["E002"], ["E005"])


def test_a_local_authority_said_out_loud_is_used() -> None:
    assert build(AUTHORITY=LOCAL, LOCAL_EMULATOR=True).authority == LOCAL


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True), ("a.localhost", True), ("127.0.0.1", True), ("127.8.8.8", True),
        ("::1", True), ("localhost.example", False), ("notlocalhost", False),
        ("10.0.0.1", False), ("", False),
    ],
)  # fmt: skip
def test_loopback_names(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize(
    "field", ["is_superuser", "is_staff", "is_active", "password", "id", "pk", "groups"]
)
def test_no_claim_is_mapped_to_a_privilege(field: str) -> None:
    (problem,) = problems(CLAIM_MAPPING={"email": "email", field: "extension_field"})
    assert problem.code == "E002"
    assert repr(field) in problem.message


SEVERAL_TENANTS = [
    {"TENANT_ID": "organizations", "ALLOWED_TENANTS": ["*"]},
    {"TENANT_ID": "organizations", "ALLOWED_TENANTS": [TENANT]},
    {"ALLOWED_TENANTS": [TENANT, OTHER_TENANT]},
]
GRANTS = [
    {"STAFF_ROLES": ["admin"]},
    {"SUPERUSER_ROLES": ["admin"]},
    {"GROUP_MAPPING": {"admin": "Admins"}},
    {"STAFF_ROLES": [f"{TENANT}:admin", "admin"]},
    {"STAFF_ROLES": ["reports:admin"]},
]


@pytest.mark.parametrize("grant", GRANTS, ids=repr)
@pytest.mark.parametrize("tenants", SEVERAL_TENANTS, ids=repr)
def test_a_grant_without_its_tenant_is_a_problem(
    tenants: dict[str, Any], grant: dict[str, Any]
) -> None:
    assert codes(**tenants, **grant) == ["E007"]


@pytest.mark.parametrize("tenants", SEVERAL_TENANTS, ids=repr)
def test_a_grant_with_its_tenant_is_taken_in_any_spelling(tenants: dict[str, Any]) -> None:
    scoped = f"{TENANT.upper()}:Admin"
    built = build(**tenants, STAFF_ROLES=[scoped], GROUP_MAPPING={scoped: "Admins"})
    assert built.staff_roles == (f"{TENANT}:Admin",)
    assert dict(built.group_mapping) == {f"{TENANT}:Admin": "Admins"}


def test_a_bare_grant_is_fine_with_one_tenant() -> None:
    assert codes(STAFF_ROLES=["admin"], GROUP_MAPPING={"reports:admin": "Admins"}) == []


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
URL_LIKE = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "https://", "http://", "//", "https:"]),
    st.text("[]:@/?#%.\u2100\uff0f1azAZ", max_size=12),
    st.sampled_from(["", "/common", "/contoso", ":99999999"]),
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(sorted(SETTING_FIELDS)), ANYTHING | URL_LIKE))
def test_no_value_makes_the_check_fail_itself(raw: Mapping[str, Any]) -> None:
    for problem in find_problems({**MINIMAL, **raw}):
        assert problem.message
        assert problem.hint


@settings(max_examples=300)
@given(URL_LIKE)
def test_no_address_makes_the_check_fail_itself(url: str) -> None:
    find_problems({**MINIMAL, "AUTHORITY": url, "REDIRECT_URI": url})
