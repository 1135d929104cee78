-- Dates and times. Everything of the stand-in is in pg_catalog, so that no search_path can lose it.
set allow_system_table_mods = on;
set standard_conforming_strings = on;

-- Where PostgreSQL would take TIMESTAMPTZ for a bare string or a date, Redshift's functions take TIMESTAMP.
update pg_type set typispreferred = (typname = 'timestamp') where typname in ('timestamp', 'timestamptz');

create function pg_catalog.getdate() returns timestamp language sql stable as
$$ select date_trunc('second', statement_timestamp() at time zone current_setting('timezone', false)) $$;

create function pg_catalog.sysdate() returns timestamp language sql stable as
$$ select now()::timestamp $$;

create function pg_catalog.local_unknown_part(part text) returns text language plpgsql immutable as $$
begin
  raise exception 'date part "%" is not supported by the local stand-in', part
    using errcode = 'feature_not_supported';
end $$;

create function pg_catalog.local_date_part(part text) returns text language sql immutable as $$
  select case
    when lower(part) in ('year', 'years', 'y', 'yr', 'yrs') then 'year'
    when lower(part) in ('quarter', 'quarters', 'qtr', 'qtrs') then 'quarter'
    when lower(part) in ('month', 'months', 'mon', 'mons') then 'month'
    when lower(part) in ('week', 'weeks', 'w') then 'week'
    when lower(part) in ('day', 'days', 'd') then 'day'
    when lower(part) in ('hour', 'hours', 'h', 'hr', 'hrs') then 'hour'
    when lower(part) in ('minute', 'minutes', 'm', 'min', 'mins') then 'minute'
    when lower(part) in ('second', 'seconds', 's', 'sec', 'secs') then 'second'
    when lower(part) in ('millisecond', 'milliseconds', 'ms', 'msec', 'msecs', 'msecond', 'mseconds')
      then 'millisecond'
    when lower(part) in ('microsecond', 'microseconds', 'us', 'usec', 'usecs', 'usecond', 'useconds')
      then 'microsecond'
    else local_unknown_part(part) end $$;

create function pg_catalog.local_unit(part text) returns interval language sql immutable as $$
  select case local_date_part(part)
    when 'quarter' then interval '3 months' else ('1 ' || local_date_part(part))::interval end $$;

-- DATEADD and DATEDIFF are single expressions and not STRICT, so that the planner writes them into the query and
-- computes what depends only on a constant date part.
create function pg_catalog.dateadd(part text, n bigint, moment timestamp) returns timestamp language sql immutable as
$$ select moment + n * local_unit(part) $$;
create function pg_catalog.dateadd(part text, n bigint, moment timestamptz) returns timestamptz language sql stable as
$$ select moment + n * local_unit(part) $$;
create function pg_catalog.dateadd(part text, n bigint, moment time) returns time language sql immutable as
$$ select moment + n * local_unit(part) $$;

-- Counts the boundaries crossed, as Redshift does; its weeks begin on Sunday (1970-01-04 was one).
create function pg_catalog.datediff(part text, a timestamp, b timestamp) returns bigint language sql immutable as $$
  select case local_date_part(part)
    when 'year' then (date_part('year', b) - date_part('year', a))::bigint
    when 'quarter' then (4 * (date_part('year', b) - date_part('year', a))
                         + date_part('quarter', b) - date_part('quarter', a))::bigint
    when 'month' then (12 * (date_part('year', b) - date_part('year', a))
                       + date_part('month', b) - date_part('month', a))::bigint
    when 'week' then (floor((b::date - date '1970-01-04') / 7.0::float8)
                      - floor((a::date - date '1970-01-04') / 7.0::float8))::bigint
    when 'day' then (b::date - a::date)::bigint
    when 'hour' then (floor(date_part('epoch', b) / 3600) - floor(date_part('epoch', a) / 3600))::bigint
    when 'minute' then (floor(date_part('epoch', b) / 60) - floor(date_part('epoch', a) / 60))::bigint
    when 'second' then (floor(date_part('epoch', b)) - floor(date_part('epoch', a)))::bigint
    when 'millisecond' then ((date_part('epoch', b - a) * 1000000)::bigint
                             - date_part('microseconds', b)::bigint % 1000
                             + date_part('microseconds', a)::bigint % 1000) / 1000
    when 'microsecond' then (date_part('epoch', b - a) * 1000000)::bigint end $$;
create function pg_catalog.datediff(part text, a time, b time) returns bigint language sql immutable as
$$ select datediff(part, date '1970-01-04' + a, date '1970-01-04' + b) $$;

-- The names that Redshift's own error messages use; dbt writes date_diff.
create function pg_catalog.date_add(part text, n bigint, moment timestamp) returns timestamp language sql immutable as
$$ select dateadd(part, n, moment) $$;
create function pg_catalog.date_diff(part text, a timestamp, b timestamp) returns bigint language sql immutable as
$$ select datediff(part, a, b) $$;

create function pg_catalog.trunc(moment timestamp) returns date language sql immutable strict as
$$ select moment::date $$;

create function pg_catalog.date_trunc(part text, day date) returns timestamp language sql immutable strict as
$$ select date_trunc(part, day::timestamp) $$;

create function pg_catalog.last_day(day timestamp) returns date language sql immutable strict as
$$ select (date_trunc('month', day) + interval '1 month' - interval '1 day')::date $$;

create function pg_catalog.add_months(day timestamp, n bigint) returns timestamp language sql immutable strict as
$$ select case when day::date = last_day(day)
               then last_day(day + n * interval '1 month') + (day - date_trunc('day', day))
               else day + n * interval '1 month' end $$;

-- Whole months between equal days of the month or two last days; else the rest counts in months of 31 days.
create function pg_catalog.months_between(a timestamp, b timestamp) returns double precision
language sql immutable strict as $$
  select 12 * (date_part('year', a) - date_part('year', b)) + date_part('month', a) - date_part('month', b)
         + case when date_part('day', a) = date_part('day', b)
                  or (a::date = last_day(a) and b::date = last_day(b)) then 0
                else (date_part('day', a) - date_part('day', b)
                      + (date_part('epoch', a::time) - date_part('epoch', b::time)) / 86400) / 31 end $$;

create function pg_catalog.next_day(day timestamp, weekday text) returns date language sql immutable strict as $$
  select day::date + 1 + (array_position(array['su', 'mo', 'tu', 'we', 'th', 'fr', 'sa'], left(lower(weekday), 2)) - 1
                          - date_part('dow', day::date + 1)::int + 7) % 7 $$;

create function pg_catalog.date_part_year(day date) returns integer language sql immutable strict as
$$ select date_part('year', day)::integer $$;

create function pg_catalog.convert_timezone(source text, target text, moment timestamp) returns timestamp
language sql immutable strict as $$ select moment at time zone source at time zone target $$;

create function pg_catalog.convert_timezone(target text, moment timestamp) returns timestamp
language sql immutable strict as $$ select moment at time zone 'UTC' at time zone target $$;

-- extract() of a timestamp is an integer there: fractions of a second are lost.
alter function pg_catalog.extract(text, timestamp) rename to local_extract;
create function pg_catalog.extract(part text, moment timestamp) returns bigint language sql immutable strict as
$$ select floor(local_extract(part, moment))::bigint $$;
alter function pg_catalog.extract(text, date) rename to local_extract;
create function pg_catalog.extract(part text, day date) returns bigint language sql immutable strict as
$$ select floor(local_extract(part, day))::bigint $$;

-- Only PostgreSQL has the one that takes seconds.
alter function pg_catalog.to_timestamp(double precision) rename to local_to_timestamp;
