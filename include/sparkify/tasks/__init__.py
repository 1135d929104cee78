"""Implement the tasks of the DAGs, with one module per task, and the callback for failed tasks."""
