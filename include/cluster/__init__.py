"""The life of the cluster on AWS: the steps of the DAGs provision, pause, resume and teardown."""
