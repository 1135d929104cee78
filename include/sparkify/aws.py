"""Create clients of AWS services from the connection ``aws_default``."""

from __future__ import annotations

from typing import Any

from include.sparkify.settings import AWS_CONN_ID


def client(service: str, region: str | None = None) -> Any:
    """Return a boto3 client for a service, by default in the Region of the connection.

    This function does not call ``hook.get_conn()``, because that method inspects the call stack to create the
    User-Agent header, which takes 0.3 CPU seconds in each task.
    """
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    hook = AwsBaseHook(AWS_CONN_ID, client_type=service, region_name=region)
    return hook.get_session(hook.region_name).client(
        service,
        endpoint_url=hook.conn_config.get_service_endpoint_url(service),
        config=hook.config,
        verify=hook.verify,
    )
