"""Which authorities are read, which issuers and endpoints they may have."""

from __future__ import annotations

import pytest

from django_entra_auth.oauth2.authority import CLOUDS, parse_authority, parse_origin
from django_entra_auth.oauth2.errors import ProtocolFailure
from django_entra_auth.oauth2.metadata import read_metadata
from tests.oauth2.scripted import CONSUMERS, OTHER_TENANT, TENANT

GLOBAL = "https://login.microsoftonline.com"
TEMPLATE = "{tenantid}"
CIAM = "https://contoso.ciamlogin.com/contoso.onmicrosoft.com"
B2C = "https://contoso.b2clogin.com/contoso.onmicrosoft.com/B2C_1_susi"


class TestParse:
    @pytest.mark.parametrize(
        ("url", "normal", "kind"),
        [
            (f"{GLOBAL}/{TENANT}", f"{GLOBAL}/{TENANT}", "entra"),
            (f"{GLOBAL}/{TENANT}/", f"{GLOBAL}/{TENANT}", "entra"),
            (f"{GLOBAL}/{TENANT}/v2.0", f"{GLOBAL}/{TENANT}", "entra"),
            (f"{GLOBAL}:443/common", f"{GLOBAL}/common", "entra"),
            (
                "https://LOGIN.microsoftonline.us/x.us",
                "https://login.microsoftonline.us/x.us",
                "entra",
            ),
            (CIAM, CIAM, "external_id"),
            ("https://contoso.ciamlogin.com/", CIAM, "external_id"),
            (B2C, B2C, "b2c"),
            (
                "https://contoso.b2clogin.com/tfp/contoso.onmicrosoft.com/b2c_1_x",
                "https://contoso.b2clogin.com/tfp/contoso.onmicrosoft.com/b2c_1_x",
                "b2c",
            ),
            (f"https://id.contoso.com/{TENANT}", f"https://id.contoso.com/{TENANT}", "custom"),
            ("https://id.contoso.com/t/B2C_1_x", "https://id.contoso.com/t/B2C_1_x", "b2c"),
        ],
    )
    def test_good(self, url, normal, kind):
        authority = parse_authority(url)
        assert (authority.url, authority.kind) == (normal, kind)
        assert authority.metadata_url == f"{normal}/v2.0/.well-known/openid-configuration"

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "login.microsoftonline.com/common",
            f"http://login.microsoftonline.com/{TENANT}",
            f"ftp://login.microsoftonline.com/{TENANT}",
            GLOBAL,
            f"{GLOBAL}/",
            f"{GLOBAL}/{TENANT}/extra",
            f"{GLOBAL}/{TENANT}?p=policy",
            f"{GLOBAL}/{TENANT}#x",
            f"https://user@login.microsoftonline.com/{TENANT}",
            f"https://user:pw@login.microsoftonline.com/{TENANT}",
            f"{GLOBAL}/..",
            f"{GLOBAL}/%2e%2e",
            f"{GLOBAL}\\@evil.example/{TENANT}",
            f"{GLOBAL}/{TENANT}\n",
            f"{GLOBAL}/{TENANT} ",
            f"https://evil.example\t/{TENANT}",
            "https://adfs.contoso.com/adfs",
            "https://contoso.b2clogin.com/contoso.onmicrosoft.com",
            "https://id.contoso.com/a/b/c/d",
            None,
            7,
        ],
    )
    def test_bad(self, url):
        with pytest.raises(ValueError, match="authority"):
            parse_authority(url)

    @pytest.mark.parametrize(
        "host",
        ["http://localhost:8400", "https://127.0.0.1:1", "http://[::1]:1", "http://a.localhost"],
    )
    def test_loopback_only_when_allowed(self, host):
        with pytest.raises(ValueError, match="loopback"):
            parse_authority(f"{host}/{TENANT}")
        assert parse_authority(f"{host}/{TENANT}", allow_loopback=True).url == f"{host}/{TENANT}"

    def test_allowing_loopback_allows_no_other_http(self):
        with pytest.raises(ValueError, match="https"):
            parse_authority(f"http://login.microsoftonline.com/{TENANT}", allow_loopback=True)

    def test_no_host_is_in_two_clouds(self):
        hosts = [host for cloud in CLOUDS for host in cloud]
        assert len(hosts) == len(set(hosts))


class TestIssuer:
    @pytest.mark.parametrize(
        ("authority", "issuer", "tenant"),
        [
            (f"{GLOBAL}/{TENANT}", f"{GLOBAL}/{TENANT}/v2.0", TENANT),
            (f"{GLOBAL}/{TENANT.upper()}", f"{GLOBAL}/{TENANT}/v2.0", TENANT),
            (f"{GLOBAL}/contoso.onmicrosoft.com", f"{GLOBAL}/{TENANT}/v2.0", TENANT),
            (f"https://login.windows.net/{TENANT}", f"{GLOBAL}/{TENANT}/v2.0", TENANT),
            (f"{GLOBAL}/common", f"{GLOBAL}/{TEMPLATE}/v2.0", None),
            (f"{GLOBAL}/organizations", f"{GLOBAL}/{TEMPLATE}/v2.0", None),
            (f"{GLOBAL}/consumers", f"{GLOBAL}/{CONSUMERS}/v2.0", CONSUMERS),
            (
                f"https://login.chinacloudapi.cn/{TENANT}",
                f"https://login.partner.microsoftonline.cn/{TENANT}/v2.0",
                TENANT,
            ),
            (
                f"https://login.usgovcloudapi.net/{TENANT}",
                f"https://login.microsoftonline.us/{TENANT}/v2.0",
                TENANT,
            ),
            (CIAM, f"https://{TENANT}.ciamlogin.com/{TENANT}/v2.0", TENANT),
            (
                f"https://id.contoso.com/{TENANT}",
                f"https://{TENANT}.ciamlogin.com/{TENANT}/v2.0",
                TENANT,
            ),
            (f"https://id.contoso.com/{TENANT}", f"https://id.contoso.com/{TENANT}/v2.0", TENANT),
            (B2C, f"https://contoso.b2clogin.com/{TENANT}/v2.0/", TENANT),
            (B2C, f"https://contoso.b2clogin.com/tfp/{TENANT}/b2c_1_susi/v2.0/", TENANT),
        ],
    )
    def test_accepted(self, authority, issuer, tenant):
        assert parse_authority(authority).read_issuer(issuer) == tenant

    @pytest.mark.parametrize(
        ("authority", "issuer"),
        [
            (f"{GLOBAL}/{TENANT}", f"{GLOBAL}/{OTHER_TENANT}/v2.0"),
            (f"{GLOBAL}/{TENANT}", f"{GLOBAL}/{TEMPLATE}/v2.0"),
            (f"{GLOBAL}/{TENANT}", f"{GLOBAL}/{TENANT}/v2.0/"),
            (f"{GLOBAL}/{TENANT}", f"{GLOBAL}/{TENANT}"),
            (f"{GLOBAL}/{TENANT}", f"https://sts.windows.net/{TENANT}/"),
            (f"{GLOBAL}/{TENANT}", f"http://login.microsoftonline.com/{TENANT}/v2.0"),
            (f"{GLOBAL}/{TENANT}", f"https://evil.example/{TENANT}/v2.0"),
            (f"{GLOBAL}/{TENANT}", f"https://login.microsoftonline.us/{TENANT}/v2.0"),
            (f"{GLOBAL}/{TENANT}", f"https://login.microsoftonline.com@evil.example/{TENANT}/v2.0"),
            (f"{GLOBAL}/contoso.onmicrosoft.com", f"{GLOBAL}/contoso.onmicrosoft.com/v2.0"),
            (f"{GLOBAL}/contoso.onmicrosoft.com", f"{GLOBAL}/{TEMPLATE}/v2.0"),
            (f"{GLOBAL}/common", f"{GLOBAL}/{TENANT}/v2.0"),
            (f"{GLOBAL}/common", f"https://evil.example/{TEMPLATE}/v2.0"),
            (f"{GLOBAL}/consumers", f"{GLOBAL}/{TENANT}/v2.0"),
            (CIAM, f"{GLOBAL}/{TENANT}/v2.0"),
            (CIAM, f"https://{OTHER_TENANT}.ciamlogin.com/{TENANT}/v2.0"),
            (CIAM, f"https://evil.ciamlogin.com/{TENANT}/v2.0"),
            (B2C, f"https://contoso.b2clogin.com/{TENANT}/v2.0"),
            (B2C, f"https://fabrikam.b2clogin.com/{TENANT}/v2.0/"),
            (B2C, f"https://contoso.b2clogin.com/tfp/{TENANT}/b2c_1_other/v2.0/"),
            (B2C, "https://contoso.b2clogin.com/contoso.onmicrosoft.com/v2.0/"),
            (f"{GLOBAL}/{TENANT}", None),
            (f"{GLOBAL}/{TENANT}", 7),
            (f"{GLOBAL}/{TENANT}", ""),
        ],
    )
    def test_refused(self, authority, issuer):
        with pytest.raises(ValueError, match="issuer"):
            parse_authority(authority).read_issuer(issuer)

    def test_a_local_one_may_speak_as_external_id_does(self):
        """So that its shape can be tried on this machine, where no issuer protects anybody."""
        local = parse_authority(f"http://localhost:8400/{TENANT}", allow_loopback=True)
        assert local.read_issuer(f"https://{TENANT}.ciamlogin.com/{TENANT}/v2.0") == TENANT
        for issuer in (
            f"https://{OTHER_TENANT}.ciamlogin.com/{TENANT}/v2.0",
            f"https://{OTHER_TENANT}.ciamlogin.com/{OTHER_TENANT}/v2.0",
            f"{GLOBAL}/{TENANT}/v2.0",
        ):
            with pytest.raises(ValueError, match="issuer"):
                local.read_issuer(issuer)
        with pytest.raises(ValueError, match="issuer"):
            parse_authority(f"{GLOBAL}/{TENANT}").read_issuer(
                f"https://{TENANT}.ciamlogin.com/{TENANT}/v2.0"
            )


@pytest.mark.parametrize("url", [f"{GLOBAL}/{TENANT}", CIAM, B2C])
def test_only_b2c_is_asked_for_less(url):
    authority = parse_authority(url)
    is_b2c = url == B2C
    assert authority.adapt_prompt("select_account") == ("login" if is_b2c else "select_account")
    assert authority.adapt_prompt(None) is None
    assert authority.adapt_prompt("login") == "login"
    assert ("email" in authority.adapt_scopes(["openid", "email"])) is not is_b2c


class TestEndpoints:
    @pytest.mark.parametrize(
        ("authority", "url"),
        [
            (f"{GLOBAL}/{TENANT}", f"{GLOBAL}/{TENANT}/oauth2/v2.0/token"),
            (f"{GLOBAL}/{TENANT}", f"{GLOBAL}/{TENANT}/keys?appid=1"),
            (f"{GLOBAL}/{TENANT}", "https://login.windows.net/x"),
            (
                f"https://login.chinacloudapi.cn/{TENANT}",
                "https://login.partner.microsoftonline.cn/x",
            ),
            (CIAM, "https://contoso.ciamlogin.com/x"),
            (B2C, "https://contoso.b2clogin.com/x?p=b2c_1_susi"),
        ],
    )
    def test_trusted(self, authority, url):
        assert parse_authority(authority).trusts_endpoint(url)

    @pytest.mark.parametrize(
        "url",
        [
            "https://evil.example/x",
            "http://login.microsoftonline.com/x",
            "https://login.microsoftonline.com:8443/x",
            "https://login.microsoftonline.com.evil.example/x",
            "https://login.microsoftonline.com@evil.example/x",
            "https://evil.example#@login.microsoftonline.com/x",
            "https://evil.example\\.login.microsoftonline.com/x",
            "https://login.microsoftonline.us/x",
            "//login.microsoftonline.com/x",
            "/x",
            "javascript:alert(1)",
            "https://login.microsoftonline.com/x y",
            "https://login.microsoftonline.com/x\r\nHost: evil.example",
            "",
            None,
            7,
            ["https://login.microsoftonline.com/x"],
        ],
    )
    def test_untrusted(self, url):
        assert not parse_authority(f"{GLOBAL}/{TENANT}").trusts_endpoint(url)

    def test_other_customers_are_no_aliases(self):
        assert not parse_authority(CIAM).trusts_endpoint("https://fabrikam.ciamlogin.com/x")
        assert not parse_authority(B2C).trusts_endpoint("https://fabrikam.b2clogin.com/x")

    def test_loopback_is_one_origin(self):
        authority = parse_authority(f"http://localhost:8400/{TENANT}", allow_loopback=True)
        assert authority.trusts_endpoint("http://localhost:8400/x")
        for url in (
            "http://localhost:8401/x",
            "https://localhost:8400/x",
            "http://127.0.0.1:8400/x",
            f"{GLOBAL}/x",
        ):
            assert not authority.trusts_endpoint(url)

    def test_origin(self):
        assert parse_origin("https://A.example:443/x") == "https://a.example"
        assert parse_origin("http://a.example:443/x") == "http://a.example:443"


class TestMetadata:
    AUTHORITY = parse_authority(f"{GLOBAL}/{TENANT}")
    GOOD = {
        "issuer": f"{GLOBAL}/{TENANT}/v2.0",
        "authorization_endpoint": f"{GLOBAL}/{TENANT}/oauth2/v2.0/authorize",
        "token_endpoint": f"{GLOBAL}/{TENANT}/oauth2/v2.0/token",
        "jwks_uri": f"{GLOBAL}/{TENANT}/discovery/v2.0/keys",
        "end_session_endpoint": f"{GLOBAL}/{TENANT}/oauth2/v2.0/logout",
        "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
    }

    def test_good(self):
        metadata = read_metadata(self.GOOD, self.AUTHORITY)
        assert metadata.tenant_id == TENANT
        assert metadata.token_endpoint == self.GOOD["token_endpoint"]

    @pytest.mark.parametrize(
        "name", ["authorization_endpoint", "token_endpoint", "jwks_uri", "end_session_endpoint"]
    )
    @pytest.mark.parametrize(
        "url", ["https://evil.example/x", "http://login.microsoftonline.com/x", 7]
    )
    def test_each_endpoint_is_checked(self, name, url):
        with pytest.raises(ProtocolFailure) as caught:
            read_metadata({**self.GOOD, name: url}, self.AUTHORITY)
        result = caught.value.result
        assert result["error"] == "invalid_authority_metadata"
        assert result["category"] == "configuration"
        assert name in result["error_description"]
        assert "evil.example" not in result["error_description"]

    @pytest.mark.parametrize(
        "name", ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"]
    )
    def test_each_is_needed(self, name):
        document = {key: value for key, value in self.GOOD.items() if key != name}
        with pytest.raises(ProtocolFailure):
            read_metadata(document, self.AUTHORITY)

    def test_no_end_session_endpoint(self):
        document = {k: v for k, v in self.GOOD.items() if k != "end_session_endpoint"}
        assert read_metadata(document, self.AUTHORITY).end_session_endpoint is None
