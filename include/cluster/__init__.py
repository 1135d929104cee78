"""The life of the cluster on AWS: what the DAGs provision, pause, resume and teardown call."""
