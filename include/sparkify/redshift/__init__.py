"""Connect to the warehouse, create tables, grant access, and read the ledger."""
