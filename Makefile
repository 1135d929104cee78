# Commands for people and CI. They need only make and python3 with pip, and install all other tools below this folder.
# The environment uses the first Python 3.11 or 3.12 that uv finds, or the one that PYTHON=3.12 names. No step needs root.
# The environment is not .venv, because `astro dev start --standalone` creates .venv and `astro dev kill` deletes it.
UV_VERSION := 0.13.8
UV := .uv/$(UV_VERSION)/bin/uv
# AIRFLOW=3 runs any target on the newest Airflow 3 instead of the image's 2.11, with its own lock, environment and data.
$(if $(filter-out 2 3,$(AIRFLOW)),$(error AIRFLOW=$(AIRFLOW) is not supported. Next: AIRFLOW=3, or AIRFLOW=2, the default))
ifeq ($(AIRFLOW),3)
VENV := .uv/venv-airflow3
LOCK := requirements-airflow3.lock
else
VENV := .uv/venv
LOCK := requirements.lock
endif
PY := $(VENV)/bin/python
READY := $(VENV)/.synced
CLI := $(PY) -m local.cli
COMPILE := $(UV) pip compile --universal --generate-hashes --python-version 3.11 \
  --no-header --no-emit-index-url --no-emit-find-links --quiet
DBT := .local/dbt/bin/dbt
# The tests of `make check`. With the linters, they take less than a minute. None of them loads a warehouse.
FAST := tests/unit tests/dags tests/project \
  local_redshift/tests/test_dialect.py local_redshift/tests/test_conformance_expressions.py

.DEFAULT_GOAL := help
.PHONY: help run up down report listening query airflow runtime3 env sample cloud-demo check test soak mutants bench clients suites \
  first-contact package release dbt docs screenshots lint lock versions clean

# Many images set this variable. Without bytecode below this folder, every start of Airflow takes twice as long.
unexport PYTHONDONTWRITEBYTECODE
# Pass the values from the command line unchanged, so that make expands no $ in a query.
export SPARKIFY_DATA = $(value DATA)
export SPARKIFY_SQL = $(value SQL)
# make itself sets AS to the name of its assembler.
export SPARKIFY_AS = $(if $(filter-out default,$(origin AS)),$(value AS))
export SPARKIFY_CMD = $(value CMD)

help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

run: $(READY) ## Load a sample month through the DAG and show the result; DATA=folder loads log_data/ and song_data/ there
	@$(CLI) run "$$SPARKIFY_DATA"

up: $(READY) ## Start Airflow (UI and scheduler) beside the local services; DATA as for run
	@$(CLI) up "$$SPARKIFY_DATA"

down: $(READY) ## Stop Airflow and the local services and delete their data
	@$(CLI) down

report: $(READY) ## Fetch the report of the newest run, a page for the browser, and print its path
	@$(CLI) report

listening: $(READY) ## Fetch the page that shows what people listen to, for the browser, and print its path
	@$(CLI) listening

query: $(READY) ## SQL="select ...": run it on the warehouse and print the result as CSV; AS=analyst runs it as an analyst
	@$(CLI) query "$$SPARKIFY_SQL" "$$SPARKIFY_AS"

airflow: $(READY) ## CMD="dags list": run Airflow's own command line in the local world, after make run or make up
	@$(CLI) airflow "$$SPARKIFY_CMD"

runtime3: $(READY) ## Change the project's files for Astro Runtime 3 (Airflow 3, no Astro SDK); git diff shows them
	@$(PY) -m local.runtime3

env: $(READY) ## Print a complete .env file for `astro dev start --standalone` or any other Airflow on this machine
	@$(CLI) env

sample: $(READY) ## Generate the sample month in .local/sample; SCALE=10 for ten times as much, SONGS=14896 for 14,896 songs
	@$(PY) -m local.sample .local/sample --scale $(or $(SCALE),1) $(if $(SONGS),--songs $(SONGS))

cloud-demo: $(READY) ## Follow docs/aws.md on this machine: provision, load, pause, resume, tear down; a cluster, then Serverless
	@$(PY) -W ignore -m local.cloud_demo cluster
	@$(PY) -W ignore -m local.cloud_demo serverless

check: lint $(READY) ## Run the linters and the fast tests, in less than a minute
	@$(PY) -m pytest -n auto --dist loadfile -m 'not slow' $(FAST)

test: $(READY) ## Run all tests; TESTS=tests/dags for some of them
	@$(PY) -m pytest -n auto --dist loadfile --no-loadscope-reorder $(TESTS)

soak: $(READY) ## Test random schedules of loads and of overlapping runs; SPARKIFY_SCHEDULES=2000 of each
	@SPARKIFY_SCHEDULES=$${SPARKIFY_SCHEDULES:-2000} $(PY) -m pytest -n 2 --dist loadfile tests/pipeline/test_stateful.py \
	  tests/pipeline/test_any_order.py

mutants: $(READY) ## Change the central files line by line and check that a test fails; only changed files, or FILE=path
	@$(INDEX); env $${index:+UV_DEFAULT_INDEX="$$index"} $(PY) -m tests.mutants $(FILE)

bench: $(READY) ## Measure the cost of a run, as ratios; PART="events history" for some of them
	@$(PY) -W ignore -m tests.bench $(PART)

release: $(READY) ## TAG=v1.2.3: write a release's files to .local/dist, with SBOM, checksums and notes
	@$(INDEX); UV_DEFAULT_INDEX=$$index UV=$(UV) .ci/release '$(TAG)' .local/dist

package: $(READY) ## Build local_redshift in .local/dist, check its metadata, install it into an empty environment and test it
	@$(INDEX); UV_DEFAULT_INDEX=$$index UV=$(UV) .ci/package .local/dist

dbt: $(DBT) ## Build, test and document the models of examples/dbt on the local warehouse, after `make run`
	@cd examples/dbt && export DBT_TARGET_PATH=../../.local/dbt/target DBT_LOG_PATH=../../.local/dbt/logs \
	  && ../../$(DBT) build --profiles-dir . && ../../$(DBT) docs generate --static --profiles-dir . \
	  || { echo "Is the local warehouse running? Start it and load the star with: make run" >&2; exit 1; }

clients: $(READY) ## Run common tasks of real clients on local_redshift; TOOL=name for one, WRITE=1 updates its README
	@$(INDEX); env $${index:+UV_DEFAULT_INDEX="$$index"} $(PY) local_redshift/clients/matrix.py $(TOOL) $(if $(WRITE),--write)

suites: $(READY) ## Run test suites of four other projects on local_redshift; TOOL=name for one, WRITE=1 updates its README
	@$(INDEX); env $${index:+UV_DEFAULT_INDEX="$$index"} $(PY) local_redshift/clients/suites.py $(TOOL) $(if $(WRITE),--write)

first-contact: $(READY) ## Check our assumptions about undocumented behavior on a real cluster (LOCAL_REDSHIFT_CONFORMANCE_DSN)
	@$(PY) local_redshift/tests/first_contact.py

docs: $(READY) ## Regenerate docs/data, docs/settings.md, docs/metrics.md and the metrics of examples/dbt from the code
	@$(PY) -W ignore -m docs.generate

screenshots: $(READY) ## Retake the pictures in docs/ (needs chromium and chromedriver); starts Airflow if it is not up
	@$(PY) -W ignore -m local.screenshots

# Run two linters at once, and print the output of each in one piece.
lint: $(READY) ## Check types, workflows, the style of Python, SQL and English, DAG imports, and the generated pages
	@$(MAKE) --no-print-directory -j 2 -O lint-types lint-sql lint-dags lint-style

.PHONY: lint-types lint-sql lint-dags lint-style
lint-types lint-sql lint-dags lint-style: $(READY)

lint-types:
	@$(PY) -m mypy

lint-sql:
	@$(PY) -m sqlfluff lint --disable-progress-bar include/sql docs/queries
	@$(PY) -m tests.sql_in_yaml

lint-dags:
	@$(PY) -W ignore -m pytest -q --no-header -p no:cacheprovider -W ignore tests/dags/test_integrity.py tests/project/test_docs.py \
	  -k "import_together or up_to_date"

lint-style:
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m tests.words
	@$(VENV)/bin/zizmor --offline --quiet --no-progress .github

lock: $(UV) ## Regenerate all locks; keep versions that still fit (delete a lock to get the newest versions)
	@$(COMPILE) requirements.txt local_redshift/pyproject.toml --group local --group airflow2 --output-file requirements.lock
	@grep -v '^astro-sdk-python' requirements.txt \
	  | $(COMPILE) - local_redshift/pyproject.toml --group local --group airflow3 --output-file requirements-airflow3.lock
	@$(COMPILE) local_redshift/pyproject.toml --group services --constraints requirements.lock --output-file requirements-local.lock

versions: $(READY) ## Print the versions in use
	@$(UV) --version
	@$(PY) --version
	@for tool in apache-airflow pytest ruff sqlfluff mypy; do grep "^$$tool==" $(LOCK) | cut -d ' ' -f 1; done

clean: ## Stop everything and delete all files that make created
	@for python in .uv/venv/bin/python .uv/venv-airflow3/bin/python; do if [ -x $$python ]; then $$python -m local.cli down || exit 1; fi; done
	rm -rf .uv .local .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Setup messages are written to standard error: `make query` writes only CSV to standard output.
# --target works beside Debian's externally managed Python and needs no python3-venv.
$(UV):
	@python3 -m pip --version >/dev/null 2>&1 || { echo "make needs python3 with pip: on Debian, apt-get install python3-pip" >&2; exit 1; }
	@echo "Getting uv $(UV_VERSION)" >&2
	@rm -rf .uv
	@python3 -m pip install -qq --disable-pip-version-check --target .uv/$(UV_VERSION) uv==$(UV_VERSION) >&2
	@touch $@

# uv does not read pip's settings, so pass it the package mirror that they name.
INDEX := index=$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$(python3 -m pip config get global.index-url 2>/dev/null || true)}}

$(READY): $(LOCK) local_redshift/pyproject.toml | $(UV)
	@echo "Setting up $(VENV) from $(LOCK)" >&2
	@[ -x $(PY) ] || $(UV) venv --quiet --clear --no-python-downloads --python '$(or $(PYTHON),>=3.11,<3.13)' $(VENV) \
	  || { echo "make needs Python 3.11 or 3.12 on the PATH; found only: $$(python3 --version)" >&2; exit 1; }
	@$(INDEX); \
	  [ -t 2 ] || quiet=--quiet; \
	  $(UV) pip sync $$quiet $${index:+--default-index "$$index"} --require-hashes --python $(PY) $(LOCK) \
	  && $(UV) pip install --quiet $${index:+--default-index "$$index"} --no-deps --python $(PY) --editable ./local_redshift
	@touch $@

$(DBT): examples/dbt/requirements.txt | $(READY)
	@echo "Setting up dbt in .local/dbt" >&2
	@$(UV) venv --quiet --clear --python $(PY) .local/dbt
	@$(INDEX); $(UV) pip install --quiet $${index:+--default-index "$$index"} --python .local/dbt/bin/python -r $<
	@touch $@
