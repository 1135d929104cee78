"""Redshift's SQL, statement by statement: edited, refused, or handed to the front."""
