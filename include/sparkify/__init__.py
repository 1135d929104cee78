"""The pipeline. Each part imports only from itself and from the parts above it.

1. The modules of this package, which all parts share: tables, settings, errors, intervals, clients of AWS.
2. `files`: read the lake, and compare each line with the contract.
3. `redshift`: connect to the warehouse, create its tables, read the ledger.
4. `tasks`: the work of the DAGs' tasks, one module per task.
5. `watching`: the run report and lineage.
"""
