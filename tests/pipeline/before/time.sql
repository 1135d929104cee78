-- one row per distinct start_time of a play
-- key: start_time
-- load: the affected days are replaced
-- late data: belongs to the interval of its own start_time
create table {{ star() }}.time (
    start_time timestamp not null sortkey,
    hour integer not null,
    day integer not null,
    week integer not null,
    month integer not null,
    year integer not null,
    weekday integer not null,
    primary key (start_time)
) diststyle all;
