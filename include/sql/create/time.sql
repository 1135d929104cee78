-- one row per distinct start_time of a play
-- key: start_time
-- load: the affected days are replaced
-- late data: belongs to the interval of its own start_time
create table if not exists {{ star() }}.time (
    start_time timestamp not null sortkey distkey,
    hour integer not null,
    day integer not null,
    week integer not null,
    month integer not null,
    year integer not null,
    weekday integer not null,
    iso_year integer not null,
    primary key (start_time)
);
comment on table {{ star() }}.time is 'Start times of plays, broken into parts, UTC';
comment on column {{ star() }}.time.start_time is 'The moment, UTC, to the millisecond';
comment on column {{ star() }}.time.hour is 'Hour of the day, 0 to 23';
comment on column {{ star() }}.time.day is 'Day of the month, 1 to 31';
comment on column {{ star() }}.time.week is 'Week of iso_year by ISO 8601, 1 to 53; a week begins on Monday';
comment on column {{ star() }}.time.month is 'Month, 1 to 12';
comment on column {{ star() }}.time.year is 'Calendar year; in the days around New Year it is not always the year of the week';
comment on column {{ star() }}.time.weekday is 'Day of the week, 0 (Sunday) to 6';
comment on column {{ star() }}.time.iso_year is 'Year of the ISO week: iso_year and week identify a week';
