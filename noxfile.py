"""The versions that are promised: every Python and Django together, oldest and newest dependencies.

`make matrix` runs it with the interpreters this machine has; its closing lines name each pair as
success, failed or skipped, and for the skipped ones the interpreter that is missing.
"""

import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.10.14"
nox.options.default_venv_backend = "venv"
# A missing interpreter is told and forgiven, on a CI system too: the workflow, which installs each
# of them, asks for the opposite.
nox.options.error_on_missing_interpreters = False
nox.options.download_python = "never"

SUPPORTED = {
    "5.2": ["3.10", "3.11", "3.12", "3.13", "3.14"],
    "6.0": ["3.12", "3.13", "3.14"],
    "6.1": ["3.12", "3.13", "3.14"],
}
PAIRS = [(python, django) for django, pythons in SUPPORTED.items() for python in pythons]
OLDEST = PAIRS[0]

# What `make test` tries once, because no Python, Django or dependency changes its answer.
ELSEWHERE = [
    f"--ignore=tests/{name}"
    for name in (
        "admin/test_speed.py",  # a hundred thousand rows
        "cache/test_shared_throttle.py",  # four processes, for seconds
        "cache/test_stampede.py",
        "chaos",  # a Redis that dies under traffic, for minutes
        "docs",  # what the pages say
        "e2e",  # what browsers do
        "interop",  # msal, at one version
        "kit/test_browser.py",
        "kit/test_users_project.py",
        "migration",  # other people's packages, which promise other versions
        "test_packaging.py",  # the wheel: one for all
        "test_public_api.py",
        "test_versions.py",
        "translations/test_catalogues.py",  # committed texts
        "translations/test_sources.py",
    )
]


# All that tests read besides the installed package.
BESIDE_THE_WHEEL = (
    ".github",
    "CHANGELOG.md",
    "Makefile",
    "README.md",
    "demo_project",
    "docs",
    "manage.py",
    "noxfile.py",
    "pyproject.toml",
    "templates",
    "tests",
)


@nox.session
@nox.parametrize("python,django", PAIRS, ids=[f"py{p}-django{d}" for p, d in PAIRS])
def newest(session: nox.Session, django: str) -> None:
    """The newest dependencies that each Django allows."""
    session.install("-e", ".[redis]", *_read_group(), f"django~={django}.0")
    _run_tests(session)


@nox.session
@nox.parametrize("python,django", [OLDEST], ids=["py{}-django{}".format(*OLDEST)])
def oldest(session: nox.Session, django: str) -> None:
    """The oldest dependencies that pyproject.toml allows, on the oldest Python."""
    project = nox.project.load_toml("pyproject.toml")["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["redis"]]
    session.install("-e", ".", *_read_group(), *(item.replace(">=", "==") for item in declared))
    _run_tests(session)


@nox.session
def wheel(session: nox.Session) -> None:
    """The same tests against what people install, in a folder that has no package of ours."""
    folder = Path(session.create_tmp(), "elsewhere")
    shutil.rmtree(folder, ignore_errors=True)
    session.install("build")
    session.run("python", "-m", "build", "--wheel", "--outdir", str(folder / "dist"))
    (built,) = (folder / "dist").glob("*.whl")
    session.install(f"{built}[redis]", *_read_group())
    for name in BESIDE_THE_WHEEL:
        copy = shutil.copytree if Path(name).is_dir() else shutil.copy
        copy(name, folder / name)
    session.chdir(folder)
    # It extracts texts from a checkout.
    _run_tests(session, "--ignore=tests/translations/test_wording.py")


def _read_group() -> list[str]:
    declared = nox.project.load_toml("pyproject.toml")
    return list(nox.project.dependency_groups(declared, "pytest"))


def _run_tests(session: nox.Session, *more: str) -> None:
    session.run("python", "-m", "django", "--version")
    workers = ("-n", "auto", "--maxprocesses", "4")
    session.run("python", "-m", "pytest", "-q", *workers, *ELSEWHERE, *more, *session.posargs)
