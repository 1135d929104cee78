-- one row per user whose row changes, as it will be
-- key: user_id
-- load: derived anew: the latest play decides (ties: higher session_id, then item_in_session)
-- late data: a play older than the published row changes nothing
drop table if exists {{ run_schema(run_id) }}.retracted_users;
create table {{ run_schema(run_id) }}.retracted_users (user_id integer not null) diststyle all;
-- the play that the published row came from may be gone, and nothing newer has come: the whole history is asked
insert into {{ run_schema(run_id) }}.retracted_users (user_id)
select u.user_id
from {{ star() }}.users as u
inner join {{ run_schema(run_id) }}.scope as d on u.updated_at >= d.scope_start and u.updated_at < d.scope_end
left join (
    select
        p.user_id,
        max(p.start_time) as latest
    from {{ run_schema(run_id) }}.plays as p
    group by p.user_id
) as m on u.user_id = m.user_id
where m.latest is null or m.latest < u.updated_at;

drop table if exists {{ run_schema(run_id) }}.users;
create table {{ run_schema(run_id) }}.users (like {{ star() }}.users);
insert into {{ run_schema(run_id) }}.users (user_id, first_name, last_name, gender, level, updated_at)
select
    c.user_id,
    c.first_name,
    c.last_name,
    c.gender,
    c.level,
    c.start_time
from (
    select
        a.user_id,
        a.first_name,
        a.last_name,
        a.gender,
        a.level,
        a.start_time,
        row_number() over (
            partition by a.user_id
            order by
                a.start_time desc, a.session_id desc, a.item_in_session desc, a.source_key asc, a.line_number asc
        ) as recency
    from (
        select
            p.user_id,
            p.first_name,
            p.last_name,
            p.gender,
            p.level,
            p.start_time,
            p.session_id,
            p.item_in_session,
            p.source_key,
            p.line_number
        from {{ run_schema(run_id) }}.plays as p
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
        inner join {{ run_schema(run_id) }}.retracted_users as r on e.user_id = r.user_id
        left join {{ run_schema(run_id) }}.superseded_events as x
            on e.source_key = x.source_key and e.line_number = x.line_number
        where e.page = 'NextSong' and x.source_key is null
    ) as a
) as c
left join {{ star() }}.users as u on c.user_id = u.user_id
left join {{ run_schema(run_id) }}.retracted_users as r on c.user_id = r.user_id
where c.recency = 1 and (u.user_id is null or u.updated_at <= c.start_time or r.user_id is not null);
