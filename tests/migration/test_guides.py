"""The guides say what is so: names on both sides exist, and the projects were moved as written."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.conf import global_settings
from django.template.loader import get_template

from django_entra_auth import signals
from django_entra_auth.backends import EntraBackend
from django_entra_auth.conf import SETTING_FIELDS
from django_entra_auth.conf.problems import PEER_NAMES
from django_entra_auth.oauth2 import ConfidentialClientApplication
from django_entra_auth.session import EntraSession
from django_entra_auth.urls import urlpatterns
from tests.docs.blocks import Block, find_blocks, split_files
from tests.docs.tables import code, rows, section

FOLDER = Path(__file__).parents[2] / "docs" / "how-to" / "migrate"
PROJECTS = Path(__file__).parent


def _adfs_settings() -> set[str]:
    source = _source("django_auth_adfs")
    return set(re.findall(r"^        self\.([A-Z_]+) = ", source, re.MULTILINE)) | {
        "SETTINGS_CLASS"
    }


def _mozilla_settings() -> set[str]:
    source = _source("mozilla_django_oidc")
    return set(re.findall(r"(?:import_from_settings|get_settings)\(\s*\"([A-Z_]+)\"", source))


def _allauth_settings() -> set[str]:
    from allauth.socialaccount.app_settings import AppSettings

    # How an account is called in the admin, and a constant: neither has to do with signing in.
    others = {"SOCIALACCOUNT_STR", "UID_MAX_LENGTH"}
    names = {name for name in vars(AppSettings) if name.isupper()} - others
    return {f"SOCIALACCOUNT_{name}" for name in names}


def _identity_parameters() -> set[str]:
    from identity.django import Auth
    from identity.web import WebFrameworkAuth

    return _parameters(Auth) | _parameters(WebFrameworkAuth)


def _msal_parameters() -> set[str]:
    import msal

    return _parameters(msal.ConfidentialClientApplication)


def _parameters(cls: type) -> set[str]:
    signature = inspect.signature(cls.__init__)  # type: ignore[misc]
    return set(signature.parameters) - {"self", "args", "kwargs"}


# By guide: the package, the head of its settings table, the project, all settings it has.
GUIDES: dict[str, tuple[str, str, str, Callable[[], set[str]]]] = {
    "from-django-auth-adfs": ("django_auth_adfs", "`AUTH_ADFS`", "adfs", _adfs_settings),
    "from-mozilla-django-oidc": (
        "mozilla_django_oidc",
        "mozilla-django-oidc",
        "mozilla",
        _mozilla_settings,
    ),
    "from-identity": ("identity", "`Auth(…)`", "identity", _identity_parameters),
    "from-allauth": ("allauth", "django-allauth", "allauth", _allauth_settings),
    "from-msal": ("msal", "`ConfidentialClientApplication(…)`", "msal", _msal_parameters),
}
ALL = pytest.mark.parametrize("guide", GUIDES)


def _source(package: str) -> str:
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0])
    return "\n".join(path.read_text() for path in sorted(folder.rglob("*.py")))


def _read(guide: str) -> str:
    return (FOLDER / f"{guide}.md").read_text()


def _read_prose(guide: str) -> str:
    """The guide without its code, whose comments look like headings."""
    return re.sub(r"^```.*?^```$", "", _read(guide), flags=re.MULTILINE | re.DOTALL)


def _settings_rows(guide: str) -> list[list[str]]:
    found = rows(section(_read_prose(guide), "## Settings"), GUIDES[guide][1])
    assert found
    return found


def _left_names(guide: str) -> list[str]:
    return [name for row in _settings_rows(guide) for name in code(row[0])]


@ALL
def test_names_of_the_package_exist_in_it(guide: str) -> None:
    source, prefix = _source(GUIDES[guide][0]), "SOCIALACCOUNT_"
    missing = [
        name
        for name in _left_names(guide)
        if not re.search(rf"\b{name}\b", source)
        and not re.search(rf"\b{name.removeprefix(prefix)}\b", source)
    ]
    assert missing == []


@ALL
def test_every_setting_of_the_package_is_spoken_of(guide: str) -> None:
    known = GUIDES[guide][3]()
    assert len(known) > 8
    names = _left_names(guide)
    assert len(names) == len(set(names))
    assert known - set(names) == set()


@ALL
def test_our_names_exist(guide: str) -> None:
    names = {name for row in _settings_rows(guide) for name in code(row[1])}
    assert {name for name in names if name not in SETTING_FIELDS} <= set(dir(global_settings))
    assert all(code(row[1]) or row[1] == "—" for row in _settings_rows(guide))
    assert all(row[2] for row in _settings_rows(guide))


@ALL
def test_checks_and_guides_agree_on_the_new_name(guide: str) -> None:
    """`manage.py check` answers an old name in ENTRA_AUTH with what the table says."""
    for left, right, _ in _settings_rows(guide):
        for name in code(left):
            if name in PEER_NAMES:
                assert PEER_NAMES[name] in code(right), name


@ALL
def test_addresses_of_both_exist(guide: str) -> None:
    text = section(_read_prose(guide), "## Addresses")
    ours = {str(pattern.pattern) for pattern in urlpatterns}
    ours |= {str(pattern.name) for pattern in urlpatterns}
    found = [
        row
        for head in ("django-auth-adfs", GUIDES[guide][1], "identity")
        for row in rows(text, head)
    ]
    assert found or guide == "from-msal"
    for left, right, _ in found:
        assert all(name in ours for name in code(right))
        # allauth makes some names of the provider's id.
        names = [re.sub(r"^(microsoft|openid_connect)_", "_", name) for name in code(left)]
        assert all(name in _source(GUIDES[guide][0]) for name in names), left


@ALL
def test_what_the_code_is_told_to_use_exists(guide: str) -> None:
    text = _read(guide)
    for name in re.findall(r"`request\.entra\.(\w+)", text):
        assert hasattr(EntraSession, name), name
    for name in re.findall(r"`(?:\w+\.)*(django_entra_auth/\w+\.html)`", text):
        get_template(name)
    for name in re.findall(r"the signal `(signed_\w+)`", text):
        assert hasattr(signals, name), name
    for name in re.findall(r"`(acquire_token_(?:for|on)_\w+)`", text):
        assert hasattr(ConfidentialClientApplication, name), name
    for name in re.findall(r"override `(\w+)`", text):
        assert hasattr(EntraBackend, name), name


def _lines(text: str) -> list[str]:
    """The lines that do something, without their indentation."""
    stripped = (line.strip() for line in text.splitlines())
    return [line for line in stripped if line and not line.startswith("#")]


def _is_within(wanted: Iterable[str], text: str) -> bool:
    """Whether all lines are in a file, in their order, imports aside."""
    have = iter(_lines(text))
    return all(line in have for line in wanted if not line.startswith(("import ", "from ")))


def _blocks(guide: str) -> list[Block]:
    blocks = find_blocks({guide: _read(guide)})
    return [block for block in blocks if block.language == "python"]


@ALL
def test_the_project_was_moved_by_what_is_written(guide: str) -> None:
    """Every line of the guide's files is in the project that has moved."""
    project, count = GUIDES[guide][2], 0
    for block in _blocks(guide):
        for name, text in split_files(block.text):
            files = list((PROJECTS / project).glob(f"after*/{Path(name).name}"))
            assert any(_is_within(_lines(text), file.read_text()) for file in files), block.where
            count += 1
    assert count >= 2


@ALL
def test_the_commands_that_were_tried_are_those_written(guide: str) -> None:
    from tests.migration import peers

    found = [peer for peer in vars(peers).values() if isinstance(peer, peers.Peer)]
    commands = [
        " ".join("users.csv" if word == "EXPORT" else word for word in command)
        for peer in found
        if peer.name == GUIDES[guide][2]
        for command in peer.linking
    ]
    assert commands or guide == "from-identity"
    for command in commands:
        assert f"$ python manage.py {command}\n" in _read(guide), command


def test_every_guide_is_tested() -> None:
    assert {path.stem for path in FOLDER.glob("from-*.md")} == set(GUIDES)
