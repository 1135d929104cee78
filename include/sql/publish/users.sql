-- one row per user with a play
-- load: candidates take the place of their rows; a user whose plays are all gone goes too
delete from {{ star() }}.users
using {{ run_schema(run_id) }}.retracted_users as r
where users.user_id = r.user_id;
delete from {{ star() }}.users
using {{ run_schema(run_id) }}.users as c
where users.user_id = c.user_id;
insert into {{ star() }}.users (user_id, first_name, last_name, gender, level, updated_at)
select
    user_id,
    first_name,
    last_name,
    gender,
    level,
    updated_at
from {{ run_schema(run_id) }}.users;
