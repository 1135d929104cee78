"""The life of the warehouse on AWS: what the DAGs provision, pause, resume, teardown and maintenance call."""
