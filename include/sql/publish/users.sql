-- one row per user with a play
-- load: candidates replace the rows of their users, and a user without a remaining play is deleted
delete from {{ star() }}.users
using {{ run_schema() }}.retracted_users as r
where users.user_id = r.user_id;
delete from {{ star() }}.users
using {{ run_schema() }}.users as c
where users.user_id = c.user_id;
insert into {{ star() }}.users ({{ columns("users") }})
select {{ columns("users") }}
from {{ run_schema() }}.users;
