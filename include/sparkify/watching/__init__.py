"""Write the run report, and provide lineage to OpenLineage."""
