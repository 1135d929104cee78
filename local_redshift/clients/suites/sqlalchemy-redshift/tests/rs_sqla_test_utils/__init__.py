"""The package that sqlalchemy-redshift's tests import and its source distribution leaves out, written again."""
