"""Connect to the warehouse, create its tables and grants, and read the ledger."""
