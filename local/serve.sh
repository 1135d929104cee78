#!/bin/sh
# The command of service local-aws in docker-compose.override.yml. The first start installs the packages of
# requirements-local.lock into a volume; later starts use them until the lock changes. Any failure ends the container.
set -eu
if ! cmp -s requirements-local.lock /packages/requirements-local.lock; then
  echo "Installing the packages of requirements-local.lock"
  rm -rf /packages/*
  # --no-deps because the lock is complete; only wheels because the image has no compiler.
  pip install --quiet --root-user-action=ignore --disable-pip-version-check --no-cache-dir \
    --no-deps --require-hashes --only-binary :all: --target /packages --requirement requirements-local.lock
  cp requirements-local.lock /packages/
fi
exec python -m local.serve
