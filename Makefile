# Every command of this house. `make` or `make help` lists them.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# The first of these that is 3.11 or newer, and can make virtual environments, is used.
PYTHONS ?= python3.11 python3.12 python3.13 python3.14 python3
# Three test processes for two cores, since a third of a test is waiting for a disk, a server or a browser; and no more
# than eight, since each brings up a PostgreSQL of its own.
TEST_PROCESSES ?= $(shell n=$$(( ($$(getconf _NPROCESSORS_ONLN) * 3 + 1) / 2 )); echo $$(( n < 8 ? n : 8 )))

.DEFAULT_GOAL := help
.PHONY: help install run test browser lint bench faults screens words lock

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## set up .venv with the locked dependencies, their hashes checked

$(BIN)/python:
	@for python in $(PYTHONS); do \
	  if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    echo "Making $(VENV) with $$($$python --version)"; \
	    exec $$python -m venv $(VENV); \
	  fi; \
	done; \
	echo "No suitable Python was found (looked for: $(PYTHONS))." >&2; \
	echo "Install Python 3.11 or newer with its venv module (Debian, Ubuntu: apt-get install python3 python3-venv)," >&2; \
	echo "or name one: make install PYTHONS=/path/to/python3" >&2; \
	exit 1

$(INSTALLED): requirements-dev.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: install ## bring the service up with the four example publishers, and say where to look
	$(BIN)/registry serve --demo

test: install browser ## the whole test suite, on SQLite and on PostgreSQL
	$(BIN)/pytest -n $(TEST_PROCESSES) --dist loadgroup --no-loadscope-reorder

# Chromium comes from the system's packages, and only when there is a test that drives it. Without windows it is the same
# engine at two thirds of the work, and what Playwright would take by itself. The whole browser does where it is here; CI, which
# runs all of the suite each time, gets the other one first.
APT_INSTALL := DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends

browser: ## get Chromium for the browser tests, where it is missing
	@if ! ls tests/browser/test_*.py >/dev/null 2>&1 \
	  || command -v chromium-headless-shell >/dev/null 2>&1 \
	  || { [ "$${CI:-}" != true ] && command -v chromium >/dev/null 2>&1; }; then \
	  exit 0; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 \
	  && apt-get update -qq \
	  && { $(APT_INSTALL) chromium-headless-shell || $(APT_INSTALL) chromium; }; then \
	  exit 0; \
	elif command -v chromium >/dev/null 2>&1; then \
	  exit 0; \
	elif [ "$${CI:-}" = true ]; then \
	  echo "Chromium could not be installed, and CI must not skip the browser tests." >&2; \
	  echo "Put a command named chromium-headless-shell or chromium on the PATH of this machine." >&2; \
	  exit 1; \
	else \
	  echo "There is no Chromium here: the browser tests will be skipped." >&2; \
	  echo "To run them too: sudo apt-get install --no-install-recommends chromium-headless-shell" >&2; \
	fi

lint: install ## style, types and the directions of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: install ## measure against limits: some 25 minutes, or six with BENCH=--quick
	$(BIN)/python -m benchmarks $(BENCH)

faults: install ## break things on purpose, for minutes, and print what it came to
	$(BIN)/pytest -m "" tests/faults

screens: install browser ## judge every page and screen in every theme and width, where `make test` takes one of each kind
	$(BIN)/pytest -m exhaustive -n 2 --dist loadgroup tests/browser

# Catalogues are sorted and say neither when nor by whom, so that a change of a sentence is a change of its lines.
AS_IT_IS := --omit-header --no-wrap
UPDATE := $(BIN)/pybabel -q update --no-fuzzy-matching --ignore-obsolete $(AS_IT_IS)

words: install ## bring the catalogues of translations up to date, and count what they lack
	@pot=$$(mktemp) && trap 'rm -f "$$pot"' EXIT && set -e && \
	$(BIN)/pybabel -q extract -F pyproject.toml -k marked --no-location --sort-output $(AS_IT_IS) -o "$$pot" . && \
	$(UPDATE) -i "$$pot" -l de_DE -o registry/words/de.po && \
	$(UPDATE) -i "$$pot" -l vi_VN -o registry/words/vi.po && \
	$(UPDATE) -i "$$pot" -l zh_Hans_CN -o registry/words/zh.po
	@for file in registry/words/*.po; do \
	  awk -v file=$$file '/^msgstr(\[0\])? ""$$/ { n++ } END { printf "%s: %d to be translated\n", file, n }' $$file; \
	done

# The lock files hold hashes and no address of a package host: where packages come from is the reader's affair.
# What is locked already stays as it is; `make lock UPGRADE=--upgrade` takes the newest of everything.
COMPILE = "$$folder/bin/uv" pip compile --quiet --universal --python $(BIN)/python --python-version 3.11 \
	  --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" $(UPGRADE)

lock: $(BIN)/python ## write requirements.lock and requirements-dev.lock anew from pyproject.toml
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && export UV_PYTHON_DOWNLOADS=never && set -e && \
	$(BIN)/python -m venv "$$folder" && "$$folder/bin/pip" install --quiet --disable-pip-version-check uv && \
	$(COMPILE) pyproject.toml --output-file requirements.lock && \
	$(COMPILE) --extra dev --constraints requirements.lock pyproject.toml --output-file requirements-dev.lock
	@wc -l requirements.lock requirements-dev.lock
