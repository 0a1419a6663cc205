# What a contributor runs. Each target does all of its own set-up on a fresh machine with Python 3.11 or newer:
# the virtual environment, the package in editable form with its front end built, and what the target needs beside it.
# Node is not needed: a wheel of it comes with the environment.
#
#   make demo    run the quickstart notebook without a browser, write demo/quickstart.html
#   make lab     open the notebooks in JupyterLab
#   make app     the search of notebooks/11_voila.ipynb as a page of its own, by Voilà
#   make test    the tests, a real JupyterLab under Chromium among them: what proves that a clone works
#   make test-slow  the rest of the tests: full matrices, many examples, packages, agents, notebooks
#   make faults  hundreds of faults made on purpose, and searches of 100,000 trials, for docs/faults.md; about five minutes
#   make test-js the tests of the front end alone, in node
#   make lint    ruff, mypy, basedpyright, tsc, biome
#   make format  what ruff and biome can mend by themselves
#   make pictures  the README's pictures, of a real search in JupyterLab
#   make docs    the pages of docs/ and a reference from the docstrings as a site, in build/docs
#   make bench   the measurements of tests/benchmarks, beside peers in the same run: BENCHMARKS.md
#   make bench-quality  what a search finds in the same time as its peers: the rest of BENCHMARKS.md
#   make bench-sooner TASK=diabetes  the same for one task, with more seeds: a part of BENCHMARKS.md
#   make bench-candidates  what might be the default sampler: the last part of BENCHMARKS.md
#   make js      build the front end again after a change in js/
#   make clean   remove what was built; `make distclean` the environment too

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
# What pip does, a line each, without its versions and addresses.
TELL := sed -un 's/^ *\(Collecting [A-Za-z0-9._-]*\|Building [^:(]*[^:( ]\|Installing [a-z ]*[a-z]\).*/  \1/p'
# Two installations into one environment at once would meet.
.NOTPARALLEL:

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP := $(BIN)/python -m pip --no-input --disable-pip-version-check
PYTEST = HPO_WIDGETS_CHROMIUM="$$(tools/chromium)" $(BIN)/python -m pytest
# Tests start hundreds of interpreters, each of which would compile the package anew where bytecode is not to be kept.
unexport PYTHONDONTWRITEBYTECODE
# Twice as many workers as two cores: a test waits half of its time for a browser, a server or the processes that it starts.
WORKERS ?= 4
PYTEST_PARALLEL = $(PYTEST) --numprocesses $(WORKERS)
# The front end's tools, run by the environment's own node.
JLPM := cd js && PATH="$(abspath $(BIN)):$$PATH" jlpm
# In a container the user often is root, whom Jupyter asks to say that it is meant.
LAB_ARGS ?= $(if $(filter 0,$(shell id -u)),--allow-root)
JS_SOURCES := js/package.json js/yarn.lock js/build.mjs $(wildcard js/src/* js/src/*/*)

.PHONY: help demo lab app test test-js test-slow faults lint lint-ruff lint-mypy lint-js format docs bench bench-quality bench-sooner bench-candidates pictures js clean distclean chromium test-bytecode

help:
	@sed -n '/^#   make/s/^#   //p' Makefile

demo: $(STAMPS)/demo
	$(BIN)/hpo-widgets demo

lab: $(STAMPS)/lab
	$(BIN)/jupyter lab $(LAB_ARGS) notebooks

# A page that was closed leaves its kernel, which ends when nobody has been connected to it for two minutes.
app: $(STAMPS)/app
	$(BIN)/voila --MappingKernelManager.cull_interval=30 --MappingKernelManager.cull_idle_timeout=120 notebooks/11_voila.ipynb

test: $(STAMPS)/test test-js chromium
	$(PYTEST_PARALLEL) --dist worksteal $(PYTEST_ARGS)

# Each worker of `make test` imports all tests. On a fresh clone each would compile them too, with what pytest makes of
# their assertions, which takes twice as long as all else that comes before the first test.
test-bytecode: $(STAMPS)/test
	$(BIN)/python -m pytest --collect-only -qq >/dev/null

# What is marked slow, and the tests of properties once more with up to ten times as many examples. A file's tests stay
# together, as many share what is costly to make: a wheel, a demo that has run, an agent. Files without any are not read.
test-slow: chromium $(STAMPS)/test
	$(PYTEST_PARALLEL) --dist loadfile -m "slow or hypothesis" --hypothesis-profile thorough \
		--override-ini "testpaths=$$(grep -rlE 'mark\.slow|hypothesis' tests --include='test_*.py' --exclude-dir=benchmarks)" $(PYTEST_ARGS)

# What the tests do a few times is done often; the tables of docs/faults.md come from here, when all have passed and
# PYTEST_ARGS did not choose a part.
KILLS ?= 500
SOAK ?= 100000
SEED ?= 20
faults: $(STAMPS)/test
	HPO_WIDGETS_KILLS=$(KILLS) HPO_WIDGETS_SOAK=$(SOAK) HPO_WIDGETS_FAULT_SEED=$(SEED) \
		$(if $(PYTEST_ARGS),,HPO_WIDGETS_FAULTS_PAGE=$(CURDIR)/docs/faults.md) \
		$(PYTEST) tests/faults tests/clearml/test_faults.py -m "" --timeout 3600 \
		--hypothesis-profile thorough --hypothesis-seed $(SEED) $(PYTEST_ARGS)

# What of the front end needs no page, in node.
test-js: js/node_modules/.yarn-state.yml
	$(JLPM) run test

# All rows, in about 25 minutes on two cores; BENCHMARKS.md is made of what was measured also when some rows
# failed, and not at all when PYTEST_ARGS chose a part.
bench: chromium $(STAMPS)/bench
	status=0; $(PYTEST) --session-timeout 2000 tests/benchmarks $(PYTEST_ARGS) || status=$$?; \
	$(if $(PYTEST_ARGS),,$(BIN)/python -m tests.benchmarks.report measurements;) exit $$status

# About six and a half minutes a seed, 20 of them by default. It goes on where an earlier run was ended; remove
# build/wall_clock.jsonl to begin anew. Its part of the page is written also when a bar is missed, which is a failure.
bench-quality: $(STAMPS)/bench
	$(BIN)/python -m tests.benchmarks.wall_clock
	$(BIN)/python -m tests.benchmarks.report quality

# A task on which `make bench-quality` has not shown that a search is sooner than Optuna's threads, with more seeds, in
# about 40 minutes: `make bench-sooner TASK=diabetes`. It goes on where an earlier run was ended; remove
# build/sooner.jsonl to begin anew.
bench-sooner: $(STAMPS)/bench
	$(BIN)/python -m tests.benchmarks.wall_clock sooner "$(or $(TASK),$(error TASK is missing: TASK=diabetes))"
	$(BIN)/python -m tests.benchmarks.report sooner

# About nine minutes of CPU time a seed, 20 of them by default, and four more where torch is installed. By number of
# trials, so the machine may do something else. It goes on where an earlier run was ended; remove
# build/candidates.jsonl to begin anew.
bench-candidates: $(STAMPS)/bench
	$(BIN)/python -m tests.benchmarks.candidates
	$(BIN)/python -m tests.benchmarks.report candidates

pictures: chromium $(STAMPS)/test
	$(PYTEST) tests/browser/pictures.py

# A link that leads nowhere, a page that no list names and a docstring that cannot be read are failures.
docs: $(STAMPS)/docs
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --conf-dir docs . build/docs
	@echo "build/docs/index.html is the first page"

lint: lint-ruff lint-mypy lint-js

lint-ruff: $(STAMPS)/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lint-mypy: $(STAMPS)/lint
	$(BIN)/mypy
	$(BIN)/mypy --strict tests/consumer.py
	$(BIN)/basedpyright --level error --pythonpath $(BIN)/python tests/consumer.py

lint-js: js/node_modules/.yarn-state.yml
	$(JLPM) run typecheck
	$(JLPM) run lint

format: js/node_modules/.yarn-state.yml $(STAMPS)/lint
	$(BIN)/ruff check --fix --exit-zero .
	$(BIN)/ruff format .
	$(JLPM) run format

js: js/node_modules/.yarn-state.yml
	$(JLPM) run build

clean:
	rm -rf build dist demo hpo_widgets/static hpo_widgets/labextension js/node_modules js/lib .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf $(STAMPS)

distclean: clean
	rm -rf $(VENV)

# --- Set-up -------------------------------------------------------------------------------------------------------

# A browser for the tests: Debian's, installed when the user may.
chromium:
	@tools/chromium >/dev/null

# pip reads dependency groups from 25.1 on; the one that a venv brings may be older.
$(STAMPS)/venv:
	@tools/venv "$(PYTHON)" "$(VENV)"
	$(PIP) install --quiet --upgrade 'pip>=25.1'
	@mkdir -p $(@D) && touch $@

$(STAMPS)/demo: INSTALL := --editable '.[demo]'
$(STAMPS)/lab: INSTALL := --editable '.[lab]'
$(STAMPS)/app: INSTALL := --editable '.[app]'
$(STAMPS)/test: INSTALL := --editable '.[demo]' --group test
$(STAMPS)/bench: INSTALL := --editable '.[demo]' --group bench
$(STAMPS)/lint: INSTALL := --editable '.[demo]' --group lint
$(STAMPS)/docs: INSTALL := --editable '.[demo]' --group docs
$(STAMPS)/js: INSTALL := --group js
# Their groups have others in them.
$(STAMPS)/test: BRINGS := $(STAMPS)/js
$(STAMPS)/lint: BRINGS := $(STAMPS)/test $(STAMPS)/js
$(addprefix $(STAMPS)/,demo lab app test bench lint docs js): pyproject.toml $(JS_SOURCES) | $(STAMPS)/venv
	@echo "Installing what \`make $(@F)\` needs into $(VENV) (the first time takes a few minutes) ..."
	$(PIP) install --progress-bar off $(INSTALL) | $(TELL)
	@touch $@ $(BRINGS)

js/node_modules/.yarn-state.yml: js/package.json js/yarn.lock js/.yarnrc.yml | $(STAMPS)/js
	$(JLPM) install --immutable
	@touch $@
