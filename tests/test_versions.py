"""The versions that are promised are the same wherever they are written down."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent


def read(name: str) -> str:
    return (ROOT / name).read_text()


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def find_all(pattern: str, name: str) -> list[Any]:
    found = re.findall(pattern, read(name), re.MULTILINE)
    assert found, f"{name} has nothing like {pattern}"
    return found


@pytest.fixture(scope="module")
def supported() -> dict[str, list[str]]:
    """Django → its Pythons, as the matrix has them."""
    assigned = {
        target.id: node.value
        for node in ast.parse(read("noxfile.py")).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    supported: dict[str, list[str]] = ast.literal_eval(assigned["SUPPORTED"])
    return supported


@pytest.fixture(scope="module")
def pythons(supported: dict[str, list[str]]) -> list[str]:
    return sorted({one for some in supported.values() for one in some}, key=number)


@pytest.fixture(scope="module")
def djangos(supported: dict[str, list[str]]) -> list[str]:
    return sorted(supported, key=number)


def test_each_django_has_an_unbroken_run_of_pythons_up_to_the_newest(
    supported: dict[str, list[str]], pythons: list[str]
) -> None:
    for some in supported.values():
        assert some == pythons[-len(some) :]


def test_the_oldest_pair_comes_first(
    supported: dict[str, list[str]], pythons: list[str], djangos: list[str]
) -> None:
    assert next(iter(supported)) == djangos[0]
    assert supported[djangos[0]][0] == pythons[0]


def test_the_package_index_is_told_all_of_them(pythons: list[str], djangos: list[str]) -> None:
    named = find_all(r'"Programming Language :: Python :: (3\.\d+)"', "pyproject.toml")
    assert named == pythons
    assert find_all(r'"Framework :: Django :: ([\d.]+)"', "pyproject.toml") == djangos


def test_pip_refuses_what_is_older(pythons: list[str], djangos: list[str]) -> None:
    assert find_all(r'^requires-python = "(.+)"$', "pyproject.toml") == [f">={pythons[0]}"]
    assert find_all(r'^  "Django(.+)",$', "pyproject.toml") == [f">={djangos[0]}"]


def test_the_tools_judge_by_the_oldest(pythons: list[str], djangos: list[str]) -> None:
    (target,) = find_all(r'^target-version = "py3(\d+)"$', "pyproject.toml")
    assert f"3.{target}" == pythons[0]
    assert find_all(r'^python_version = "(.+)"$', "pyproject.toml") == [pythons[0]]
    assert set(find_all(r"djade .*--target-version ([\d.]+)", "Makefile")) == {djangos[0]}
    refused = find_all(r"sys\.version_info < \((\d+), (\d+)\)", "Makefile")
    assert {".".join(parts) for parts in refused} == {pythons[0]}


def test_the_readme_promises_the_same(supported: dict[str, list[str]]) -> None:
    rows = find_all(r"^\| ([\d., LTS]+) \| (3\.\d+) to (3\.\d+) \|$", "README.md")
    promised = {
        django: (first, last)
        for some, first, last in rows
        for django in re.findall(r"\d+\.\d+", some)
    }
    assert promised == {django: (some[0], some[-1]) for django, some in supported.items()}


def test_readers_are_asked_for_a_python_that_will_do(pythons: list[str]) -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    wanted = {
        (page.name, version)
        for page in pages
        for version in re.findall(r"Python (3\.\d+)(?:\+| or newer)", page.read_text())
    }
    assert {version for _, version in wanted} == {pythons[0]}, wanted


def test_the_public_host_runs_the_whole_matrix(pythons: list[str]) -> None:
    workflow = ".github/workflows/ci.yml"
    (listed,) = find_all(r"^ +python: \[(.+)\]$", workflow)
    assert re.findall(r'"([\d.]+)"', listed) == pythons
    # It has installed the interpreter: a session that finds none has to fail there.
    (asked,) = find_all(r'run: make matrix .*ARGS="(.+)"$', workflow)
    assert "--pythons ${{ matrix.python }}" in asked
    assert "--error-on-missing-interpreters" in asked
    assert set(find_all(r'python-version: "([\d.]+)"', workflow)) <= set(pythons)
