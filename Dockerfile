# Runtime 13.11.0 is Airflow 2.11.2, supported to 2027-04-30.
#
# Why the -base variant and these steps by hand: the plain tag installs requirements.txt by ONBUILD, before any
# line of this file. astro-sdk-python asks for flask-session<0.6 and Airflow 2.11.2 for >=0.8, so that install has
# no solution. The SDK never imports flask-session: pyproject.toml overrides the bound ([tool.uv]
# override-dependencies), and uv reads it only where pyproject.toml lies beside requirements.txt beforehand.
FROM quay.io/astronomer/astro-runtime:13.11.0-base

USER root
COPY packages.txt .
RUN /usr/local/bin/install-system-packages
COPY requirements.txt pyproject.toml ./
RUN /usr/local/bin/install-python-dependencies

# The build stops when the tag's Airflow is not the one the lock was made and tested with.
ARG AIRFLOW_VERSION=2.11.2
RUN python -c "import sys; from importlib.metadata import version; v = version('apache-airflow'); v == sys.argv[1] or sys.exit('Airflow is ' + v)" "$AIRFLOW_VERSION"

# The Astro SDK passes its tables from task to task; Airflow refuses to read classes that are not named here.
ENV AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES="airflow.* astro.*"
# The warehouse user may not create schemas beside its own; without this the SDK tries to.
ENV AIRFLOW__ASTRO_SDK__ASSUME_SCHEMA_EXISTS=True

USER astro
COPY --chown=astro:0 . .
