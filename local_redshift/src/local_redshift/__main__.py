"""`python -m local_redshift` is the command `local-redshift`."""

from .cli import main

main()
