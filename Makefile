# make run    set up, then the nightly chain over the sample studies, on made-up tweets
# make test   set up, then all tests
# make check  lint, types, import contracts, the fast tests: under a minute
# make help   the rest

PY := .venv/bin/python
DAYS := 14
WORKERS := 1
#: two test processes: what the smallest machine has
JOBS := 2

.PHONY: run test check lint fast bench bench-parts statistics lock luigid clean help setup setup-dev

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## .venv with what a run needs
	@.ci/setup requirements.lock

setup-dev: ## .venv with what the tests need as well
	@.ci/setup requirements-dev.lock

run: setup ## the last 14 closed days of the sample studies, the table and the page
	@$(PY) -m pipeline database start
	@range=$$($(PY) -m pipeline days --last $(DAYS)) && \
	  $(PY) -m luigi --module tasks RangeDaily --of Nightly $$range --local-scheduler --workers $(WORKERS)
	@$(PY) -m pipeline report

test: setup-dev ## every test
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@PYTHONPATH=. .venv/bin/lint-imports
	@$(PY) -m pytest -n $(JOBS) --dist worksteal

check: setup-dev lint fast ## lint, types, import contracts, the fast tests

lint: setup-dev ## ruff, mypy, import-linter
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@PYTHONPATH=. .venv/bin/lint-imports

fast: setup-dev
	@$(PY) -m pytest -n $(JOBS) --dist worksteal -m "not slow and not browser"

bench: setup-dev ## speed beside other tools, by goals: ratios of CPU, wall time, memory (some 20 minutes)
	@$(PY) -m benchmarks.performance

bench-parts: setup-dev ## the smaller benchmarks, each of one part
	@for name in alarms authors beta match posterior; do echo "== $$name"; $(PY) -m benchmarks.$$name; done

statistics: setup-dev ## every figure of docs/statistics.md, measured anew (minutes)
	@$(PY) -m benchmarks.figures

lock: setup-dev ## resolve the dependencies again, for all Pythons and platforms
	@$(PY) -m pip install -q uv
	@$(PY) -m uv pip compile -q --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --python-version 3.11 pyproject.toml -o requirements.lock
	@$(PY) -m uv pip compile -q --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --python-version 3.11 --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

luigid: setup ## Luigi's scheduler with its web page, on this machine only: http://127.0.0.1:8082
	@mkdir -p var/luigid
	@.venv/bin/luigid --address 127.0.0.1 --port 8082 --state-path var/luigid/state.pickle --logdir var/luigid

clean: ## stop the embedded database, remove .venv; var/ (your data) stays
	@test -x $(PY) && $(PY) -m pipeline database stop || true
	@rm -rf .venv build *.egg-info
