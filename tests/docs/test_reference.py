"""The reference of views, request.entra, backend, exceptions, commands, URLs and oauth2 fits."""

from __future__ import annotations

import ast
import inspect
import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin import site
from django.core.management import load_command_class
from django.core.management.base import BaseCommand

import django_entra_auth
from django_entra_auth import exceptions, oauth2, testing, urls
from django_entra_auth.backends import EntraBackend
from django_entra_auth.decorators import entra_login_required
from django_entra_auth.doctor import TOPICS
from django_entra_auth.interaction.failures import FAILURES
from django_entra_auth.mixins import EntraLoginRequiredMixin
from django_entra_auth.models import EntraIdentity, EntraSignIn, TokenErrorRecord
from django_entra_auth.session import EntraSession
from django_entra_auth.session_entry import KEPT_CLAIMS
from django_entra_auth.testing import fixtures
from tests.docs.tables import REFERENCE, code, read, rows, section
from tests.test_public_api import PUBLIC

ADMIN_MODELS = (EntraIdentity, EntraSignIn, TokenErrorRecord)
COMMANDS = sorted(
    path.stem
    for path in (Path(django_entra_auth.__file__).parent / "management/commands").glob("*.py")
    if path.stem != "__init__"
)


def public_names(cls: type) -> set[str]:
    return {name for name in vars(cls) if not name.startswith("_")}


def documented_objects(page: str) -> set[str]:
    return set(re.findall(r"^\.\. auto\w+:: (\S+)$", read(page), re.MULTILINE))


def test_arguments_of_the_decorator() -> None:
    documented = {
        code(row[0])[0]: ast.literal_eval(code(row[1])[0])
        for row in rows(read("views"), "argument")
    }
    parameters = inspect.signature(entra_login_required).parameters
    assert documented == {n: p.default for n, p in parameters.items() if n != "view_func"}


def test_attributes_of_the_mixin() -> None:
    documented = {
        code(row[0])[0]: ast.literal_eval(code(row[1])[0])
        for row in rows(read("views"), "attribute")
    }
    names = {name for name in public_names(EntraLoginRequiredMixin) if name.startswith("entra_")}
    assert documented == {name: getattr(EntraLoginRequiredMixin, name) for name in names}


def test_members_of_request_entra() -> None:
    page = read("request-entra")
    documented = {code(row[0])[0] for row in rows(page, "member")}
    found = {
        f"{name}()" if inspect.isfunction(vars(EntraSession)[name]) else name
        for name in public_names(EntraSession)
    }
    assert documented == found
    listed = re.search(r":members: (.+)", page)
    assert listed
    own = {"sign_in_id", "heal"}
    assert set(listed[1].split(", ")) == public_names(EntraSession) - own


def test_claims_that_are_kept() -> None:
    lines = section(read("request-entra"), "## The claims that are kept").splitlines()
    assert code(next(line for line in lines if line.startswith("`tid`"))) == list(KEPT_CLAIMS)


def test_methods_of_the_backend() -> None:
    documented = {code(row[0])[0].partition("(")[0] for row in rows(read("backend"), "method")}
    own = {"authenticate", "aauthenticate", "path"}
    assert documented == (public_names(EntraBackend) - own) | {"user_can_authenticate"}
    for row in rows(read("backend"), "method"):
        name, arguments = code(row[0])[0].rstrip(")").split("(")
        parameters = list(inspect.signature(getattr(EntraBackend, name)).parameters)
        assert parameters == ["self", *arguments.split(", ")]


def test_the_tree_of_exceptions() -> None:
    (tree,) = re.findall(r"```text\n(.*?)```", read("exceptions"), re.DOTALL)
    assert inspect.cleandoc(tree) in inspect.cleandoc(exceptions.__doc__ or "").replace(
        "\n    ", "\n"
    )
    classes = {
        name
        for name, value in vars(exceptions).items()
        if isinstance(value, type) and value.__module__ == exceptions.__name__
    }
    documented = {name.rpartition(".")[2] for name in documented_objects("exceptions")}
    assert documented == set(exceptions.__all__)
    assert classes < documented
    assert classes == set(re.findall(r"\w+(?=\s{2,}|$)", tree, re.MULTILINE)) & classes


def test_reasons_of_a_refused_sign_in() -> None:
    documented = {code(row[0])[0]: row[1:] for row in rows(read("exceptions"), "reason")}
    assert documented == {
        reason: [str(failure.status), str(failure.title)] for reason, failure in FAILURES.items()
    }


def read_options(name: str) -> dict[str, Any]:
    def options(parser: ArgumentParser) -> dict[str, Any]:
        return {a.option_strings[0]: a for a in parser._actions if a.option_strings}

    command = load_command_class("django_entra_auth", name)
    every = options(BaseCommand().create_parser("manage.py", "none"))
    own = options(command.create_parser("manage.py", name))
    return {option: action for option, action in own.items() if option not in every}


@pytest.mark.parametrize("name", COMMANDS)
def test_options_of_commands(name: str) -> None:
    page = read("doctor") if name == "entra_doctor" else section(read("commands"), f"## {name}")
    documented = {code(row[0])[0].split()[0] for row in rows(page, "option")}
    assert documented == set(read_options(name))
    for row in rows(page, "option"):
        option, *value = code(row[0])[0].split()
        assert bool(value) == (read_options(name)[option].nargs != 0), option


def test_every_command_has_a_section() -> None:
    assert sorted(re.findall(r"^## (entra_\w+)$", read("commands"), re.MULTILINE)) == COMMANDS


def test_topics_of_the_doctor() -> None:
    assert [code(row[0])[0] for row in rows(read("doctor"), "topic")] == list(TOPICS)


def test_permissions_of_the_admin_pages() -> None:
    documented = {name for row in rows(read("admin"), "page") for name in code(row[2])}
    models = apps.get_app_config("django_entra_auth").get_models()
    own = {name for model in models for name, _ in model._meta.permissions}
    assert documented == own | {f"view_{model._meta.model_name}" for model in ADMIN_MODELS}


def test_filters_of_the_admin_pages() -> None:
    shown = {TokenErrorRecord: "Token errors", EntraSignIn: "Entra sign-ins"}
    documented = {row[0]: code(row[1]) for row in rows(read("admin"), "list")}
    assert documented == {
        title: [str(one.title) for one in site._registry[model].list_filter]  # type: ignore[union-attr]
        for model, title in shown.items()
    }


def test_urls() -> None:
    documented = {code(row[0])[0]: code(row[1])[0] for row in rows(read("urls"), "name")}
    assert documented == {one.name: str(one.pattern) for one in urls.urlpatterns}


def test_every_name_of_the_protocol_layer_is_described() -> None:
    documented = {name.rpartition(".")[2] for name in documented_objects("oauth2")}
    assert set(oauth2.__all__) == documented


def test_every_name_of_the_testing_kit_is_described() -> None:
    documented = {name.rpartition(".")[2] for name in documented_objects("testing")}
    assert set(testing.__all__) - {"Emulator", "Policy"} == documented
    assert {"`Emulator`", "`Policy`"} <= set(re.findall(r"`\w+`", read("testing")))
    assert sorted(fixtures.__all__) == sorted(
        code(row[0])[0] for row in rows(read("testing"), "fixture")
    )


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_on_a_page(module: str) -> None:
    pages = "\n".join(path.read_text() for path in REFERENCE.glob("*.md"))
    named = set(re.findall(r"`(?:[\w.]+\.)?(\w+)(?:\([^`]*\))?`", pages))
    named |= {name.rpartition(".")[2] for name in re.findall(r"(?m)^\.\. auto\w+:: (\S+)", pages)}
    internal = {"find_backend", "app_name", "urlpatterns"}
    assert PUBLIC[module] - internal <= named


def test_methods_of_the_client() -> None:
    client = oauth2.ConfidentialClientApplication
    documented = {code(row[0])[0].rstrip("()") for row in rows(read("oauth2"), "method")}
    assert documented == public_names(client) - {"authority", "client_id"}
