# make demo and make test install everything into .venv; they need python3 (3.11
# or newer), its venv module and make. The stamp files .venv/demo and
# .venv/ready mark the packages of the demo and the additional ones of the tests.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check \
  --constraint constraints.txt --editable

.PHONY: setup demo test test-training test-slow lint bench
.DELETE_ON_ERROR:

setup: .venv/ready

.venv/demo: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed: make PYTHON=python3.12 $(MAKECMDGOALS)"; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "This python has no venv module. On Debian and Ubuntu install the" \
	    "package python3-venv (apt install python3-venv), then try again."; \
	  exit 1; }
	$(PYTHON) -m venv .venv
	$(INSTALL) '.[export,serve]'
	@touch $@

.venv/ready: .venv/demo
	$(INSTALL) '.[export,serve,dev,tensorflow]'
	@touch $@

demo: .venv/demo
	$(BIN)/python main.py --config=configs/demo.py --workdir=runs/demo

test: setup
	$(BIN)/python -m pytest

test-training: setup
	$(BIN)/python -m pytest -m training

test-slow: setup
	$(BIN)/python -m pytest -m 'slow or training'

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/demo
	$(BIN)/python main.py --config=configs/default.py --mode=benchmark \
	  --config.batch_size=8
