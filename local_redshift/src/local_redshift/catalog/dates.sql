-- Dates and times. All objects of the stand-in are in pg_catalog, so that they are found with every search_path.
set allow_system_table_mods = on;
set standard_conforming_strings = on;

-- Where PostgreSQL would convert an untyped string or a date to TIMESTAMPTZ, Redshift's functions use TIMESTAMP.
update pg_type set typispreferred = (typname = 'timestamp') where typname in ('timestamp', 'timestamptz');

create function pg_catalog.getdate() returns timestamp language sql stable as
$$ select date_trunc('second', statement_timestamp() at time zone current_setting('timezone', false)) $$;

-- SYSDATE. The function has the name of SYSDATE's result column, because a column without an alias is named after its
-- function.
create function pg_catalog."timestamp"() returns timestamp language sql stable as
$$ select now()::timestamp $$;

create function pg_catalog.local_unknown_part(part text) returns text language plpgsql immutable as $$
begin
  raise exception 'date part "%" is not supported here', part using errcode = 'invalid_parameter_value';
end $$;

-- https://docs.aws.amazon.com/redshift/latest/dg/r_Dateparts_for_datetime_functions.html
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
    when lower(part) in ('millisecond', 'milliseconds', 'ms', 'msec', 'msecs', 'msecond', 'mseconds', 'millisec',
                         'millisecs', 'millisecon') then 'millisecond'
    when lower(part) in ('microsecond', 'microseconds', 'us', 'usec', 'usecs', 'usecond', 'useconds', 'microsec',
                         'microsecs') then 'microsecond'
    when lower(part) in ('decade', 'decades', 'dec', 'decs') then 'decade'
    when lower(part) in ('century', 'centuries', 'c', 'cent', 'cents') then 'century'
    when lower(part) in ('millennium', 'millennia', 'mil', 'mils') then 'millennium'
    when lower(part) in ('dayofweek', 'dow', 'dw', 'weekday') then 'dow'
    when lower(part) in ('dayofyear', 'doy', 'dy', 'yearday') then 'doy'
    when lower(part) in ('epoch', 'timezone', 'timezone_hour', 'timezone_minute') then lower(part)
    else local_unknown_part(part) end $$;

-- DATE_PART (pgdate_part) and EXTRACT (date_part), named after their result columns on Redshift. Milliseconds and
-- microseconds do not include the seconds. EXTRACT returns an INTEGER, or a DOUBLE PRECISION for TIMESTAMPTZ. The
-- functions are not STRICT, so that the planner inlines them and refuses an invalid date part even in a query without
-- rows.
do $$
declare
  moment text;
  own text;
begin
  foreach moment in array array['timestamp', 'date', 'timestamptz', 'time', 'timetz', 'interval', 'text'] loop
    own := case moment when 'text' then '$2::timestamp' else '$2' end;
    if moment <> 'text' then
      execute format('alter function pg_catalog.date_part(text, %s) rename to local_part', moment);
      execute format('alter function pg_catalog.extract(text, %s) rename to local_extract', moment);
    end if;
    execute format(
      'create function pg_catalog.pgdate_part(text, %s) returns double precision language sql stable as $f$
       select case local_date_part($1)
         when ''millisecond'' then floor(local_part(''microsecond'', %s)::bigint %% 1000000 / 1000)
         when ''microsecond'' then local_part(''microsecond'', %s)::bigint %% 1000000
         else local_part(local_date_part($1), %s) end $f$', moment, own, own, own);
    execute format(
      'create function pg_catalog.date_part(text, %s) returns %s language sql stable as $f$
       select floor(pgdate_part($1, $2))::%s $f$', moment, kind, kind)
    from (select case moment when 'timestamptz' then 'double precision' else 'integer' end as kind);
  end loop;
end $$;

create function pg_catalog.local_unit(part text) returns interval language sql immutable as $$
  select case local_date_part(part)
    when 'quarter' then interval '3 months'
    when 'dow' then local_unknown_part(part)::interval when 'doy' then local_unknown_part(part)::interval
    when 'epoch' then local_unknown_part(part)::interval
    else ('1 ' || local_date_part(part))::interval end $$;

-- DATEADD and DATEDIFF, named after their result columns on Redshift. They are single expressions and not STRICT, so
-- that the planner inlines them and precomputes the expressions that depend only on a constant date part.
create function pg_catalog.date_add(part text, n bigint, moment timestamp) returns timestamp language sql immutable as
$$ select moment + n * local_unit(part) $$;
create function pg_catalog.date_add(part text, n bigint, moment timestamptz) returns timestamptz language sql stable as
$$ select moment + n * local_unit(part) $$;
create function pg_catalog.date_add(part text, n bigint, moment time) returns time language sql immutable as
$$ select moment + n * local_unit(part) $$;
create function pg_catalog.date_add(part text, n bigint, moment timetz) returns timetz language sql immutable as
$$ select moment + n * local_unit(part) $$;
create function pg_catalog.date_add(part text, n bigint, moment text) returns timestamp language sql stable as
$$ select moment::timestamp + n * local_unit(part) $$;
-- Years. 29 February plus one year is 1 March, although 29 February plus 12 months is 28 February.
-- https://docs.aws.amazon.com/redshift/latest/dg/r_DATEADD_function.html
create function pg_catalog.date_add(part text, n bigint, moment timestamp, of_years boolean) returns timestamp
language sql immutable as $$
  select moment + n * local_unit(part)
         + case when local_part('day', moment) = 29 and local_part('day', moment + n * local_unit(part)) = 28
                then interval '1 day' else interval '0' end $$;
create function pg_catalog.date_add(part text, n bigint, moment timestamptz, of_years boolean) returns timestamptz
language sql stable as $$ select date_add(part, n, moment at time zone 'UTC', of_years) at time zone 'UTC' $$;
create function pg_catalog.date_add(part text, n bigint, moment text, of_years boolean) returns timestamp
language sql stable as $$ select date_add(part, n, moment::timestamp, of_years) $$;

-- Count the boundaries that are crossed, as Redshift does. Its weeks begin on Sunday (1970-01-04 was a Sunday).
create function pg_catalog.date_diff(part text, a timestamp, b timestamp) returns bigint language sql immutable as $$
  select case local_date_part(part)
    when 'year' then (local_part('year', b) - local_part('year', a))::bigint
    when 'decade' then (local_part('decade', b) - local_part('decade', a))::bigint
    when 'century' then (local_part('century', b) - local_part('century', a))::bigint
    when 'millennium' then (local_part('millennium', b) - local_part('millennium', a))::bigint
    when 'quarter' then (4 * (local_part('year', b) - local_part('year', a))
                         + local_part('quarter', b) - local_part('quarter', a))::bigint
    when 'month' then (12 * (local_part('year', b) - local_part('year', a))
                       + local_part('month', b) - local_part('month', a))::bigint
    when 'week' then (floor((b::date - date '1970-01-04') / 7.0::float8)
                      - floor((a::date - date '1970-01-04') / 7.0::float8))::bigint
    when 'day' then (b::date - a::date)::bigint
    when 'hour' then (floor(local_part('epoch', b) / 3600) - floor(local_part('epoch', a) / 3600))::bigint
    when 'minute' then (floor(local_part('epoch', b) / 60) - floor(local_part('epoch', a) / 60))::bigint
    when 'second' then (floor(local_part('epoch', b)) - floor(local_part('epoch', a)))::bigint
    when 'millisecond' then ((local_part('epoch', b - a) * 1000000)::bigint
                             - local_part('microseconds', b)::bigint % 1000
                             + local_part('microseconds', a)::bigint % 1000) / 1000
    when 'microsecond' then (local_part('epoch', b - a) * 1000000)::bigint
    else local_unknown_part(part)::bigint end $$;
create function pg_catalog.date_diff(part text, a time, b time) returns bigint language sql immutable as
$$ select date_diff(part, date '1970-01-04' + a, date '1970-01-04' + b) $$;
create function pg_catalog.date_diff(part text, a timetz, b timetz) returns bigint language sql immutable as
$$ select date_diff(part, (date '1970-01-04' + a) at time zone 'UTC', (date '1970-01-04' + b) at time zone 'UTC') $$;
create function pg_catalog.date_diff(part text, a text, b text) returns bigint language sql stable as
$$ select date_diff(part, a::timestamp, b::timestamp) $$;
create function pg_catalog.date_diff(part text, a text, b timestamp) returns bigint language sql stable as
$$ select date_diff(part, a::timestamp, b) $$;
create function pg_catalog.date_diff(part text, a timestamp, b text) returns bigint language sql stable as
$$ select date_diff(part, a, b::timestamp) $$;

create function pg_catalog.trunc(moment timestamp) returns date language sql immutable strict as
$$ select moment::date $$;

create function pg_catalog.date_trunc(part text, day date) returns timestamp language sql immutable strict as
$$ select date_trunc(part, day::timestamp) $$;

create function pg_catalog.date_trunc(part text, moment text) returns timestamp language sql stable strict as
$$ select date_trunc(part, moment::timestamp) $$;

create function pg_catalog.last_day(day timestamp) returns date language sql immutable strict as
$$ select (date_trunc('month', day) + interval '1 month' - interval '1 day')::date $$;

create function pg_catalog.add_months(day timestamp, n bigint) returns timestamp language sql immutable strict as
$$ select case when day::date = last_day(day)
               then last_day(day + n * interval '1 month') + (day - date_trunc('day', day))
               else day + n * interval '1 month' end $$;

-- Return whole months if both days of the month are equal or both are the last of their months. Otherwise, the
-- remaining days are a fraction of a month of 31 days.
create function pg_catalog.months_between(a timestamp, b timestamp) returns double precision
language sql immutable strict as $$
  select 12 * (local_part('year', a) - local_part('year', b)) + local_part('month', a) - local_part('month', b)
         + case when local_part('day', a) = local_part('day', b)
                  or (a::date = last_day(a) and b::date = last_day(b)) then 0
                else (local_part('day', a) - local_part('day', b)
                      + (local_part('epoch', a::time) - local_part('epoch', b::time)) / 86400) / 31 end $$;

create function pg_catalog.next_day(day timestamp, weekday text) returns date language sql immutable strict as $$
  select day::date + 1 + (array_position(array['su', 'mo', 'tu', 'we', 'th', 'fr', 'sa'], left(lower(weekday), 2)) - 1
                          - local_part('dow', day::date + 1)::int + 7) % 7 $$;

create function pg_catalog.date_part_year(day date) returns integer language sql immutable strict as
$$ select local_part('year', day)::integer $$;

create function pg_catalog.convert_timezone(source text, target text, moment timestamp) returns timestamp
language sql immutable strict as $$ select moment at time zone source at time zone target $$;

create function pg_catalog.convert_timezone(target text, moment timestamptz) returns timestamp
language sql immutable strict as $$ select moment at time zone target $$;
create function pg_catalog.convert_timezone(target text, moment timestamp) returns timestamp
language sql immutable strict as $$ select moment at time zone 'UTC' at time zone target $$;

-- Only PostgreSQL has a TO_TIMESTAMP that takes seconds.
alter function pg_catalog.to_timestamp(double precision) rename to local_to_timestamp;

-- A day after the end of its month is carried over into the next month, and an hour after 23 into the next day, unless
-- the third argument is true, which makes it an error.
-- https://docs.aws.amazon.com/redshift/latest/dg/r_TO_DATE_function.html
alter function pg_catalog.to_date(text, text) rename to local_to_date;
alter function pg_catalog.to_timestamp(text, text) rename to local_to_timestamp;
create function pg_catalog.local_run_over(value text, pattern text) returns timestamp
language plpgsql immutable strict as $$
declare
  parts integer[] := array[1, 1, 1, 0, 0, 0]; -- year, month, day, hour, minute, second
  part text;
  digits text;
begin
  while pattern <> '' loop
    part := upper(substring(pattern from '(?i)^(?:YYYY|MM|DD|HH24|MI|SS)'));
    digits := case when part is null then left(value, 1)
                   else substring(value from format('^[0-9]{1,%s}', case part when 'YYYY' then 4 else 2 end)) end;
    if digits is null or (part is null and pattern ~* '^[A-Z]') then
      raise exception 'date/time field value out of range: "%"', value using errcode = 'datetime_field_overflow';
    end if;
    if part is not null then
      parts[array_position(array['YYYY', 'MM', 'DD', 'HH24', 'MI', 'SS'], part)] := digits::integer;
    end if;
    pattern := substr(pattern, coalesce(length(part), 1) + 1);
    value := substr(value, length(digits) + 1);
  end loop;
  return timestamp '0001-01-01' + (parts[1] - 1) * interval '1 year' + (parts[2] - 1) * interval '1 month'
         + (parts[3] - 1) * interval '1 day' + parts[4] * interval '1 hour' + parts[5] * interval '1 minute'
         + parts[6] * interval '1 second';
end $$;
create function pg_catalog.to_date(value text, pattern text, is_strict boolean default false) returns date
language plpgsql immutable strict as $$
begin
  return local_to_date(value, pattern);
exception when datetime_field_overflow then
  if is_strict then raise; end if;
  return local_run_over(value, pattern)::date;
end $$;
create function pg_catalog.to_timestamp(value text, pattern text, is_strict boolean default false) returns timestamptz
language plpgsql stable strict as $$
begin
  return local_to_timestamp(value, pattern);
exception when datetime_field_overflow then
  if is_strict then raise; end if;
  return local_run_over(value, pattern)::timestamptz;
end $$;
