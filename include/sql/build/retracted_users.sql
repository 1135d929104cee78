-- one row per user whose published row may be derived from a deleted play, because no play on the affected days is as late
-- key: user_id
-- load: derived. The rows of these users are rebuilt from their whole history
-- late data: none
drop table if exists {{ run_schema() }}.retracted_users;
create table {{ run_schema() }}.retracted_users diststyle all as
with latest_plays as (
    select
        user_id,
        max(start_time) as latest
    from {{ run_schema() }}.plays
    group by user_id
)
select u.user_id
from {{ star() }}.users as u
inner join {{ run_schema() }}.affected_days as d on date_trunc('day', u.updated_at) = d.day_start
left join latest_plays as p on u.user_id = p.user_id
where p.latest is null or p.latest < u.updated_at;
