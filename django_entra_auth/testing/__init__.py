"""Helpers for the tests of projects that use this app.

Importing the package is cheap and needs no settings: `testing.settings` is for a settings module,
everything else is loaded when it is first asked for. The pytest fixtures are in
`django_entra_auth.testing.fixtures`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from django_entra_auth.testing.settings import TEST_TENANT_ID, minimal_settings

if TYPE_CHECKING:
    from django_entra_auth.emulator import Emulator, Policy
    from django_entra_auth.testing.browser import open_entra_page
    from django_entra_auth.testing.clients import asign_in, sign_in
    from django_entra_auth.testing.local_entra import EntraEmulatorMixin, use_emulator
    from django_entra_auth.testing.prompts import answer_prompt, assert_prompts

__all__ = [
    "TEST_TENANT_ID",
    "Emulator",
    "EntraEmulatorMixin",
    "Policy",
    "answer_prompt",
    "asign_in",
    "assert_prompts",
    "minimal_settings",
    "open_entra_page",
    "sign_in",
    "use_emulator",
]

_HOMES = {
    "Emulator": "django_entra_auth.emulator",
    "EntraEmulatorMixin": "django_entra_auth.testing.local_entra",
    "Policy": "django_entra_auth.emulator",
    "answer_prompt": "django_entra_auth.testing.prompts",
    "asign_in": "django_entra_auth.testing.clients",
    "assert_prompts": "django_entra_auth.testing.prompts",
    "open_entra_page": "django_entra_auth.testing.browser",
    "sign_in": "django_entra_auth.testing.clients",
    "use_emulator": "django_entra_auth.testing.local_entra",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
