"""The checks of code blocks: what is wrong is found and named, what is right passes."""

from __future__ import annotations

import pytest

from tests.docs.blocks import Block, find_blocks, split_files
from tests.docs.test_code_blocks import find_problem, load_all

VIEW = "from django_entra_auth.decorators import entra_login_required\n\n\n"
BACKEND = "class Ours(EntraBackend):\n    pass\n"
FILES = (
    "# settings.py\nAUTHENTICATION_BACKENDS = ['accounts.backends.Ours']\n\n"
    f"# accounts/backends.py\nfrom django_entra_auth.backends import EntraBackend\n{BACKEND}"
)
WRONG = [
    ("python", 'ENTRA_AUTH = {"CLIENT_IDD": "x"}', "unknown key 'CLIENT_IDD'"),
    ("python", "SECRET_KEYS = 'x'", "is no setting of Django"),
    ("python", "MIDDLEWARE = []", "django_entra_auth.E008"),
    ("python", "from django_entra_auth.decorators import nothing", "cannot import name"),
    ("python", f"{VIEW}@entra_login_required(age=3)\ndef view(request): ...", "unexpected keyword"),
    ("python", 'urlpatterns += [path("x/", nothing)]', "NameError"),
    ("python", "urlpatterns = [1]", "urls"),
    ("python", "def f(:", "SyntaxError"),
    ("django", "{% load nothing %}", "nothing"),
    ("django", '{% extends "django_entra_auth/nothing.html" %}', "TemplateDoesNotExist"),
    ("console", "$ python manage.py entra_doctor --nothing", "unrecognized arguments"),
    ("console", "$ python manage.py nothing", "no command 'nothing'"),
    ("console", "$ make nothing", "no target"),
    ("console", "$ make demo NOTHING=1", "no variable"),
    ("console", "$ pip install nothing", "nothing in pyproject.toml"),
    ("console", "$ pip install 'django-entra-conditional-access[nothing]'", "no such extra"),
    ("console", "$ nothing", "no test knows the program"),
    ("console", "$ python -m nothing", "no such module"),
    ("console", "$ openssl req -nothing", "-nothing"),
    ("bash run", "python -c 'raise SystemExit(3)'", "exit status 3"),
    ("", "CACHES = {}", "needs a fence"),
    ("json", '{"a": }', "JSONDecodeError"),
    ("ini", "a = 1", "MissingSectionHeaderError"),
    ("yaml", "a: [", "ParserError"),
    ("text", "import os", "looks like code"),
    ("nginx", "proxy_pass http://localhost", "ends with"),
    ("http", "GET\n", "status line"),
    ("javascript", "const x = ;", "SyntaxError"),
    ("{eval-rst}", ".. code-block:: python\n", "not autodoc"),
    ("ruby", "x", "no test knows the language"),
    ("(none)", "x", "no test knows the language"),
]
RIGHT = [
    ("python", 'ENTRA_AUTH = {"STAFF_ROLES": ["Admin"]}'),
    ("python", FILES),
    ("python", f"{VIEW}@entra_login_required(max_age=3)\ndef view(request): ...\n"),
    ("python", 'urlpatterns += [path("auth/", include("django_entra_auth.urls"))]'),
    ("python", "from celery import shared_task\n\n@shared_task\ndef work(): ...\n"),
    ("console", "$ python manage.py entra_doctor --offline\npass  settings: fine"),
    ("console", '$ pip install "django-entra-conditional-access[redis]"'),
    ("bash run", "python -c pass"),
    ("text", "pass  settings: fine"),
]


def make(cases: list[tuple[str, str]]) -> list[Block]:
    return [Block("a page", n, info, text) for n, (info, text) in enumerate(cases)]


@pytest.fixture(scope="module")
def problems() -> list[str | None]:
    blocks = make([(info, text) for info, text, _ in WRONG] + RIGHT)
    loaded = load_all(blocks)
    return [find_problem(block, lambda: loaded) for block in blocks]


@pytest.mark.parametrize("number", range(len(WRONG)), ids=lambda n: f"{WRONG[n][0]}-{WRONG[n][2]}")
def test_what_is_wrong_is_named(number: int, problems: list[str | None]) -> None:
    assert WRONG[number][2] in (problems[number] or "nothing was found")


@pytest.mark.parametrize("number", range(len(RIGHT)))
def test_what_is_right_passes(number: int, problems: list[str | None]) -> None:
    assert problems[len(WRONG) + number] is None


PAGE = """a

```json
1
```

* b

  ~~~yaml
  c: 1
  ~~~

:::{tip}
```ini run
x
```
:::

    make demo
"""


def test_blocks_are_found_wherever_they_stand() -> None:
    found = {block.line: (block.language, block.is_run) for block in find_blocks({"p.md": PAGE})}
    assert found[3] == ("json", False)
    assert found[9] == ("yaml", False)
    assert found[14] == ("ini", True)
    assert found[19] == ("console", False)
    assert len(found) == 4


def test_files_of_a_block_are_told_apart() -> None:
    files = split_files("# a/settings.py, at the end\nA = 1\n\n# urls.py\nB = 2\n")
    assert [name for name, _ in files] == ["a/settings.py", "urls.py"]
    assert split_files("A = 1\n# urls.py\nB = 2\n") == [("", "A = 1\n# urls.py\nB = 2\n")]
