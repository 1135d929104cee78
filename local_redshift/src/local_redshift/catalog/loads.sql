-- The tables that COPY writes, and the views of loads.
create sequence pg_catalog.local_query_id start 1001;

create table pg_catalog.local_load_errors (
  userid integer, slice integer, tbl integer, table_name text, recorded timestamp, session integer, query bigint,
  filename char(256), line_number bigint, colname char(127), type char(10), col_length char(10),
  position integer, raw_line char(1024), raw_field_value char(1024), err_code integer, err_reason char(100),
  is_partial integer default 0, start_offset bigint default 0);

create table pg_catalog.local_load_commits (
  userid integer, query bigint, slice integer, name text, filename char(256), byte_offset integer,
  lines_scanned integer, errors integer, recorded timestamp, file_format char(1), loaded bigint);

-- A regular user sees only the rows of their own loads. The master user sees all rows.
create view pg_catalog.local_visible_users as
  select oid::integer as userid from pg_roles
  where rolname = current_user
     or current_user = (select pg_get_userbyid(datdba) from pg_database where datname = current_database());

create view pg_catalog.stl_load_errors as
  select userid, slice, tbl, recorded as starttime, session, query, filename, line_number, colname, type, col_length,
         position, raw_line, raw_field_value, err_code, err_reason, is_partial, start_offset
  from local_load_errors where userid in (select userid from local_visible_users);
create view pg_catalog.sys_load_error_detail as
  select userid as user_id, query as query_id, null::bigint as transaction_id, session as session_id,
         current_database() as database_name, tbl as table_id, recorded as start_time, filename as file_name,
         line_number, colname as column_name, type as column_type, col_length as column_length, position,
         err_code as error_code, err_reason as error_message, raw_line as raw_line, raw_field_value
  from local_load_errors where userid in (select userid from local_visible_users);
create view pg_catalog.stl_load_commits as
  select userid, query, slice, name, filename, byte_offset, lines_scanned, errors, recorded as curtime, file_format
  from local_load_commits where userid in (select userid from local_visible_users);

create function pg_catalog.pg_last_copy_count() returns bigint language sql stable as
$$ select coalesce(nullif(current_setting('local.last_copy_count', true), ''), '0')::bigint $$;
create function pg_catalog.pg_last_copy_id() returns bigint language sql stable as
$$ select coalesce(nullif(current_setting('local.last_copy_id', true), ''), '-1')::bigint $$;

-- Return whether Redshift can read a line: it must be an object whose strings are valid text. Called only for the lines
-- of a failed load.
create function pg_catalog.local_is_object(line text) returns boolean language plpgsql immutable strict as $$
begin
  perform count(value) from json_each_text(line::json);
  return true;
exception when others then
  return false;
end $$;

-- Return, as text, the number that COPY reads from a JSON value. A string is read as written. A bare number becomes the
-- nearest double, with all its digits (mantissa * 2^exponent is mantissa * 5^-exponent / 10^-exponent).
-- https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-json.html, "Loss of numeric precision"
create function pg_catalog.local_by_double(value json) returns text language plpgsql immutable strict as $$
declare
  written text := value::text;
  bits bigint;
  exponent integer;
begin
  if written !~ '^[-0-9]' then
    return value #>> '{}';
  end if;
  if written !~ '[.eE]' and length(written) < 16 then
    return written;
  end if;
  bits := ('x' || encode(float8send(written::float8), 'hex'))::bit(64)::bigint;
  exponent := ((bits >> 52) & 2047)::integer - 1075;
  if exponent = -1075 then
    return '0';
  end if;
  return case when bits < 0 then '-' else '' end
    || case when exponent >= 0
            then ((bits & 4503599627370495) | 4503599627370496)::numeric * 2::numeric ^ exponent
            else ((bits & 4503599627370495) | 4503599627370496)::numeric * 5::numeric ^ -exponent
                 * ('1e' || exponent)::numeric end;
exception when numeric_value_out_of_range then
  return written;
end $$;

-- Return a text that must match a pattern, because PostgreSQL accepts more forms than Redshift. The function is a single
-- expression and not STRICT, so that the planner inlines it and the pattern is compiled once.
create function pg_catalog.local_bad_form(value text) returns text language plpgsql immutable strict as $$
begin
  raise exception 'invalid input: "%"', value using errcode = 'invalid_text_representation';
end $$;
create function pg_catalog.local_of_form(value text, form text) returns text language sql immutable as $$
  select case when value ~ ('^ *(' || form || ') *$') then value else local_bad_form(value) end $$;

-- DATEFORMAT and TIMEFORMAT with a pattern. Because to_timestamp() also accepts a value that ends early, the separators
-- and groups of digits are compared with those of the pattern. SS may have a fraction.
create function pg_catalog.local_parse_time(value text, pattern text) returns timestamp
language plpgsql stable strict as $$
declare
  found timestamp;
  spelled text;
begin
  if pattern like '%SS%' and value ~* '[0-9][.][0-9]{1,6}( *[AP]M)? *$' and pattern ~ 'SS( *[AP]M)?$' then
    pattern := replace(pattern, 'SS', 'SS.US');
  end if;
  found := local_to_timestamp(value, 'FX' || pattern)::timestamp;
  spelled := to_char(found, pattern);
  if upper(regexp_replace(btrim(value), '[0-9]+', '9')) <> upper(regexp_replace(spelled, '[0-9]+', '9'))
     or (spelled !~ '[^0-9]' and length(btrim(value)) <> length(spelled)) then
    raise exception '"%" does not match "%"', value, pattern using errcode = 'invalid_datetime_format';
  end if;
  return found;
end $$;

create function pg_catalog.local_matches_time(value text, pattern text) returns boolean
language plpgsql stable strict as $$
begin
  perform local_parse_time(value, pattern);
  return true;
exception when others then
  return false;
end $$;

create view pg_catalog.sys_load_history as
  select c.userid as user_id, c.query as query_id, null::bigint as transaction_id, null::integer as session_id,
         current_database()::text as database_name, 'completed'::text as status, max(trim(c.name)) as table_name,
         min(c.recorded) as start_time, max(c.recorded) as end_time, 0::bigint as duration,
         min(trim(c.filename)) as data_source, min(c.file_format) as file_format,
         max(c.loaded) as loaded_rows, null::bigint as loaded_bytes,
         count(*)::integer as source_file_count, null::bigint as source_file_bytes,
         count(*)::integer as file_count_scanned, null::bigint as file_bytes_scanned,
         max(e.errors) as error_count, null::bigint as copy_job_id
  from local_load_commits as c
  cross join lateral (select count(*) as errors from stl_load_errors as e where e.query = c.query) as e
  where c.userid in (select userid from local_visible_users)
  group by c.userid, c.query;
