"""What others may import: the names, and a type for each that a type checker can see."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent

PUBLIC: dict[str, set[str]] = {
    "backends": {"EntraBackend", "find_backend"},
    "cache": {"DjangoHTTPCache"},
    "decorators": {"entra_login_required"},
    "exceptions": {
        "ConfigurationRejected",
        "EntraAuthError",
        "InteractionRequired",
        "SignInFailed",
        "TemporarilyUnavailable",
        "TokenError",
        "TokenThrottled",
        "build_token_error",
    },
    "middleware": {"EntraAuthMiddleware"},
    "mixins": {"EntraLoginRequiredMixin"},
    "oauth2": {
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
    },
    "session": {"Account", "EntraHttpRequest", "EntraSession", "load_entra_session"},
    "shortcuts": {"challenge_response"},
    "signals": {"claims_challenged", "sign_in_failed", "signed_in", "signed_out", "token_error"},
    "testing": {
        "Emulator",
        "EntraEmulatorMixin",
        "Policy",
        "TEST_TENANT_ID",
        "answer_prompt",
        "asign_in",
        "assert_prompts",
        "minimal_settings",
        "open_entra_page",
        "sign_in",
        "use_emulator",
    },
    "urls": {"app_name", "urlpatterns"},
}


@pytest.mark.parametrize("name", PUBLIC)
def test_the_exported_names(name: str) -> None:
    module = import_module(f"django_entra_auth.{name}")
    assert find_names(module) == PUBLIC[name]


def find_names(module: Any) -> set[str]:
    """`__all__`, or what the module itself defines without an underscore in front."""
    if hasattr(module, "__all__"):
        return set(module.__all__)
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and getattr(value, "__module__", module.__name__) == module.__name__
    }


def test_every_public_name_has_a_type(tmp_path: Path) -> None:
    symbols = [one for one in verify_types(tmp_path) if is_public(one["name"])]
    assert len(symbols) > 300
    unknown = [
        f"{one['name']}: {[said['message'] for said in one['diagnostics']]}"
        for one in symbols
        if not one["isTypeKnown"] or one["isTypeAmbiguous"]
    ]
    assert unknown == [], "\n".join(unknown)


def verify_types(folder: Path) -> list[dict[str, Any]]:
    """Every exported symbol, as the type checker sees a copy that is installed elsewhere."""
    shutil.copytree(ROOT / "django_entra_auth", folder / "django_entra_auth")
    scripts = str(Path(sys.executable).parent)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "basedpyright",
            "--pythonpath",
            sys.executable,
            "--verifytypes",
            "django_entra_auth",
            "--ignoreexternal",
            "--outputjson",
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "PATH": f"{scripts}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    found = json.loads(done.stdout)["typeCompleteness"]
    assert Path(found["moduleRootDirectory"]).parent == folder, "another copy was looked at"
    return [one for one in found["symbols"] if one["isExported"]]


def is_public(symbol: str) -> bool:
    """Whether it belongs to a public module; a module's logger is nobody's interface."""
    module = symbol.split(".")[1]
    return module in PUBLIC and not symbol.endswith(".logger")
