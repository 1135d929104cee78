-- The version of the server, and the grants on the catalog.

create or replace function pg_catalog.version() returns text language sql stable as
$$ select 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 '
       || '(Red Hat 3.4.2-6.fc3), Redshift 1.0.0 (local stand-in on Postgres '
       || current_setting('server_version', false) || ')' $$;

-- Scripts that AWS publishes use `'a' + 'b'` for `'a' || 'b'`.
create operator pg_catalog.+ (leftarg = text, rightarg = text, function = pg_catalog.textcat);

-- Every user may read the views, and the tables that functions in a client's query read.
do $$
declare r regclass;
begin
  for r in select oid from pg_class
           where relnamespace = 'pg_catalog'::regnamespace and oid >= 16384 and relkind = 'v' loop
    execute format('grant select on %s to public', r);
  end loop;
end $$;
grant select on pg_catalog.local_table_design, pg_catalog.local_late_views, pg_catalog.local_materialized_views,
  pg_catalog.local_types to public;
grant create on schema public to public;
