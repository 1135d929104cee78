-- What was loaded, and what was refused?
select
    kind,
    count(*) as files,
    sum(lines)::bigint as lines,
    sum(accepted)::bigint as accepted,
    sum(rejected)::bigint as rejected
from sparkify.loaded_files
group by kind
order by kind
