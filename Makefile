# Everything runs from a virtual environment under .venv, made from the project's own files.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
WORKERS ?= 2

.PHONY: demo env test lint album lock clean

help:
	@echo "make demo    the demo study in the browser at http://127.0.0.1:$(PORT)/ (PORT=... changes it)"
	@echo "make env     the packages alone, in $(VENV): for the library without the site"
	@echo "make test    every test, in an environment made from the project's own files"
	@echo "make album   screenshots of every page under var/album/ (needs Chromium)"
	@echo "make lint    ruff, mypy and the import contracts"

demo: $(VENV)/.runtime
	$(BIN)/python manage.py demo --port $(PORT)

env: $(VENV)/.runtime

# Tests share two workers by file, so that each loads TensorFlow once.
test: $(VENV)/.test
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile $(ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

album: $(VENV)/.test
	$(BIN)/python -m tests.album --out var/album

lock: $(VENV)/.test
	( echo "# Exact versions of all that requirements.txt and requirements-test.txt pull in (Python 3.11)."; \
	  echo "# Made by: make lock"; \
	  $(BIN)/python -m pip freeze --disable-pip-version-check | grep -v -i '^pip\|^setuptools' ) > constraints.txt

clean:
	rm -rf $(VENV) var

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; PYTHON=/path/to/python3.11 names one."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt constraints.txt | $(VENV)/bin/python
	@echo "Installing packages into $(VENV) (TensorFlow is the largest; one to three minutes) ..."
	$(PIP) -r requirements.txt -c constraints.txt
	@touch $@

$(VENV)/.test: requirements.txt requirements-test.txt constraints.txt | $(VENV)/bin/python
	@echo "Installing packages into $(VENV) (TensorFlow is the largest; one to three minutes) ..."
	$(PIP) -r requirements-test.txt -c constraints.txt
	@touch $(VENV)/.runtime $@
