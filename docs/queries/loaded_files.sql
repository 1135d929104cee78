-- How many files and lines were loaded, how many lines were rejected, and how many files were refused?
select
    kind,
    files,
    lines,
    accepted,
    rejected,
    refused_files
from reports.loads
order by kind
