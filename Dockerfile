# Runtime 13.11.0 has Airflow 2.11.2. For their end of support and the upgrade, see docs/decisions/astro-sdk.md.
#
# This file uses the -base variant and installs the packages itself, because the plain tag installs requirements.txt with
# ONBUILD, before any line of this file. That installation cannot be resolved: astro-sdk-python requires
# flask-session<0.6, and Airflow 2.11.2 requires >=0.8. The SDK never imports flask-session, so pyproject.toml overrides
# the bound ([tool.uv] override-dependencies). uv reads it only if pyproject.toml is beside requirements.txt.
FROM quay.io/astronomer/astro-runtime:13.11.0-base

USER root
COPY packages.txt .
RUN /usr/local/bin/install-system-packages
# The lock is added to the constraints that the Runtime sets, so that the image has the versions that were tested.
COPY requirements.txt requirements.lock pyproject.toml ./
# pip check exits with 1 if it finds conflicts. In a shell with pipefail, this exit code would end this step, and it must
# not count in the step below.
RUN pip check > /tmp/conflicts.all || true; sed 's/, but you have .*//' /tmp/conflicts.all > /tmp/conflicts
RUN UV_CONSTRAINT="${UV_CONSTRAINT:-} requirements.lock" /usr/local/bin/install-python-dependencies

# The build stops if the tag's Airflow version differs from the lock's. Astronomer's builds add a suffix, for example
# 2.11.2+astro.7.
ARG AIRFLOW_VERSION=2.11.2
RUN python -c "import sys; from importlib.metadata import version; v = version('apache-airflow'); v.split('+')[0] == sys.argv[1] or sys.exit('Airflow is ' + v)" "$AIRFLOW_VERSION"
# It also stops if a version in the lock conflicts with another package of the Runtime. Only the SDK's bound is known.
RUN pip check > /tmp/conflicts.all || true; ! sed 's/, but you have .*//' /tmp/conflicts.all | grep -vxFf /tmp/conflicts | grep -vi '^No broken requirements found\|^astro-sdk-python .* flask-session'

# The task `plan` of the DAG `reports` creates the schema. Without this setting, the SDK would create it, too.
ENV AIRFLOW__ASTRO_SDK__ASSUME_SCHEMA_EXISTS=True
# On a busy machine, the imports of Amazon's provider can exceed the default of 30 seconds.
ENV AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT=120
# The DAG processor has its own time limit per file, with a default of 50 seconds.
ENV AIRFLOW__CORE__DAG_FILE_PROCESSOR_TIMEOUT=180
# Astro sends lineage by default (docs/watching.md), but not the source code of tasks.
ENV AIRFLOW__OPENLINEAGE__DISABLE_SOURCE_CODE=True
# Our own extractor names the datasets of our tasks. It sends no SQL, opens no connections and uses the same names in
# every run.
ENV AIRFLOW__OPENLINEAGE__EXTRACTORS=include.sparkify.watching.lineage.Extractor
ENV AIRFLOW__OPENLINEAGE__EMISSION_POLICY='[{"scope": {"dag_id": "sparkify|reports"}, "match_mode": "regex", "controls": {"hook_lineage": false}}]'
# Send each event in a thread, not in a fork of the task's process.
ENV AIRFLOW__OPENLINEAGE__EXECUTE_IN_THREAD=True

USER astro
COPY --chown=astro:0 . .
