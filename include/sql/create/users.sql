-- one row per user with a play
-- key: user_id
-- load: merged. The latest play decides (ties: higher session_id, then item_in_session)
-- late data: a late play changes the row only if it is the user's latest play
create table if not exists {{ star() }}.users (
    user_id integer not null sortkey, -- Natural key of the user
    first_name varchar(256), -- First name
    last_name varchar(256), -- Last name
    gender varchar(16), -- F or M, as delivered
    level varchar(16) not null, -- Subscription at the latest play: free or paid
    updated_at timestamp not null, -- Time of the latest play, UTC
    primary key (user_id)
) diststyle all;
