# Runtime 13.11.0 is Airflow 2.11.2. Until when both are maintained, and how to move on: docs/decisions/astro-sdk.md.
#
# Why the -base variant and these steps by hand: the plain tag installs requirements.txt by ONBUILD, before any
# line of this file. astro-sdk-python requires flask-session<0.6 and Airflow 2.11.2 requires >=0.8, so that install has
# no solution. The SDK never imports flask-session: pyproject.toml overrides the bound ([tool.uv]
# override-dependencies), and uv reads it only if pyproject.toml is beside requirements.txt.
FROM quay.io/astronomer/astro-runtime:13.11.0-base

USER root
COPY packages.txt .
RUN /usr/local/bin/install-system-packages
# The lock is the constraint, added to any that the Runtime sets: the image has the versions that the tests ran with.
COPY requirements.txt requirements.lock pyproject.toml ./
# It reports conflicts with 1, which would end this step in a shell with pipefail and must not count in the one below.
RUN pip check > /tmp/conflicts.all || true; sed 's/, but you have .*//' /tmp/conflicts.all > /tmp/conflicts
RUN UV_CONSTRAINT="${UV_CONSTRAINT:-} requirements.lock" /usr/local/bin/install-python-dependencies

# The build stops if the tag's Airflow is not the one of the lock. Astronomer's builds add a suffix, as in 2.11.2+astro.7.
ARG AIRFLOW_VERSION=2.11.2
RUN python -c "import sys; from importlib.metadata import version; v = version('apache-airflow'); v.split('+')[0] == sys.argv[1] or sys.exit('Airflow is ' + v)" "$AIRFLOW_VERSION"
# It also stops if the lock took from another package of the Runtime a version that it needs. Only the SDK's bound is known.
RUN pip check > /tmp/conflicts.all || true; ! sed 's/, but you have .*//' /tmp/conflicts.all | grep -vxFf /tmp/conflicts | grep -vi '^No broken requirements found\|^astro-sdk-python .* flask-session'

# The task `plan` of the DAG `reports` has created the schema; without this the SDK creates it, too.
ENV AIRFLOW__ASTRO_SDK__ASSUME_SCHEMA_EXISTS=True
# Seconds. The imports of Amazon's provider can exceed the default of 30 on a busy machine.
ENV AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT=120
# The DAG processor stops a file after its own limit, whose default is 50.
ENV AIRFLOW__CORE__DAG_FILE_PROCESSOR_TIMEOUT=180
# Astro sends lineage by default (docs/watching.md), but not the source code of tasks.
ENV AIRFLOW__OPENLINEAGE__DISABLE_SOURCE_CODE=True
# Our own file names the datasets of our tasks: no SQL, no further connections, the same names in every run.
ENV AIRFLOW__OPENLINEAGE__EXTRACTORS=include.sparkify.watching.lineage.Extractor
ENV AIRFLOW__OPENLINEAGE__EMISSION_POLICY='[{"scope": {"dag_id": "sparkify|reports"}, "match_mode": "regex", "controls": {"hook_lineage": false}}]'
# In a thread, not in a fork of the task's process per event.
ENV AIRFLOW__OPENLINEAGE__EXECUTE_IN_THREAD=True

USER astro
COPY --chown=astro:0 . .
