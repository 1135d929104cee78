-- one row per user with a play
-- key: user_id
-- load: merged. The latest play decides (ties: higher session_id, then item_in_session)
-- late data: a late play changes the row only if it is the user's latest play
create table if not exists {{ star() }}.users (
    user_id integer not null sortkey,
    first_name varchar(256),
    last_name varchar(256),
    gender varchar(16),
    level varchar(16) not null,
    updated_at timestamp not null,
    primary key (user_id)
) diststyle all;
comment on table {{ star() }}.users is 'Users with a play, as of their latest play';
comment on column {{ star() }}.users.user_id is 'Natural key of the user';
comment on column {{ star() }}.users.first_name is 'First name';
comment on column {{ star() }}.users.last_name is 'Last name';
comment on column {{ star() }}.users.gender is 'F or M, as delivered';
comment on column {{ star() }}.users.level is 'Subscription at the latest play: free or paid';
comment on column {{ star() }}.users.updated_at is 'Time of the latest play, UTC';
