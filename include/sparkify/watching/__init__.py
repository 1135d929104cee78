"""The run report and lineage: facts about a run, for people and for machines."""
