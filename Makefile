# One runner for people and CI. Needs python3 (with pip) and make; everything else it makes by itself below this folder.
# Python of the environment: the first 3.11 or 3.12 that uv finds on this machine. No step needs root.
UV_VERSION := 0.13.8
UV := .uv/$(UV_VERSION)/bin/uv
PY := .venv/bin/python
READY := .venv/.synced
DRIVE := $(PY) -m include.local_aws.drive

.DEFAULT_GOAL := help
.PHONY: help run up down status report query sample cloud-demo test soak bench docs screenshots lint lock versions clean

# A value of the command line goes on as it was typed: no $ in a query is make's.
export SPARKIFY_DATA = $(value DATA)
export SPARKIFY_SQL = $(value SQL)

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

run: $(READY) ## Load a sample month through the DAG and show the result; DATA=folder loads log_data/ and song_data/ there
	@$(DRIVE) run "$$SPARKIFY_DATA"

up: $(READY) ## Start Airflow (UI and scheduler) beside the local services; DATA as for run
	@$(DRIVE) up "$$SPARKIFY_DATA"

down: $(READY) ## Stop Airflow and the local services and forget what they hold
	@$(DRIVE) down

status: $(READY) ## Say what is running, and what the lake and the warehouse hold
	@$(DRIVE) status

report: $(READY) ## Fetch the newest run's report, a page for the browser, and say where it lies
	@$(DRIVE) report

query: $(READY) ## SQL="select ..." : the warehouse's answer as CSV
	@$(DRIVE) query "$$SPARKIFY_SQL"

sample: $(READY) ## Make the sample month in .local/sample; SCALE=10 for ten times as much
	@$(PY) -m include.local_aws.sample .local/sample --scale $(or $(SCALE),1)

cloud-demo: $(READY) ## Provision, load, pause, resume and tear down a warehouse, all on this machine
	@$(PY) -W ignore -m include.local_aws.cloud_demo

test: $(READY) ## Every test
	@$(PY) -m pytest -n 2 --dist loadfile

soak: $(READY) ## Random schedules of loads for as long as you like: N=2000
	@SPARKIFY_SCHEDULES=$(or $(N),2000) $(PY) -m pytest tests/pipeline/test_any_order.py

bench: $(READY) ## Ratios of what may not get slower; PART=copy, run or history for one of them
	@$(PY) -W ignore -m tests.bench $(PART)

docs: $(READY) ## Make docs/data and the picture of the tables anew from the declarations
	@$(PY) -W ignore -m docs.generate

screenshots: $(READY) ## Take the pictures in docs/ anew (needs chromium and chromedriver); starts Airflow if it is not up
	@$(PY) -W ignore -m include.local_aws.screenshots

lint: $(READY) ## Style of Python and SQL, types
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m sqlfluff lint --disable-progress-bar include/sql docs/queries
	@$(PY) -m mypy

lock: $(UV) ## Make requirements.lock anew from requirements.txt and pyproject.toml
	@$(UV) pip compile requirements.txt --group local --universal --generate-hashes --python-version 3.11 \
	  --no-header --no-emit-index-url --no-emit-find-links --quiet --output-file requirements.lock

versions: $(READY) ## The versions in force
	@$(UV) --version
	@$(PY) --version
	@for tool in apache-airflow pytest ruff sqlfluff mypy; do grep "^$$tool==" requirements.lock | cut -d ' ' -f 1; done

clean: ## Stop everything and remove what make made
	@if [ -x $(PY) ]; then $(DRIVE) down; fi
	rm -rf .venv .uv .local .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Messages of the set-up go to standard error: `make query` promises CSV alone on standard output.
# --target works beside Debian's externally managed Python and needs no python3-venv.
$(UV):
	@python3 -m pip --version >/dev/null 2>&1 || { echo "make needs python3 with pip: on Debian, apt-get install python3-pip" >&2; exit 1; }
	@echo "Getting uv $(UV_VERSION)" >&2
	@rm -rf .uv
	@python3 -m pip install -qq --disable-pip-version-check --target .uv/$(UV_VERSION) uv==$(UV_VERSION) >&2
	@touch $@

# uv does not read pip's settings: a package mirror named there counts for both.
$(READY): requirements.lock | $(UV)
	@echo "Setting up .venv from requirements.lock" >&2
	@[ -x $(PY) ] || $(UV) venv --quiet --clear --no-python-downloads --python '>=3.11,<3.13' .venv \
	  || { echo "make needs Python 3.11 or 3.12 on the PATH; found only: $$(python3 --version)" >&2; exit 1; }
	@index=$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$(python3 -m pip config get global.index-url 2>/dev/null || true)}}; \
	  [ -t 2 ] || quiet=--quiet; \
	  $(UV) pip sync $$quiet $${index:+--default-index "$$index"} --require-hashes --python $(PY) requirements.lock
	@touch $@
