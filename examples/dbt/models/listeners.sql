-- One row per user with a play: the number of plays, the first and last play, and the artist played most.
{{ config(dist="all") }}

with plays as (
    select
        user_id,
        artist,
        count(*) as plays,
        min(start_time) as first_play,
        max(start_time) as last_play
    from {{ source("sparkify", "songplays") }}
    group by user_id, artist
),

ranked as (
    select
        user_id,
        artist,
        row_number() over (partition by user_id order by plays desc, artist) as place,
        sum(plays) over (partition by user_id) as plays,
        min(first_play) over (partition by user_id) as first_play,
        max(last_play) over (partition by user_id) as last_play
    from plays
)

select
    u.user_id,
    u.first_name,
    u.last_name,
    u.level,
    r.plays,
    r.first_play,
    r.last_play,
    datediff(day, r.first_play, r.last_play) as days,
    r.artist as favorite_artist
from ranked as r
inner join {{ source("sparkify", "users") }} as u on r.user_id = u.user_id
where r.place = 1
