-- one row per user whose row may change, with the values to publish
-- key: user_id
-- load: derived from the latest play (ties: higher session_id, then higher item_in_session, then first file and line)
-- late data: a play that is older than the published row does not change the row
drop table if exists {{ run_schema() }}.users;
create table {{ run_schema() }}.users (like {{ star() }}.users);
insert into {{ run_schema() }}.users (user_id, first_name, last_name, gender, level, updated_at)
with user_plays as (
    select
        user_id,
        first_name,
        last_name,
        gender,
        level,
        start_time,
        session_id,
        item_in_session,
        source_key,
        line_number
    from {{ run_schema() }}.plays
    union all
    select
        e.user_id,
        e.first_name,
        e.last_name,
        e.gender,
        e.level,
        e.start_time,
        e.session_id,
        e.item_in_session,
        e.source_key,
        e.line_number
    from {{ star() }}.events as e
    inner join {{ run_schema() }}.retracted_users as r on e.user_id = r.user_id
    left join {{ run_schema() }}.staging_files as f on e.source_key = f.source_key
    where e.page = 'NextSong' and f.source_key is null
),

ranked_plays as (
    select
        user_id,
        first_name,
        last_name,
        gender,
        level,
        start_time,
        row_number() over (
            partition by user_id
            order by start_time desc, session_id desc, item_in_session desc, source_key asc, line_number asc
        ) as recency
    from user_plays
)

select
    p.user_id,
    p.first_name,
    p.last_name,
    p.gender,
    p.level,
    p.start_time
from ranked_plays as p
left join {{ star() }}.users as u on p.user_id = u.user_id
left join {{ run_schema() }}.retracted_users as r on p.user_id = r.user_id
where p.recency = 1 and (u.user_id is null or u.updated_at <= p.start_time or r.user_id is not null);
