"""The versions that are promised: every Python and Django together, oldest and newest dependencies.

`make matrix` runs it with the interpreters this machine has and names the ones it has not. What is
about browsers, outages, packaging or other people's packages stays with `make test`.
"""

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False

SUPPORTED = {
    "5.2": ["3.10", "3.11", "3.12", "3.13", "3.14"],
    "6.0": ["3.12", "3.13", "3.14"],
    "6.1": ["3.12", "3.13", "3.14"],
}
PAIRS = [(python, django) for django, pythons in SUPPORTED.items() for python in pythons]
ELSEWHERE = [
    f"--ignore=tests/{name}"
    for name in (
        "chaos",
        "docs",
        "e2e",
        "kit",
        "migration",
        "test_packaging.py",
        "test_public_api.py",
    )
]


@nox.session
@nox.parametrize("python,django", PAIRS, ids=[f"{p}-{d}" for p, d in PAIRS])
def newest(session: nox.Session, django: str) -> None:
    """The newest dependencies that each Django allows."""
    session.install("-e", ".[redis]", *_read_group(), f"django~={django}.0")
    _run_tests(session)


@nox.session(python="3.10")
def oldest(session: nox.Session) -> None:
    """The oldest dependencies that pyproject.toml allows, on the oldest Python."""
    project = nox.project.load_toml("pyproject.toml")["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["redis"]]
    session.install("-e", ".", *_read_group(), *(item.replace(">=", "==") for item in declared))
    _run_tests(session)


def _read_group() -> list[str]:
    declared = nox.project.load_toml("pyproject.toml")
    return list(nox.project.dependency_groups(declared, "pytest"))


def _run_tests(session: nox.Session) -> None:
    session.run("python", "-m", "django", "--version")
    session.run("python", "-m", "pytest", "-q", "-n", "auto", *ELSEWHERE, *session.posargs)
