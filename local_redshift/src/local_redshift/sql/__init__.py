"""Edit or refuse Redshift's SQL statement by statement, or pass a statement to the front."""
