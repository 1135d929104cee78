-- What Redshift has and PostgreSQL has not, made once in every new database by the superuser.
-- It lies in pg_catalog, so that no search_path can lose it.
set allow_system_table_mods = on;
set standard_conforming_strings = on;

grant create on schema public to public;

create or replace function pg_catalog.version() returns text language sql stable as
$$ select 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 '
       || '(Red Hat 3.4.2-6.fc3), Redshift 1.0.0 (local stand-in on Postgres '
       || current_setting('server_version') || ')' $$;

-- Dates -----------------------------------------------------------------------------------------

create function pg_catalog.getdate() returns timestamp language sql stable as
$$ select date_trunc('second', statement_timestamp() at time zone current_setting('timezone')) $$;

create function pg_catalog.sysdate() returns timestamp language sql stable as
$$ select now()::timestamp $$;

create function pg_catalog.local_date_part_name(part text) returns text language sql immutable strict as
$$ select case
     when p in ('year', 'years', 'y', 'yr', 'yrs') then 'year'
     when p in ('quarter', 'quarters', 'qtr', 'qtrs') then 'quarter'
     when p in ('month', 'months', 'mon', 'mons') then 'month'
     when p in ('week', 'weeks', 'w') then 'week'
     when p in ('day', 'days', 'd') then 'day'
     when p in ('hour', 'hours', 'h', 'hr', 'hrs') then 'hour'
     when p in ('minute', 'minutes', 'm', 'min', 'mins') then 'minute'
     when p in ('second', 'seconds', 's', 'sec', 'secs') then 'second'
     when p in ('millisecond', 'milliseconds', 'ms', 'msec', 'msecs', 'msecond', 'mseconds') then 'millisecond'
     when p in ('microsecond', 'microseconds', 'us', 'usec', 'usecs', 'usecond', 'useconds') then 'microsecond'
   end from lower(part) as p $$;

create function pg_catalog.dateadd(part text, n bigint, moment timestamp) returns timestamp
language plpgsql immutable strict as $$
declare unit text := local_date_part_name(part);
begin
  if unit is null then raise exception 'date part "%" is not supported by the local stand-in', part; end if;
  if unit = 'quarter' then return moment + (3 * n) * interval '1 month'; end if;
  return moment + n * ('1 ' || unit)::interval;
end $$;

-- Counts the boundaries crossed, as Redshift does; weeks begin on Sunday there.
create function pg_catalog.datediff(part text, a timestamp, b timestamp) returns bigint
language plpgsql immutable strict as $$
declare unit text := local_date_part_name(part);
begin
  case unit
    when 'year', 'quarter', 'month' then
      return (select case unit when 'year' then months / 12 when 'quarter' then months / 3 else months end
              from (select 12 * (date_part('year', date_trunc(unit, b)) - date_part('year', date_trunc(unit, a)))::bigint
                         + (date_part('month', date_trunc(unit, b)) - date_part('month', date_trunc(unit, a)))::bigint
                           as months) as m);
    when 'week' then
      return ((b::date - date_part('dow', b)::int) - (a::date - date_part('dow', a)::int)) / 7;
    when 'day' then return b::date - a::date;
    when 'hour', 'minute', 'second' then
      return date_part('epoch', date_trunc(unit, b) - date_trunc(unit, a))::bigint
           / case unit when 'hour' then 3600 when 'minute' then 60 else 1 end;
    when 'millisecond', 'microsecond' then
      return (date_part('epoch', date_trunc(unit, b) - date_trunc(unit, a))
              * case unit when 'millisecond' then 1000 else 1000000 end)::bigint;
    else raise exception 'date part "%" is not supported by the local stand-in', part;
  end case;
end $$;

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

-- Strings ---------------------------------------------------------------------------------------

create function pg_catalog.len(text) returns integer language sql immutable strict as $$ select length($1) $$;
create function pg_catalog.charindex(part text, whole text) returns integer language sql immutable strict as
$$ select strpos(whole, part) $$;
create function pg_catalog.strtol(digits text, base integer) returns bigint language sql immutable strict as
$$ select sum((position(lower(substr(digits, i, 1)) in '0123456789abcdefghijklmnopqrstuvwxyz') - 1)
              * base::numeric ^ (length(digits) - i))::bigint
   from generate_series(1, length(digits)) as i $$;
create function pg_catalog.sha2(value text, bits integer) returns text language sql immutable strict as
$$ select encode(case bits when 224 then sha224(convert_to(value, 'UTF8'))
                           when 384 then sha384(convert_to(value, 'UTF8'))
                           when 512 then sha512(convert_to(value, 'UTF8'))
                           when 256 then sha256(convert_to(value, 'UTF8'))
                           when 0 then sha256(convert_to(value, 'UTF8')) end, 'hex') $$;
create function pg_catalog.nvl2(anyelement, anycompatible, anycompatible) returns anycompatible
language sql immutable as $$ select case when $1 is not null then $2 else $3 end $$;
create function pg_catalog.is_valid_json(text) returns boolean language sql immutable strict as
$$ select pg_input_is_valid($1, 'json') and json_typeof($1::json) = 'object' $$;
create function pg_catalog.json_extract_path_text(document text, variadic path text[]) returns text
language sql immutable strict as $$ select document::json #>> path $$;

-- `||` of two values that are not text; PostgreSQL has it when one of them is.
create function pg_catalog.local_concat(anycompatiblenonarray, anycompatiblenonarray) returns text
language sql immutable strict as $$ select $1::text || $2::text $$;
create operator pg_catalog.|| (
  leftarg = anycompatiblenonarray, rightarg = anycompatiblenonarray, function = pg_catalog.local_concat);

-- regexp_substr answers '' where nothing matches; regexp_replace replaces every match, and $1 is a group.
alter function pg_catalog.regexp_substr(text, text) rename to local_regexp_substr;
alter function pg_catalog.regexp_substr(text, text, integer) rename to local_regexp_substr;
alter function pg_catalog.regexp_substr(text, text, integer, integer) rename to local_regexp_substr;
alter function pg_catalog.regexp_substr(text, text, integer, integer, text) rename to local_regexp_substr;
alter function pg_catalog.regexp_substr(text, text, integer, integer, text, integer) rename to local_regexp_substr;
create function pg_catalog.regexp_substr(
  value text, pattern text, start integer default 1, occurrence integer default 1, flags text default '')
returns text language sql immutable strict as
$$ select coalesce(local_regexp_substr(value, pattern, start, occurrence, translate(flags, 'ep', ''),
                                       case when flags like '%e%' then 1 else 0 end), '') $$;
alter function pg_catalog.regexp_replace(text, text, text) rename to local_regexp_replace;
alter function pg_catalog.regexp_replace(text, text, text, text) rename to local_regexp_replace;
alter function pg_catalog.regexp_replace(text, text, text, integer) rename to local_regexp_replace;
alter function pg_catalog.regexp_replace(text, text, text, integer, integer) rename to local_regexp_replace;
alter function pg_catalog.regexp_replace(text, text, text, integer, integer, text) rename to local_regexp_replace;
create function pg_catalog.regexp_replace(
  value text, pattern text, replacement text default '', start integer default 1, flags text default '')
returns text language sql immutable strict as
$$ select local_regexp_replace(value, pattern,
     local_regexp_replace(replacement, '\$(\d)', '\\\1', 'g'), start, 0, translate(flags, 'ep', '')) $$;

-- VARCHAR(n) and CHAR(n) count bytes ---------------------------------------------------------------

create function pg_catalog.local_first_bytes(value text, bytes integer) returns text
language plpgsql immutable strict as $$
declare kept text := left(value, bytes);
begin
  while octet_length(kept) > bytes loop
    kept := left(kept, -greatest(1, (octet_length(kept) - bytes) / 4));
  end loop;
  return kept;
end $$;

create function pg_catalog.local_too_long(value text, bytes integer) returns text language plpgsql immutable as $$
begin
  raise exception 'value too long for type character varying(%)', bytes
    using errcode = 'string_data_right_truncation';
end $$;

-- The cast that PostgreSQL applies to every value of a VARCHAR(n); $2 is n + 4, $3 tells an explicit cast.
-- One CASE, not strict: so the planner writes it into the query.
create function pg_catalog.local_varchar(character varying, integer, boolean) returns character varying
language sql immutable parallel safe as $$
  select case when $2 >= 4 and octet_length($1) > $2 - 4
              then case when $3 or octet_length(rtrim($1)) <= $2 - 4 then local_first_bytes($1, $2 - 4)::varchar
                        else local_too_long($1, $2 - 4)::varchar end
              else $1 end $$;
update pg_cast set castfunc = 'pg_catalog.local_varchar'::regproc
where castsource = 'varchar'::regtype and casttarget = 'varchar'::regtype;

-- COPY --------------------------------------------------------------------------------------------

create sequence pg_catalog.local_query_id start 1001;

create table pg_catalog.local_load_errors (
  userid integer, slice integer, tbl integer, table_name text, starttime timestamp, session integer, query bigint,
  filename char(256), line_number bigint, colname char(127), type char(10), col_length char(10),
  position integer, raw_line char(1024), raw_field_value char(1024), err_code integer, err_reason char(100),
  is_partial integer default 0, start_offset bigint default 0);

create table pg_catalog.local_load_commits (
  userid integer, query bigint, slice integer, name text, filename char(256), byte_offset integer,
  lines_scanned integer, errors integer, curtime timestamp, file_format char(1));

-- An ordinary user sees the rows of his own loads, the master all of them.
create view pg_catalog.local_visible_users as
  select oid::integer as userid from pg_roles
  where rolname = current_user
     or current_user = (select pg_get_userbyid(datdba) from pg_database where datname = current_database());

create view pg_catalog.stl_load_errors as
  select userid, slice, tbl, starttime, session, query, filename, line_number, colname, type, col_length,
         position, raw_line, raw_field_value, err_code, err_reason, is_partial, start_offset
  from local_load_errors where userid in (select userid from local_visible_users);
create view pg_catalog.sys_load_error_detail as
  select userid as user_id, query as query_id, null::bigint as transaction_id, session as session_id,
         current_database() as database_name, tbl as table_id, starttime as start_time, filename as file_name,
         line_number, colname as column_name, type as column_type, col_length as column_length, position,
         err_code as error_code, err_reason as error_message, raw_line as raw_line, raw_field_value
  from local_load_errors where userid in (select userid from local_visible_users);
create view pg_catalog.stl_load_commits as
  select * from local_load_commits where userid in (select userid from local_visible_users);
grant select on pg_catalog.local_visible_users, pg_catalog.stl_load_errors, pg_catalog.sys_load_error_detail,
  pg_catalog.stl_load_commits to public;

create function pg_catalog.pg_last_copy_count() returns bigint language sql stable as
$$ select coalesce(nullif(current_setting('local.last_copy_count', true), ''), '0')::bigint $$;
create function pg_catalog.pg_last_copy_id() returns bigint language sql stable as
$$ select coalesce(nullif(current_setting('local.last_copy_id', true), ''), '-1')::bigint $$;

-- A line as Redshift can read it: an object, whose strings are text. (For the lines of a failed load only.)
create function pg_catalog.local_is_object(line text) returns boolean language plpgsql immutable strict as $$
begin
  perform count(value) from json_each_text(line::json);
  return true;
exception when others then
  return false;
end $$;

-- Tables: DISTSTYLE, DISTKEY, SORTKEY -------------------------------------------------------------

create table pg_catalog.local_table_design (
  relid oid primary key, diststyle text not null, distkey text, sortkeys text[] not null);

-- Remembers how a new table is laid out. A sort key becomes an index: zone maps' honest analogue.
-- Keys stay in the catalogue, but no longer reject a duplicate: Redshift does not.
create function pg_catalog.local_lay_out(tbl regclass, diststyle text, distkey text, sortkeys text[], model regclass)
returns void language plpgsql security definer set allow_system_table_mods = on as $$
declare columns text;
begin
  update pg_index set indisunique = false where indrelid = tbl and indisunique;
  if exists (select from local_table_design where relid = tbl) then return; end if;
  if model is not null then
    select coalesce(local_lay_out.diststyle, d.diststyle), d.distkey, d.sortkeys into diststyle, distkey, sortkeys
    from local_table_design as d where relid = model;
  end if;
  sortkeys := coalesce(sortkeys, '{}');
  begin
    insert into local_table_design
      values (tbl, coalesce(diststyle, case when distkey is null then 'AUTO' else 'KEY' end), distkey, sortkeys);
  exception when unique_violation then
    return; -- another session made the table at the same instant
  end;
  if cardinality(sortkeys) > 0 then
    select string_agg(quote_ident(c), ', ') into columns from unnest(sortkeys) as c;
    execute format('create index on %s (%s)', tbl, columns);
  end if;
end $$;

create view pg_catalog.pg_table_def as
  select n.nspname as schemaname, c.relname as tablename, a.attname as "column",
         format_type(a.atttypid, a.atttypmod) as type, 'none'::text as encoding,
         coalesce(d.distkey = a.attname, false) as distkey,
         coalesce(array_position(d.sortkeys, a.attname::text), 0) as sortkey, a.attnotnull as "notnull"
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join local_table_design as d on d.relid = c.oid
  where c.relkind = 'r' and n.nspname = any (current_schemas(true));

create view pg_catalog.svv_table_info as
  select current_database()::text as database, n.nspname::text as schema, c.oid as table_id,
         c.relname::text as "table", 'Y'::text as encoded,
         case d.diststyle when 'KEY' then 'KEY(' || d.distkey || ')'
                          when 'AUTO' then 'AUTO(ALL)' else coalesce(d.diststyle, 'AUTO(ALL)') end as diststyle,
         coalesce(d.sortkeys[1], 'AUTO(SORTKEY)') as sortkey1,
         (select max(a.atttypmod - 4) from pg_attribute as a
          where a.attrelid = c.oid and a.atttypid = 'varchar'::regtype and not a.attisdropped) as max_varchar,
         coalesce(cardinality(d.sortkeys), 0) as sortkey_num,
         greatest(1, pg_relation_size(c.oid) / 1048576) as size,
         0::numeric as empty, 0::numeric as unsorted, 0::numeric as stats_off,
         coalesce(s.n_live_tup, 0)::numeric as tbl_rows
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  left join local_table_design as d on d.relid = c.oid
  left join pg_stat_all_tables as s on s.relid = c.oid
  where c.relkind = 'r' and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema';

create view pg_catalog.svv_columns as select * from information_schema.columns;
create view pg_catalog.svv_tables as select * from information_schema.tables;
grant select on pg_catalog.local_table_design, pg_catalog.pg_table_def, pg_catalog.svv_table_info,
  pg_catalog.svv_columns, pg_catalog.svv_tables to public;
