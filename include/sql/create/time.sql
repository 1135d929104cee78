-- one row per distinct start_time of a play
-- key: start_time
-- load: the affected days are replaced
-- late data: belongs to the interval of its own start_time
create table if not exists {{ star() }}.time (
    start_time timestamp not null sortkey,
    hour integer not null,
    day integer not null,
    week integer not null,
    month integer not null,
    year integer not null,
    weekday integer not null,
    primary key (start_time)
) diststyle all;
comment on table {{ star() }}.time is 'Start times of plays, broken into parts, UTC';
comment on column {{ star() }}.time.start_time is 'The moment, UTC, to the millisecond';
comment on column {{ star() }}.time.hour is 'Hour of the day, 0 to 23';
comment on column {{ star() }}.time.day is 'Day of the month, 1 to 31';
comment on column {{ star() }}.time.week is 'ISO week of the year, 1 to 53';
comment on column {{ star() }}.time.month is 'Month, 1 to 12';
comment on column {{ star() }}.time.year is 'Year';
comment on column {{ star() }}.time.weekday is 'Day of the week, 0 (Sunday) to 6';
