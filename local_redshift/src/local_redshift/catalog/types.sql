-- Types of Redshift of which only the declaration is covered: a column has its type, with Redshift's number of it, and
-- is NULL in every row.
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
