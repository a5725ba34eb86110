"""Loads the Python and template blocks of the documentation in a process of their own.

Blocks connect receivers, register models and replace settings; nothing of it may reach the tests.
Reads a JSON list of {"id", "language", "files": [[name, text]]} and writes {"id": error or null}.
"""

from __future__ import annotations

import ast
import difflib
import importlib.util
import json
import os
import re
import sys
import traceback
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

ROOT = Path(__file__).parents[2]
# Packages that examples use and nothing here depends on: names of theirs are taken as they come.
STAND_INS = {
    "celery": "the how-to on background work",
    "django_htmx": "the how-to on htmx",
    "httpx": "another HTTP client than requests",
    "msgraph": "Microsoft's SDK",
    "ninja": "another kind of view",
    "opentelemetry": "the recipe for metrics",
    "rest_framework": "another kind of view",
    "social_core": "a package people move from",
}
TENANT = "11111111-2222-4333-8444-555555555555"
# A new project's settings, without this app: what a reader has before the first block.
START: dict[str, Any] = {
    "BASE_DIR": ROOT,
    "SECRET_KEY": "documentation-only-" + "x" * 40,
    "DEBUG": False,
    "ALLOWED_HOSTS": ["testserver"],
    "ROOT_URLCONF": "tests.site.urls",
    "STATIC_URL": "static/",
    "USE_TZ": True,
    "INSTALLED_APPS": [
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django.contrib.staticfiles",
    ],
    "MIDDLEWARE": [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    "AUTHENTICATION_BACKENDS": ["django.contrib.auth.backends.ModelBackend"],
    "TEMPLATES": [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [],
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    "CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    "ENTRA_AUTH": {"CLIENT_ID": "client", "CLIENT_CREDENTIAL": "secret", "TENANT_ID": TENANT},
}
# Shown to a reader as what they have now; it is another package's affair.
FOREIGN = re.compile(r"AUTH_ADFS|OIDC_|SOCIALACCOUNT_|ACCOUNT_|SOCIAL_AUTH_|CELERY_|REST_FRAMEWORK")


def main() -> None:
    """Load every block."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings.base"
    sys.meta_path.append(StandIns())  # type: ignore[arg-type]
    import django

    django.setup()
    make_tables()
    blocks, answer = json.load(sys.stdin), sys.stdout
    sys.stdout = sys.stderr  # what the blocks print
    # Settings name classes that a later block of the page defines.
    blocks.sort(key=lambda block: any(is_settings_file(*file) for file in block["files"]))
    json.dump({block["id"]: load(block) for block in blocks}, answer)


def make_tables() -> None:
    """Blocks for the shell ask the database."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0, stdout=sys.stderr)


def settings_last(files: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The files in an order in which they can be loaded."""
    return sorted(files, key=lambda file: is_settings_file(*file))


def is_settings_file(name: str, text: str) -> bool:
    """Whether a file of a block is run as settings."""
    if name:
        return "settings" in name
    try:
        return is_settings(ast.parse(text))
    except SyntaxError:
        return False


def load(block: Mapping[str, Any]) -> str | None:
    """What is wrong with a block, or None."""
    try:
        for number, (name, text) in enumerate(settings_last(block["files"])):
            if block["language"] == "python":
                load_python(f"{block['id']}#{number}", name, text)
            else:
                load_template(text)
    except BaseException as error:  # noqa: BLE001  a block may do anything
        return describe(error, block["id"])
    return None


def describe(error: BaseException, block: str) -> str:
    """The exception, and the line of the block it was raised on."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(block)]
    line = frames[-1].lineno if frames else getattr(error, "lineno", None)
    return f"{type(error).__name__}: {error} (line {line or '?'} of the block)"


def load_python(block: str, name: str, text: str) -> None:
    """Settings are run on top of a new project's and checked; anything else is imported."""
    ast.parse(text)
    if is_settings_file(name, text):
        load_settings(block, text)
    else:
        load_module(block, name, text)


def is_settings(tree: ast.Module) -> bool:
    """Whether nothing happens but imports and assignments to names in capitals."""
    assigned = [set_name(node) for node in tree.body if not is_passive(node)]
    return bool(assigned) and all(name is not None and name.isupper() for name in assigned)


def is_passive(node: ast.stmt) -> bool:
    """An import or a docstring."""
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_text or isinstance(node, ast.Import | ast.ImportFrom)


def set_name(node: ast.stmt) -> str | None:
    """The name an assignment changes; None for any other statement."""
    if isinstance(node, ast.Assign):
        target: ast.expr = node.targets[0]
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        target = node.target
    else:
        return None
    while isinstance(target, ast.Subscript | ast.Attribute):
        target = target.value
    return target.id if isinstance(target, ast.Name) else None


def load_settings(block: str, text: str) -> None:
    """Run the settings; raise for what Django's and our own checks call an error."""
    from copy import deepcopy

    from django.test import override_settings

    provide_environment(text)
    before = deepcopy(START)
    namespace: dict[str, Any] = deepcopy(START)
    exec(compile(text, block, "exec"), namespace)
    changed = {
        name: value
        for name, value in namespace.items()
        if name.isupper() and value != before.get(name)
    }
    refuse_misspelt(changed)
    with override_settings(**complete({**namespace, **changed}, changed)):
        check()


def provide_environment(text: str) -> None:
    """Something plausible for each variable that the settings read."""
    for name in re.findall(r"environ(?:\.get\(|\[)\s*[\"'](\w+)[\"']", text):
        os.environ.setdefault(name, TENANT if name.endswith("_ID") else f"value-of-{name}")


def refuse_misspelt(changed: Mapping[str, Any]) -> None:
    """Raise for a name that is nearly one of Django's."""
    from django.conf import global_settings

    known = {name for name in dir(global_settings) if name.isupper()} | set(START)
    for name in changed:
        if name in known or FOREIGN.match(name):
            continue
        if close := difflib.get_close_matches(name, known, n=1, cutoff=0.9):
            raise AssertionError(f"{name} is no setting of Django; {close[0]} is")


def complete(values: dict[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with whatever else the app needs, where the block leaves it to others."""
    whole = {name: value for name, value in values.items() if name.isupper()}
    if "django_entra_auth" not in whole["INSTALLED_APPS"]:
        whole["INSTALLED_APPS"] = [*whole["INSTALLED_APPS"], "django_entra_auth"]
    if "MIDDLEWARE" not in changed:
        whole["MIDDLEWARE"] = [
            *whole["MIDDLEWARE"],
            "django_entra_auth.middleware.EntraAuthMiddleware",
        ]
    if "AUTHENTICATION_BACKENDS" not in changed:
        ours = "django_entra_auth.backends.EntraBackend"
        whole["AUTHENTICATION_BACKENDS"] = [ours, *whole["AUTHENTICATION_BACKENDS"]]
    given = changed.get("ENTRA_AUTH", {})
    needed = dict(START["ENTRA_AUTH"])
    if "AUTHORITY" in given:
        needed.pop("TENANT_ID")
    whole["ENTRA_AUTH"] = {**needed, **given}
    whole.pop("BASE_DIR", None)
    return whole


def check() -> None:
    """Raise the first error that a check of Django or of this app finds."""
    from django.core.checks import ERROR, run_checks

    foreign = ("admin.", "auth.", "contenttypes.", "fields.", "models.", "staticfiles.", "urls.")
    for found in run_checks():
        text = f"{found.id}: {found.msg}"
        if found.level >= ERROR and not str(found.id).startswith(foreign):
            raise AssertionError(text)


def load_module(block: str, name: str, text: str) -> None:
    """Import the text as a module of a project."""
    from django.apps import apps

    label = re.sub(r"\W", "_", block)
    module = types.ModuleType(f"django_entra_auth.documentation.{label}")
    module.__file__ = block
    module.__dict__.update(what_a_reader_has(name, text))
    sys.modules[module.__name__] = module
    publish(name, module)
    models = dict(apps.all_models["django_entra_auth"])
    try:
        exec(compile(text, block, "exec"), module.__dict__)
    finally:
        apps.all_models["django_entra_auth"].clear()
        apps.all_models["django_entra_auth"].update(models)
        apps.clear_cache()
    patterns = module.__dict__.get("urlpatterns")
    if patterns:
        resolve(patterns)


def publish(path: str, module: types.ModuleType) -> None:
    """Let other blocks import the file by its path: `accounts/backends.py`."""
    names = path.removesuffix(".py").split("/") if path else []
    for depth in range(1, len(names)):
        parent = ".".join(names[:depth])
        if parent not in sys.modules:
            sys.modules[parent] = types.ModuleType(parent)
            sys.modules[parent].__path__ = []
    if len(names) > 1:
        sys.modules[".".join(names)] = module


def resolve(patterns: list[Any]) -> None:
    """Raise when a list of URL patterns is none."""
    from django.core.checks.urls import check_resolver
    from django.urls import URLResolver
    from django.urls.resolvers import RegexPattern

    urls = type("Urls", (), {"urlpatterns": patterns})
    if found := check_resolver(URLResolver(RegexPattern(r"^/"), urls)):
        raise AssertionError(str(found[0]))


def what_a_reader_has(name: str, text: str) -> dict[str, Any]:
    """What `startproject` has put into a file that a block only adds to."""
    if name.endswith("urls.py") or re.search(r"^urlpatterns \+=", text, re.MULTILINE):
        from django.contrib import admin
        from django.urls import include, path

        return {"urlpatterns": [], "path": path, "include": include, "admin": admin}
    return {}


def load_template(text: str) -> None:
    """Compile as a Django template; what it extends or includes has to exist."""
    from django.template import engines
    from django.template.loader import get_template

    engines["django"].from_string(text)
    for name in re.findall(r"{% (?:extends|include) \"([^\"]+)\"", text):
        if name.startswith(("django_entra_auth/", "admin/")):
            get_template(name)


class StandIns:
    """Finds the packages of STAND_INS that are not installed."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        """A loader for a module that has every attribute; None for all others."""
        if name.partition(".")[0] not in STAND_INS:
            return None
        return importlib.util.spec_from_loader(name, self, is_package=True)  # type: ignore[arg-type]

    def create_module(self, spec: Any) -> Any:
        """A package whose names are all there; decorators return what they decorate."""
        module = MagicMock(name=spec.name)
        module.__path__ = []
        module.__spec__ = spec
        module.shared_task = module.task = lambda *a, **k: a[0] if a and not k else (lambda f: f)
        return module

    def exec_module(self, module: object) -> None:
        """Nothing to run."""


if __name__ == "__main__":
    main()
