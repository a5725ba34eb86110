# Thin wrappers; each target can be typed by hand as well. Variables: PYTHON, PORT, EMULATOR_PORT, ARGS.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check
TEMPLATES = $$(find templates django_entra_auth -name '*.html' -path '*templates*')

.DEFAULT_GOAL := help
.PHONY: help demo test check bench docs screenshots matrix messages format clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

demo: $(VENV)/.stamp-demo ## run the demo site and a local Entra
	@$(RUN) -m demo_project

test: $(VENV)/.stamp-test ## run all tests, one worker per core; ARGS goes to pytest
	@$(RUN) tests/prerequisites.py
	@$(RUN) -m pytest -n auto --maxprocesses 4 $(ARGS)

check: $(VENV)/.stamp-lint ## lint, types, import rules, spelling, templates, Django's checks
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/typos
	$(VENV)/bin/djade --check --target-version 5.2 $(TEMPLATES)
	$(RUN) manage.py check
	$(RUN) manage.py makemigrations --check --dry-run

docs: $(VENV)/.stamp-docs ## build the documentation into docs/_build/html, warnings are errors
	$(RUN) -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

screenshots: $(VENV)/.stamp-test ## take the pictures of the documentation from the demo, with Chromium
	$(RUN) docs/screenshots.py

matrix: $(VENV)/.stamp-matrix ## the tests on every Python and Django found here; ARGS goes to nox
	$(RUN) -m nox $(ARGS)

messages: $(VENV)/.stamp-demo ## bring the translation catalogues up to date (needs gettext)
	cd django_entra_auth && ../$(RUN) -m django makemessages --all --no-obsolete --no-wrap --add-location file --ignore 'emulator/*'
	cd django_entra_auth && ../$(RUN) -m django compilemessages

bench: $(VENV)/.stamp-bench ## measure, and write docs/performance.md; ARGS=--quick tries it
	$(RUN) -m benchmarks $(ARGS)

format: $(VENV)/.stamp-lint ## put code and templates into shape
	$(RUN) -m ruff check --fix
	$(RUN) -m ruff format
	$(VENV)/bin/djade --target-version 5.2 $(TEMPLATES)

clean: ## remove everything these targets have made
	rm -rf $(VENV) .nox build dist docs/_build demo.sqlite3 .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache tests/artefacts
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A group is installed again only when pyproject.toml or the environment has changed.
$(VENV)/.stamp-%: pyproject.toml $(VENV)/.stamp-venv
	@echo "Installing what 'make $(if $(filter lint,$*),check,$*)' needs ..."
	@$(PIP) --editable . --group $*
	@touch $@

$(VENV)/.stamp-venv:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) not found: install Python 3.10 or newer, or name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "$(PYTHON) is older than 3.10: name a newer one: make PYTHON=/path/to/python" >&2; exit 1; }
	@test -x $(RUN) || $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: install python3-venv (Debian: apt-get install python3-venv)" >&2; exit 1; }
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip --version >/dev/null 2>&1 || $(RUN) -m ensurepip --upgrade >/dev/null
	@$(PIP) 'pip>=25.1'
	@touch $@
