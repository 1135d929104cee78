"""Our replacement for a package that sqlalchemy-redshift's tests import and its source distribution lacks."""
