-- How many files and lines were loaded, and how many lines rejected?
select
    kind,
    count(*) as files,
    sum(lines)::bigint as lines,
    sum(accepted)::bigint as accepted,
    sum(rejected)::bigint as rejected
from sparkify_ops.loaded_files
group by kind
order by kind
