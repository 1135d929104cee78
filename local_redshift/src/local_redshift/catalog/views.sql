-- The views that Redshift treats differently from PostgreSQL: late-binding and materialized views.

-- A late-binding view (WITH NO SCHEMA BINDING) does not depend on its tables. Redshift resolves the names when the view
-- is queried. Here, it is a view without dependencies that is recreated when a relation named in its query is created.
create function pg_catalog.local_missing_relation(view text) returns boolean language plpgsql as $$
begin
  raise exception 'a relation that the late-binding view % reads does not exist', view
    using errcode = 'undefined_table';
end $$;

-- Remove the dependencies of a view. Called after CREATE VIEW.
create function pg_catalog.local_bind_late(view regclass, query text, statement text) returns void
language plpgsql security definer set allow_system_table_mods = on as $$
declare
  rule oid := (select oid from pg_rewrite where ev_class = view);
  uses oid[] := array(select distinct refobjid from pg_depend
                      where classid = 'pg_rewrite'::regclass and objid = rule and refclassid = 'pg_class'::regclass
                        and refobjid <> view);
begin
  delete from pg_depend where classid = 'pg_rewrite'::regclass and objid = rule
    and refclassid = 'pg_class'::regclass and refobjid <> view;
  insert into local_late_views values (view, query, uses, statement)
  on conflict (relid) do update set query = excluded.query, uses = excluded.uses, statement = excluded.statement;
end $$;

-- Recreate a late-binding view from its query, and return it. The owner and the grants do not change.
create function pg_catalog.local_rebind(view oid) returns oid
language plpgsql security definer set allow_system_table_mods = on as $$
declare
  late record;
  again regclass;
begin
  select v.query, v.statement, c.oid::regclass::text as name, c.relacl, pg_get_userbyid(c.relowner) as owner into late
  from local_late_views as v join pg_class as c on c.oid = v.relid where v.relid = view;
  begin
    execute format('create or replace view %s %s', late.name, late.query);
  exception when invalid_table_definition then -- the columns have changed
    execute format('drop view %s', late.name);
    execute format('create view %s %s', late.name, late.query);
    execute format('alter view %s owner to %I', late.name, late.owner);
    update pg_class set relacl = late.relacl where oid = late.name::regclass;
    delete from local_late_views where relid = view;
  end;
  again := late.name::regclass;
  perform local_bind_late(again, late.query, late.statement);
  return again;
exception when others then
  return view; -- a relation that the view reads does not exist yet
end $$;

-- Return whether a query has this name as a word, ignoring quotes and other punctuation.
create function pg_catalog.local_names(query text, name text) returns boolean language sql immutable as $$
  select position(' ' || regexp_replace(lower(name), '[^a-z0-9_$]+', ' ') || ' '
                  in ' ' || regexp_replace(lower(query), '[^a-z0-9_$]+', ' ') || ' ') > 0 $$;

-- Recreate each late-binding view at most once per statement, after the relations that it reads. The views that are
-- recreated here fire no trigger. Otherwise, two views that name each other would recreate each other forever.
create function pg_catalog.local_after_ddl() returns event_trigger language plpgsql security definer as $$
declare
  made oid[];
  view oid;
begin
  if not exists (select from local_late_views) or current_setting('local.rebinding', true) = 'on' then return; end if;
  made := array(select objid from pg_event_trigger_ddl_commands() where classid = 'pg_class'::regclass);
  perform set_config('local.rebinding', 'on', true);
  loop
    select v.relid into view
    from local_late_views as v
    join pg_class as c on c.oid = any (made)
    where v.relid <> all (made) and c.relkind in ('r', 'v', 'm') and not c.oid = any (v.uses)
      and local_names(v.query, c.relname)
    order by v.relid limit 1;
    exit when not found;
    made := array_append(array_append(made, view), local_rebind(view));
  end loop;
  perform set_config('local.rebinding', 'off', true);
end $$;
create event trigger local_after_ddl on ddl_command_end
  when tag in ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE VIEW', 'CREATE MATERIALIZED VIEW',
               'ALTER TABLE', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW')
  execute function pg_catalog.local_after_ddl();

-- When a relation is dropped, the late-binding views that read it keep their columns, but a query of them fails.
create function pg_catalog.local_after_drop() returns event_trigger
language plpgsql security definer set allow_system_table_mods = on as $$
declare late record;
begin
  delete from local_types where relid in (select objid from pg_event_trigger_dropped_objects());
  if exists (select from local_materialized_views where relid in (select objid from pg_event_trigger_dropped_objects())
             and rows not in (select objid from pg_event_trigger_dropped_objects())) then
    raise exception 'a materialized view is dropped with DROP MATERIALIZED VIEW' using errcode = 'wrong_object_type';
  end if;
  delete from local_materialized_views where relid in (select objid from pg_event_trigger_dropped_objects());
  if not exists (select from local_late_views) then return; end if;
  delete from local_late_views where relid in (select objid from pg_event_trigger_dropped_objects());
  if current_setting('local.rebinding', true) = 'on' then return; end if;
  perform set_config('local.rebinding', 'on', true);
  for late in
    select relid, relid::regclass::text as name from local_late_views
    where uses && array(select objid from pg_event_trigger_dropped_objects() where classid = 'pg_class'::regclass)
  loop
    execute format('create or replace view %s as select %s where local_missing_relation(%L)', late.name,
                   (select string_agg(format('null::%s as %I', format_type(atttypid, atttypmod), attname), ', '
                                      order by attnum)
                    from local_attribute where attrelid = late.relid and attnum > 0), late.name);
    update local_late_views set uses = '{}' where relid = late.relid;
    perform local_rebind(late.relid);
  end loop;
  perform set_config('local.rebinding', 'off', true);
end $$;
create event trigger local_after_drop on sql_drop execute function pg_catalog.local_after_drop();

-- A view's definition names the table of every column, as in PostgreSQL 8. PostgreSQL 18 does so only for a nested
-- query, so the query is nested in an expression here. The definition of a late-binding view is its whole statement.
alter function pg_catalog.pg_get_viewdef(oid) rename to local_viewdef;
alter function pg_catalog.pg_get_viewdef(oid, boolean) rename to local_viewdef;
create cast (text as pg_node_tree) without function;
create function pg_catalog.pg_get_viewdef(view oid, pretty boolean) returns text language sql stable strict as $$
  select coalesce(
    (select statement from local_late_views where relid = view),
    (select statement from local_materialized_views where relid = view),
    (select ' ' || ltrim(substr(written, 2, length(written) - 2)) || ';'
     from pg_rewrite,
       substr(ev_action::text, 2, length(ev_action::text) - 2) as query,
       pg_get_expr(('{SUBLINK :subLinkType 4 :subLinkId 0 :testexpr <> :operName <> :subselect ' || query
                    || ' :location -1}')::pg_node_tree, 'local_late_views'::regclass, pretty) as written
     where ev_class = view and rulename = '_RETURN')) $$;
create function pg_catalog.pg_get_viewdef(view oid) returns text language sql stable strict as
$$ select pg_get_viewdef(view, false) $$;

-- The columns of late-binding views, as Redshift's functions return them: as records whose columns the caller declares.
create function pg_catalog.pg_get_late_binding_view_cols() returns setof record language sql stable as $$
  select n.nspname, c.relname, a.attname,
         format_type(coalesce(t.atttypid, a.atttypid), coalesce(t.atttypmod, a.atttypmod))::varchar, a.attnum::integer
  from local_late_views as v
  join pg_class as c on c.oid = v.relid
  join pg_namespace as n on n.oid = c.relnamespace
  join local_attribute as a on a.attrelid = c.oid and a.attnum > 0 and a.attname <> 'local_missing'
  left join local_types as t on t.relid = a.attrelid and t.attnum = a.attnum $$;

-- information_schema does not list the columns of late-binding views.
do $$
declare definition text;
begin
  definition := replace(rtrim(pg_get_viewdef('pg_views'::regclass), ';'), 'local_viewdef', 'pg_get_viewdef');
  execute 'create or replace view pg_catalog.pg_views as ' || definition;
  definition := rtrim(pg_get_viewdef('information_schema.views'::regclass), ';');
  execute 'create or replace view information_schema.views as '
    || replace(definition, 'local_viewdef', 'pg_get_viewdef');
  definition := replace(pg_get_viewdef('information_schema.columns'::regclass),
                        'a.attnum > 0', 'a.attnum > 0 and c.oid not in (select relid from local_late_views)');
  -- A view's column may have its own type (types.sql). There are no domains whose base type would be needed here.
  definition := replace(definition, 'information_schema._pg_truetypid(a.*, t.*)', 'a.atttypid');
  definition := replace(definition, 'information_schema._pg_truetypmod(a.*, t.*)', 'a.atttypmod');
  execute 'create or replace view information_schema.columns as '
    || replace(definition, 'local_attribute a', 'pg_attribute a');
end $$;

-- A materialized view is a view of an inner relation, mv_tbl__NAME__0, which stores the rows. On Redshift, the inner
-- relation is a table. Called after both are created.
create function pg_catalog.local_keep_materialized(view regclass, rows regclass, statement text, refreshed boolean)
returns void language sql security definer as
$$ insert into local_materialized_views values (view, rows, statement, refreshed) $$;

create function pg_catalog.local_rows_of(view regclass) returns regclass language plpgsql as $$
declare found regclass := (select rows from local_materialized_views where relid = view);
begin
  if found is null then
    raise exception '"%" is not a materialized view', view using errcode = 'wrong_object_type';
  end if;
  return found;
end $$;
create function pg_catalog.local_refresh(view regclass) returns void language plpgsql as $$
begin
  execute format('refresh materialized view %s', local_rows_of(view));
end $$;
create function pg_catalog.local_set_auto_refresh(view regclass, refreshes boolean) returns void
language plpgsql security definer as $$
begin
  perform local_rows_of(view);
  if not pg_has_role(session_user, (select relowner from pg_class where oid = view), 'usage') then
    raise exception 'must be owner of relation %', view using errcode = 'insufficient_privilege';
  end if;
  update local_materialized_views set refreshed = refreshes where relid = view;
end $$;
create function pg_catalog.local_forget_materialized(view regclass) returns void language sql security definer as
$$ delete from local_materialized_views where relid = view $$;
create function pg_catalog.local_drop_materialized(view text, if_exists boolean, cascades boolean) returns void
language plpgsql as $$
declare rows regclass;
begin
  if if_exists and to_regclass(view) is null then
    raise notice 'materialized view "%" does not exist, skipping', view;
    return;
  end if;
  rows := local_rows_of(view::regclass);
  perform local_forget_materialized(view::regclass);
  execute format('drop view %s %s', view::regclass, case when cascades then 'cascade' end);
  execute format('drop materialized view %s', rows);
end $$;
