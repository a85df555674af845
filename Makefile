# Two commands: `make demo` sets up and runs the main job on an embedded face, `make test` sets up and tests.
# `make demo` installs what the main job needs, `make test` the extras and the test tools too.
# TORCH=cpu (or auto, cu130, ...) has uv take that build of PyTorch; without it pip takes the usual one, on Linux CUDA's.
PYTHON ?= python3
TORCH ?=
VENV := .venv
BIN := $(VENV)/bin
SUM := $(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
MAIN := $(VENV)/.installed-main-$(SUM)
DEV := $(VENV)/.installed-dev-$(SUM)

ifeq ($(TORCH),)
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
else
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check uv && \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --torch-backend $(TORCH) -c constraints.txt
endif

# The type checker walks into no links, and src/singanimation/* lead to the rooms: it is handed every file by name.
PYTHON_FILES = $(shell find -L src benchmarks tests $(wildcard examples findings) -name '*.py' | LC_ALL=C sort)

.PHONY: setup demo test test-slow lint python-files browser clean

setup: $(DEV)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' || \
		{ echo "SinGANimation needs Python 3.11 to 3.14: make PYTHON=python3.13 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(MAIN): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e .
	rm -f $(VENV)/.installed-main-*
	touch $@

$(DEV): pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[dev]'
	rm -f $(VENV)/.installed-*
	touch $@

demo: $(or $(wildcard $(DEV)),$(MAIN))
	$(BIN)/augment --input sample --per-image 8

test: setup lint browser
	$(BIN)/python -m pytest -m "not slow"

test-slow: setup
	$(BIN)/python -m pytest -m slow

# Pages are tested in the system's own Chromium; where it cannot be had, those tests skip and say so.
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null || \
		{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
		echo "No Chromium here: the tests of pages are skipped."

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@echo "$(BIN)/basedpyright, on $(words $(PYTHON_FILES)) files"
	@$(BIN)/basedpyright $(PYTHON_FILES)

python-files:
	@printf '%s\n' $(PYTHON_FILES)

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache
