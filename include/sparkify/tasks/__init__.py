"""The work of the tasks: one module per task, and the callback for failed tasks."""
