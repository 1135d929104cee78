-- Redshift types that can only be declared. A column of such a type has Redshift's oid of the type and is NULL in every
-- row.
do $$
declare
  name text;
  number oid;
begin
  for name, number in values ('super', 4000), ('geometry', 3000), ('hllsketch', 2935) loop
    execute format('create type pg_catalog.%I', name);
    update pg_type set oid = number where typname = name;
    execute format('create function pg_catalog.local_%s_in(cstring) returns %I language internal immutable strict
                    as %L', name, name, 'shell_in');
    execute format('create function pg_catalog.local_%s_out(%I) returns cstring language internal immutable strict
                    as %L', name, name, 'shell_out');
    execute format('create type pg_catalog.%I (input = local_%s_in, output = local_%s_out, like = text)',
                   name, name, name);
  end loop;
end $$;

-- Types of view columns by Redshift's rules, where PostgreSQL's types have no precision or length (sql/types.py).
create table pg_catalog.local_types (
  relid oid, attnum smallint, atttypid oid not null, atttypmod integer not null, primary key (relid, attnum));
create function pg_catalog.local_keep_types(view regclass, types oid[], modifiers integer[]) returns void
language sql security definer as $$
  delete from local_types where relid = view;
  insert into local_types
    select view, number, type, modifier
    from unnest(types, modifiers) with ordinality as kept(type, modifier, number) where type <> 0 $$;

-- Set the lengths of VARCHAR columns in a table that is created from a query, because a cast to VARCHAR(n) loses its
-- length there.
create function pg_catalog.local_set_types(tbl regclass, types oid[], modifiers integer[]) returns void
language plpgsql security definer set allow_system_table_mods = on as $$
begin
  update local_attribute as a set atttypid = 'varchar'::regtype, atttypmod = modifier
  from unnest(types, modifiers) with ordinality as kept(type, modifier, number)
  where a.attrelid = tbl and a.attnum = number and type = 'varchar'::regtype;
end $$;
