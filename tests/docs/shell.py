"""Says what is wrong with a command of the documentation: does it exist, does it take this?"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from django.core.management import CommandError, get_commands, load_command_class

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# What a reader installs beside this project, as the pages say.
OTHER_DISTRIBUTIONS = {
    "celery",
    "django",
    "django-entra-auth",
    "gunicorn",
    "httpx",
    "msgraph-sdk",
    "uvicorn",
}
# Programs of other people whose arguments are not known here, and why a page needs them.
TAKEN_AS_THEY_ARE = {
    "cd": "goes to a folder",
    "mkdir": "makes one",
    "source": "enters a virtual environment",
    ".": "the same",
    "curl": "asks an address",
    "git": "gets the code",
    "redis-cli": "looks into Redis",
    "celery": "background work",
    "gunicorn": "serves a site",
    "uvicorn": "serves a site",
}


def read_commands(language: str, text: str) -> list[str]:
    """The commands of a block; in `console` blocks with prompts the other lines are output."""
    lines = text.replace("\\\n", " ").splitlines()
    prompted = [line[2:] for line in lines if line.startswith("$ ")]
    chosen = prompted if language == "console" and prompted else lines
    return [line for line in chosen if line.strip() and not line.lstrip().startswith("#")]


def find_problem(line: str) -> str | None:
    """What is wrong with one line, or None."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        return f"no shell line: {error}"
    for command in _split(words):
        if problem := _look(command):
            return problem
    return None


def _split(words: list[str]) -> list[list[str]]:
    commands: list[list[str]] = [[]]
    for word in words:
        if word in {"&&", "||", "|", ";", "&"}:
            commands.append([])
        else:
            commands[-1].append(word)
    return [command for command in commands if command]


def _look(words: list[str]) -> str | None:
    while words and (words[0] == "export" or re.fullmatch(r"[A-Z_][A-Z0-9_]*=.*", words[0])):
        words = words[1:]
    if not words:
        return None
    name, arguments = words[0].removeprefix("./"), words[1:]
    name = "python" if re.fullmatch(r"(.*/)?python[\d.]*", name) else name
    if name in TAKEN_AS_THEY_ARE:
        return None
    if name not in _LOOKS:
        return f"no test knows the program {name!r}; the first word of each line is a command"
    return _LOOKS[name](arguments)


def _look_at_python(words: list[str]) -> str | None:
    if words[:1] == ["manage.py"]:
        return _look_at_manage(words[1:])
    if words[:1] == ["-m"]:
        return _look_at_module(words[1], words[2:])
    if words[:1] == ["-c"]:
        compile(words[1], "-c", "exec")
        return None
    return None if words and (ROOT / words[0]).exists() else f"python runs nothing: {words}"


def _look_at_module(name: str, words: list[str]) -> str | None:
    if name == "pip":
        return _look_at_pip(words)
    if importlib.util.find_spec(name) is None:
        return f"no such module: {name}"
    if name == "django_entra_auth.emulator":
        return _look_at_manage(["entra_emulator", *words])
    return None


def _look_at_manage(words: list[str]) -> str | None:
    if not words:
        return "manage.py needs a command"
    name, arguments = words[0], words[1:]
    known = get_commands()
    if name not in known:
        return f"manage.py has no command {name!r}"
    app = known[name]
    command = load_command_class(app, name) if isinstance(app, str) else app
    parser = command.create_parser("manage.py", name)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            parser.parse_args(arguments)
    except (CommandError, SystemExit) as error:
        return None if "--help" in arguments else f"{' '.join(words)}: {error} {said.getvalue()}"
    return None


def _look_at_make(words: list[str]) -> str | None:
    makefile = (ROOT / "Makefile").read_text()
    for word in words:
        variable, is_set, _ = word.partition("=")
        if is_set and not re.search(rf"\b{variable}\b", makefile):
            return f"the Makefile has no variable {variable}"
        if not is_set and not re.search(rf"^{re.escape(word)}:", makefile, re.MULTILINE):
            return f"the Makefile has no target {word!r}"
    return None


def _look_at_pip(words: list[str]) -> str | None:
    if words[:1] not in (["install"], ["uninstall"]):
        return f"pip {words[0]}?"
    wanted = [w for w in words[1:] if not w.startswith("-") and not w.startswith(".")]
    for word in wanted:
        match = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[([\w,-]+)\])?([<>=!~].*)?", word)
        if match is None or match[1].lower() not in _distributions():
            return f"nothing in pyproject.toml is called {word!r}"
        extras = set((match[2] or "").split(",")) - {""}
        if match[1] == PROJECT["project"]["name"]:
            extras -= set(PROJECT["project"]["optional-dependencies"])
            if extras:
                return f"no such extra: {extras}"
    return None


@cache
def _distributions() -> set[str]:
    project = PROJECT["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    lists += PROJECT["dependency-groups"].values()
    named = {
        re.split(r"[\[<>=!~; ]", requirement)[0].lower()
        for requirements in lists
        for requirement in requirements
        if isinstance(requirement, str)
    }
    return named | OTHER_DISTRIBUTIONS | {project["name"]}


def _look_at_openssl(words: list[str]) -> str | None:
    program = shutil.which("openssl")
    if program is None:
        return None if words else "openssl what?"
    done = subprocess.run(
        [program, words[0], "-help"], capture_output=True, text=True, timeout=20, check=False
    )
    if done.returncode != 0:
        return f"openssl has no {words[0]!r}"
    options = {w for w in words[1:] if re.fullmatch(r"-[a-z]\w+", w)}
    known = set(re.findall(r"^ (-\w+)", done.stdout + done.stderr, re.MULTILINE))
    # A digest or a cipher is an option too, and is not listed.
    unknown = options - known - {"-sha256", "-sha384", "-sha512", "-aes256"}
    return f"openssl {words[0]} does not take {sorted(unknown)}" if unknown else None


def _look_at_pytest(words: list[str]) -> str | None:
    return None


def _look_at_uv(words: list[str]) -> str | None:
    if words[:2] == ["pip", "install"]:
        return _look_at_pip(words[1:])
    if words[:1] == ["run"]:
        return _look(words[1:])
    return None if words[:1] in (["sync"], ["add"]) else f"uv {words}?"


_LOOKS: dict[str, Callable[[list[str]], str | None]] = {
    "python": _look_at_python,
    "py": _look_at_python,
    "manage.py": _look_at_manage,
    "django-admin": _look_at_manage,
    "make": _look_at_make,
    "pip": _look_at_pip,
    "uv": _look_at_uv,
    "openssl": _look_at_openssl,
    "pytest": _look_at_pytest,
}
