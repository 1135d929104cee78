-- How many files and lines were loaded, and how many lines rejected and files refused?
select
    kind,
    files,
    lines,
    accepted,
    rejected,
    refused_files
from reports.loads
order by kind
