"""List and read objects of the lake, and validate each line against the contract."""
