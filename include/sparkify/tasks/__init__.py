"""The work of the tasks: a module per task, and the callback for those that fail."""
