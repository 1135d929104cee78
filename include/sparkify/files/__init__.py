"""Read the lake: list and get objects, and compare each line with the contract."""
