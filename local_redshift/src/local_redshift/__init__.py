"""A local Amazon Redshift and S3: PostgreSQL with Redshift's protocol and SQL, and moto.

import local_redshift, psycopg2

with local_redshift.server() as redshift:
    psycopg2.connect(**redshift.login)
"""

from .service import DEFAULT_HOME, REGION, Options, Running, ServiceError, server, start, status, stop

__all__ = [
    "DEFAULT_HOME",
    "REGION",
    "Options",
    "Running",
    "ServiceError",
    "server",
    "start",
    "status",
    "stop",
]
