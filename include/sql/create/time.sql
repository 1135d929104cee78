-- one row per distinct start_time of a play
-- key: start_time
-- load: the affected days are replaced
-- late data: a late play affects the day of its own start_time
create table if not exists {{ star() }}.time (
    start_time timestamp not null sortkey distkey, -- Start time of a play, UTC, to the millisecond
    hour integer not null, -- Hour of the day, 0 to 23
    day integer not null, -- Day of the month, 1 to 31
    week integer not null, -- ISO 8601 week of iso_year, 1 to 53. A week begins on Monday
    month integer not null, -- Month, 1 to 12
    year integer not null, -- Calendar year, which can differ from iso_year around New Year
    weekday integer not null, -- Day of the week, 0 (Sunday) to 6
    iso_year integer not null, -- Year of the ISO week. iso_year and week identify a week
    primary key (start_time)
);
