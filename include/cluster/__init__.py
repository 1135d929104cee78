"""Implement the tasks of the DAGs provision, pause, resume and teardown, which manage the cluster on AWS."""
