-- Functions that the front calls before it runs a statement.

-- Return the name of a column that is in the query but in none of its tables, or NULL. The query is not run.
create function pg_catalog.local_missing_column(query text) returns text language plpgsql as $$
begin
  execute 'explain ' || query;
  return null;
exception
  when undefined_column then
    return substring(sqlerrm from '^column "(.*)" does not exist$');
  when others then
    return null;
end $$;

-- On Redshift, ALTER COLUMN TYPE can only change the length of a VARCHAR column.
create function pg_catalog.local_require_varchar(tbl regclass, col text) returns void language plpgsql as $$
declare
  found text;
begin
  if exists (select from pg_attribute where attrelid = tbl and attname = col and atttypid <> 'varchar'::regtype) then
    raise exception 'ALTER COLUMN TYPE: column "%" is not a VARCHAR; on Amazon Redshift only its length can change', col
      using errcode = 'feature_not_supported', hint = 'Add a column of the new type, UPDATE it, and drop the old one.';
  end if;
  -- https://docs.aws.amazon.com/redshift/latest/dg/r_ALTER_TABLE.html
  select case
    when a.atthasdef then 'a default value'
    when d.encodings ->> col in ('bytedict', 'runlength', 'text255', 'text32k')
      then 'the encoding ' || upper(d.encodings ->> col)
    when exists (select from pg_constraint as c
                 where contype in ('p', 'u', 'f') and (conrelid = tbl and a.attnum = any (conkey)
                                                       or confrelid = tbl and a.attnum = any (confkey)))
      then 'UNIQUE, PRIMARY KEY or FOREIGN KEY' end
  into found
  from local_attribute as a left join local_table_design as d on d.relid = tbl
  where a.attrelid = tbl and a.attname = col;
  if found is not null then
    raise exception 'ALTER COLUMN TYPE: column "%" has %', col, found using errcode = 'feature_not_supported';
  end if;
end $$;

-- DROP COLUMN cannot drop a distribution or sort key.
create function pg_catalog.local_require_no_key(tbl regclass, col text) returns void language plpgsql as $$
declare
  found text := (select case when distkey = col then 'distkey' when col = any (sortkeys) then 'sortkey' end
                 from local_table_design where relid = tbl);
begin
  if found is not null then
    raise exception 'cannot drop % column "%"', found, col using errcode = 'feature_not_supported';
  end if;
end $$;

-- GRANT ASSUMEROLE: the roles that each user may name in each command. Until it is revoked from PUBLIC, every user may
-- name every role.
create table pg_catalog.local_assumerole (
  grantee text not null, role text not null, command text not null, unique (grantee, role, command));
insert into pg_catalog.local_assumerole values ('public', 'all', 'all');
grant select on pg_catalog.local_assumerole to public;

create function pg_catalog.local_change_assumerole(granted boolean, roles text[], grantees text[], commands text[])
returns void language plpgsql security definer as $$
begin
  if session_user <> (select pg_get_userbyid(datdba) from pg_database where datname = current_database()) then
    raise exception 'must be superuser to grant or revoke ASSUMEROLE' using errcode = 'insufficient_privilege';
  end if;
  if granted then
    insert into local_assumerole select * from unnest(grantees) as g, unnest(roles) as r, unnest(commands) as c
    on conflict do nothing;
  else
    delete from local_assumerole
    where grantee = any (grantees) and ('all' = any (roles) or role = any (roles))
      and ('all' = any (commands) or command = any (commands));
  end if;
end $$;

create function pg_catalog.local_may_assume(arn text, command text) returns boolean language sql stable as $$
  select current_user = (select pg_get_userbyid(datdba) from pg_database where datname = current_database())
      or exists (select from local_assumerole as a
                 where a.role in ('all', arn) and a.command in ('all', local_may_assume.command)
                   and (a.grantee in ('public', current_user)
                        or exists (select from pg_roles as r where r.rolname = a.grantee
                                   and pg_has_role(current_user, r.oid, 'member'))))
$$;

-- IGNORE NULLS. The functions are strict, so that a NULL does not change the state.
create function pg_catalog.local_keep_first(anyelement, anyelement) returns anyelement
language sql immutable strict as $$ select $1 $$;
create function pg_catalog.local_keep_last(anyelement, anyelement) returns anyelement
language sql immutable strict as $$ select $2 $$;
create aggregate pg_catalog.local_first_value(anyelement) (sfunc = pg_catalog.local_keep_first, stype = anyelement);
create aggregate pg_catalog.local_last_value(anyelement) (sfunc = pg_catalog.local_keep_last, stype = anyelement);
-- These functions have Redshift's names, because a column without an alias is named after its function.
create function pg_catalog.first_value(anyelement, boolean) returns anyelement language sql immutable as 'select $1';
create function pg_catalog.last_value(anyelement, boolean) returns anyelement language sql immutable as 'select $1';
create function pg_catalog.lag(anyelement, boolean) returns anyelement language sql immutable as 'select $1';
create function pg_catalog.lead(anyelement, boolean) returns anyelement language sql immutable as 'select $1';
create function pg_catalog.ratio_to_report(double precision, double precision) returns double precision
language sql immutable as $$ select $1 / nullif($2, 0) $$;
-- https://docs.aws.amazon.com/redshift/latest/dg/r_LISTAGG.html
create function pg_catalog.local_append(list text, value anyelement, delimiter text) returns text
language plpgsql immutable as $$
begin
  if value is null then
    return list;
  end if;
  list := case when list is null then value::text else list || coalesce(delimiter, '') || value::text end;
  if octet_length(list) > 65535 then
    raise exception 'Result size exceeds LISTAGG limit' using errcode = 'program_limit_exceeded',
      detail = format('LISTAGG limit: 65535, result size: %s', octet_length(list));
  end if;
  return list;
end $$;
create aggregate pg_catalog.listagg(anyelement, text) (sfunc = pg_catalog.local_append, stype = text);

-- https://github.com/sqlalchemy-redshift/sqlalchemy-redshift/issues/317
create function pg_catalog.local_one_cursor() returns void language plpgsql as $$
begin
  -- pg_cursors has the whole message as the statement, in which DECLARE follows the call of this function.
  if exists (select from pg_cursors where statement ilike '%declare%cursor%') then
    raise exception 'opening multiple cursors from within the same client connection is not allowed'
      using errcode = 'invalid_cursor_state';
  end if;
end $$;
