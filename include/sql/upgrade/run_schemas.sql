-- from: run_schema varchar(127), run_id varchar(256), created_at timestamp
-- The table now has an expiration time instead of a creation time.
select
    run_schema,
    run_id,
    dateadd(day, 2, created_at) as expires_at
from run_schemas_before;
