# make demo | test | check | bench | up | clean. Everything lives in .venv and .incident; nothing else on your machine is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check bench celery judge mutate docs clean lock format

demo: $(VENV)/.run  ## Run the main job on your own machine. PLAYBOOK=… DEMO_ANSWERS=auto|decline KILL=1|temporal KEEP=1 SHADOW=1 PACE=… SEED=…
	@$(BIN)/python -m starters.gameday \
		$(if $(PLAYBOOK),--playbook $(PLAYBOOK)) $(if $(DEMO_ANSWERS),--answers $(DEMO_ANSWERS)) \
		$(if $(KILL),--kill $(KILL)) $(if $(KILLS),--kills $(KILLS)) $(if $(KEEP),--keep $(KEEP)) $(if $(PACE),--pace $(PACE)) $(if $(SEED),--seed $(SEED)) \
		$(if $(FAULT),--fault '$(FAULT)') $(if $(SHADOW),--shadow $(SHADOW))

test: $(VENV)/.dev  ## The whole suite
	@$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.dev  ## ruff, mypy --strict, import-linter, house tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache >$(VENV)/lint-imports.log || (cat $(VENV)/lint-imports.log; exit 1)
	@$(BIN)/python -m pytest -n 0 tests/test_house*.py

format: $(VENV)/.dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev  ## Measure the engine beside a hand-written floor, and write docs/performance.md (about four minutes, on an idle machine)
	@$(BIN)/python -m benchmarks --page docs/performance.md

celery: $(VENV)/.dev  ## A virtual environment with Celery (.venv-celery), which its tests make by themselves when it is not there
	@$(PYTHON) -m venv .venv-celery
	@.venv-celery/bin/python -m pip install -q --require-hashes -r requirements/celery.txt

judge: $(VENV)/.dev  ## Let programs that we did not write judge our clients and the practice faces. ONLY="redis patroni"; not part of CI
	@$(BIN)/python -m tests.judges $(ONLY)

mutate: $(VENV)/.dev  ## Remove one protection at a time, in a copy, and see that a test fails. ONLY=part of a name LIST=1; not part of CI
	@$(BIN)/python -m tests.mutants $(if $(LIST),--list) "$(ONLY)"

docs: $(VENV)/.dev  ## Regenerate what is generated from the code
	@$(BIN)/python -m tests.screens.test_cli
	@$(BIN)/python -m practice.http.openapi docs/api

lock:  ## Pin every dependency by hash, without naming an index
	uv pip compile pyproject.toml --extra practice --group build --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q -o requirements/run.txt
	uv pip compile pyproject.toml --extra practice --group build --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q -o requirements/dev.txt
	uv pip compile requirements/celery.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q -o requirements/celery.txt

clean:
	rm -rf $(VENV) .judge .incident .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/python requirements/run.txt pyproject.toml
	@echo "setting up, once: .venv (about half a minute)"
	@test -e $(VENV)/.dev || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python requirements/dev.txt pyproject.toml
	@echo "setting up, once: .venv with everything the tests need (about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.run
