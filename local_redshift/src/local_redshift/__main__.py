"""Run the command `local-redshift` as `python -m local_redshift`."""

from .cli import main

main()
