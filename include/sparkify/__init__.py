"""The code of the pipeline. Each part imports only from itself and from the parts that precede it in this list.

1. The modules of this package, which all parts share: tables, settings, errors, intervals and AWS clients.
2. `files`: read the lake, and validate each line against the contract.
3. `redshift`: connect to the warehouse, create its tables, and read the ledger.
4. `tasks`: implement the tasks of the DAGs, with one module per task.
5. `watching`: write the run report, and provide lineage.
"""
