-- one row per user with a play
-- key: user_id
-- load: merged. The latest play determines the row (ties: higher session_id, then higher item_in_session)
-- late data: a late play changes the row only if it is the user's latest play
create table if not exists {{ star() }}.users (
    user_id integer not null sortkey, -- Natural key of the user
    first_name varchar(256), -- First name of the user
    last_name varchar(256), -- Last name of the user
    gender varchar(16), -- F or M, as delivered
    level varchar(16) not null, -- Subscription at the time of the latest play: free or paid
    updated_at timestamp not null, -- Time of the latest play, UTC
    primary key (user_id)
) diststyle all;
