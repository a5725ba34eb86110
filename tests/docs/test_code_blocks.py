"""Every code block of README.md and docs/ is loaded, run or parsed; none can be left out."""

from __future__ import annotations

import configparser
import doctest
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from tests.docs import shell
from tests.docs.blocks import ROOT, Block, find_blocks, read_pages, split_files

LOAD_SECONDS = 300
RUN_SECONDS = 120
PAGES = read_pages()
BLOCKS = find_blocks(PAGES)
# Whole projects that tests run; pages show parts of them.
PROJECTS = sorted(ROOT.glob("tests/*/project"))
LOADED = {"python", "django", "html+django", "html"}
SHELLS = {"console", "bash", "sh"}
# Directives of MyST; the build of the site runs them. Admonitions are written with colons, so that
# code inside them is found.
DIRECTIVES = {"{eval-rst}", "{toctree}", "{figure}", "{image}", "{include}"}
AUTODOC = re.compile(r"(?m)^(?:\.\. auto\w+:: \S+|\s+:[\w-]+:.*|\s*)$")


@pytest.fixture(scope="module")
def loaded() -> dict[str, str | None]:
    return load_all(BLOCKS)


def load_all(blocks: list[Block]) -> dict[str, str | None]:
    """What is wrong with each Python and template block, None for those that load."""
    sent = [
        {
            "id": block.where,
            "language": "python" if block.language == "python" else "django",
            "files": split_files(block.text) if block.language == "python" else [("", block.text)],
        }
        for block in blocks
        if block.language in LOADED
    ]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", Path(__file__).with_name("loader.py")],
        input=json.dumps(sent),
        capture_output=True,
        text=True,
        timeout=LOAD_SECONDS,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, str | None] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.where)
def test_block(block: Block, request: pytest.FixtureRequest) -> None:
    problem = find_problem(block, lambda: request.getfixturevalue("loaded"))
    assert problem is None, block.fail(problem)


def find_problem(block: Block, load: Callable[[], dict[str, str | None]]) -> str | None:
    """What is wrong with a block, or None; `load` gives what `load_all` has found."""
    if block.language in LOADED:
        return None if is_excerpt(block) else load()[block.where]
    if block.language in SHELLS:
        return look_at_commands(block)
    if block.language in DIRECTIVES:
        return look_at_directive(block)
    if block.language in PARSERS:
        return parse(block)
    return f"no test knows the language {block.language!r}"


def is_excerpt(block: Block) -> bool:
    """Whether each file of a block stands word for word in a project that tests run."""
    return all(
        any(stands_in(project / name, text) for project in PROJECTS)
        for name, text in split_files(block.text)
    )


def stands_in(path: Path, text: str) -> bool:
    """The line that names the file is the page's own."""
    body = text.strip("\n").partition("\n")[2].strip("\n")
    return bool(body) and path.is_file() and body in path.read_text()


def look_at_directive(block: Block) -> str | None:
    """reStructuredText is for autodoc alone: code in it would escape the tests."""
    lines = block.text.splitlines() if block.language == "{eval-rst}" else []
    wrong = [line for line in lines if not AUTODOC.fullmatch(line)]
    return f"not autodoc: {wrong[0]!r}" if wrong else None


def look_at_commands(block: Block) -> str | None:
    commands = shell.read_commands(block.language, block.text)
    problems = (shell.find_problem(line) for line in commands)
    problem = next((found for found in problems if found), None)
    if not commands:
        return "there is no command in it"
    if problem and not block.info:
        return f"{problem} (an indented block holds commands; other code needs a fence)"
    return problem or (run(commands) if block.is_run else None)


def run(commands: list[str]) -> str | None:
    """Run commands marked with the word `run` behind the language, in the checkout."""
    folder = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-eu", "-c", "\n".join(commands)],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    if done.returncode == 0:
        return None
    return f"exit status {done.returncode}: {(done.stdout + done.stderr)[-1500:]}"


def parse(block: Block) -> str | None:
    try:
        return PARSERS[block.language](block.text)
    except (ValueError, SyntaxError, configparser.Error, yaml.YAMLError) as error:
        return f"{type(error).__name__}: {error}"


def parse_text(text: str) -> str | None:
    """Plain text is what people see or send; code in it would escape the tests."""
    code = re.search(
        r"^(?:import |from \w+ import|def |class |\$ |python |pip |manage\.py )", text, re.MULTILINE
    )
    return f"looks like code: {code[0]!r}" if code else None


def parse_http(text: str) -> str | None:
    first, _, rest = text.partition("\n")
    if not re.fullmatch(r"(?:[A-Z]+ \S+ HTTP/1\.1|HTTP/1\.1 \d{3} .+)", first):
        return f"neither a request nor a status line: {first!r}"
    fields = rest.partition("\n\n")[0].splitlines()
    wrong = [field for field in fields if not re.match(r"[\w-]+: \S|\s", field)]
    return f"no header field: {wrong[0]!r}" if wrong else None


def parse_nginx(text: str) -> str | None:
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    wrong = [line for line in lines if line and line[-1] not in "{};"]
    if wrong:
        return f"a directive ends with ; or a brace: {wrong[0]!r}"
    return None if text.count("{") == text.count("}") else "braces do not match"


def parse_javascript(text: str) -> str | None:
    node = shutil.which("node") or find_playwrights_node()
    done = subprocess.run(
        [node, "--check", "--input-type=module", "-"],
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stderr if done.returncode else None


def find_playwrights_node() -> str:
    from playwright._impl._driver import compute_driver_executable

    return str(compute_driver_executable()[0])


def parse_ini(text: str) -> None:
    configparser.ConfigParser(interpolation=None).read_string(text)


def parse_session(text: str) -> None:
    for example in doctest.DocTestParser().get_examples(text):
        compile(example.source, "session", "single")


PARSERS: dict[str, Callable[[str], object]] = {
    "json": lambda text: json.loads(text) and None,
    "ini": parse_ini,
    "toml": lambda text: tomllib.loads(text) and None,
    "yaml": lambda text: yaml.safe_load(text) and None,
    "pycon": parse_session,
    "text": parse_text,
    "http": parse_http,
    "nginx": parse_nginx,
    "javascript": parse_javascript,
    "js": parse_javascript,
}


def test_blocks_are_found() -> None:
    """The finder itself: fences of any length, in lists, and indented blocks."""
    fences = sum(
        len(re.findall(r"^[ \t]*(?:`{3,}|~{3,})[ \t]*\{?\w", page, re.MULTILINE))
        for page in PAGES.values()
    )
    assert sum(1 for block in BLOCKS if block.info) == fences


@pytest.mark.parametrize("path", PAGES)
def test_links_lead_to_files(path: str) -> None:
    links = re.findall(r"(?<!`)\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)", PAGES[path])
    missing = [link for link in links if not (ROOT / path).parent.joinpath(link).exists()]
    assert missing == []
