-- The SVV views of objects and privileges. There are no external schemas, datashares or roles.

create function pg_catalog.local_is_user_schema(name text) returns boolean language sql immutable as
$$ select name not like 'pg\_%' and name <> 'information_schema' $$;

-- One row per table or view that the current user may see.
create view pg_catalog.local_relations as
  select c.oid, n.nspname::varchar(128) as schema_name, c.relname::varchar(128) as table_name, c.relkind,
         case c.relkind when 'r' then 'TABLE' else 'VIEW' end as table_type,
         c.relowner, c.relacl, obj_description(c.oid, 'pg_class')::varchar(256) as remarks
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  where c.relkind in ('r', 'v') and not local_is_own(n.oid, c.relname)
    and (pg_has_role(c.relowner, 'USAGE') or has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, REFERENCES'));

create view pg_catalog.local_columns as
  select r.oid, r.schema_name, r.table_name, r.relkind, r.table_type, a.attname::varchar(128) as column_name,
         a.attnum::integer as ordinal_position,
         (select d.adsrc from pg_attrdef as d where d.adrelid = a.attrelid and d.adnum = a.attnum)::varchar(4000)
           as column_default,
         case when a.attnotnull then 'NO' else 'YES' end::varchar(3) as is_nullable,
         format_type(a.atttypid, a.atttypmod)::varchar(128) as full_type,
         format_type(a.atttypid, null)::varchar(128) as data_type,
         information_schema._pg_char_max_length(a.atttypid, a.atttypmod)::integer as character_maximum_length,
         information_schema._pg_numeric_precision(a.atttypid, a.atttypmod)::integer as numeric_precision,
         information_schema._pg_numeric_scale(a.atttypid, a.atttypmod)::integer as numeric_scale,
         a.attisdistkey, a.attsortkeyord, format_encoding(a.attencodingtype) as encoding, a.attacl,
         col_description(a.attrelid, a.attnum)::varchar(256) as remarks,
         r.oid in (select relid from local_late_views) as is_late
  from local_relations as r
  join local_all_attributes as a
    on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped and a.attname <> 'local_missing';

create view pg_catalog.svv_redshift_databases as
  select datname::varchar(128) as database_name, datdba::integer as database_owner,
         'local'::varchar(32) as database_type,
         datacl::text::varchar(128) as database_acl, null::varchar(128) as database_options,
         'Snapshot Isolation'::varchar(128) as database_isolation_level
  from pg_database where datallowconn and datname not in ('template1', 'postgres');
create view pg_catalog.svv_redshift_schemas as
  select current_database()::varchar(128) as database_name, nspname::varchar(128) as schema_name,
         nspowner::integer as schema_owner, 'local'::varchar(128) as schema_type,
         array_to_string(nspacl, '|')::varchar(128) as schema_acl, null::varchar(128) as schema_option
  from pg_namespace where nspname not like 'pg\_toast%' and nspname not like 'pg\_temp%';
create view pg_catalog.svv_redshift_tables as
  select current_database()::varchar(128) as database_name, schema_name, table_name,
         table_type::varchar(128) as table_type, array_to_string(relacl, '|')::varchar(128) as table_acl, remarks,
         pg_get_userbyid(relowner)::varchar(128) as table_owner
  from local_relations
  where local_is_user_schema(schema_name)
        or schema_name = (select nspname from pg_namespace where oid = pg_my_temp_schema());
create view pg_catalog.svv_redshift_columns as
  select current_database()::varchar(128) as database_name, schema_name, table_name, column_name, ordinal_position,
         full_type as data_type, column_default, is_nullable, encoding::varchar(128) as encoding,
         attisdistkey as distkey, attsortkeyord as sortkey, array_to_string(attacl, '|')::varchar(128) as column_acl,
         remarks
  from local_columns where local_is_user_schema(schema_name) and not is_late;
create view pg_catalog.svv_redshift_functions as
  select current_database()::varchar(128) as database_name, n.nspname::varchar(128) as schema_name,
         p.proname::varchar(128) as function_name,
         case p.prokind when 'p' then 'STORED PROCEDURE' when 'a' then 'AGGREGATE FUNCTION' else 'REGULAR FUNCTION' end
           ::varchar(128) as function_type,
         oidvectortypes(p.proargtypes)::varchar(1024) as argument_type,
         format_type(p.prorettype, null)::varchar(128) as result_type
  from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
  where local_is_user_schema(n.nspname);

create view pg_catalog.svv_all_schemas as
  select database_name, schema_name, schema_owner, schema_type, schema_acl, null::varchar(128) as source_database,
         schema_option
  from svv_redshift_schemas;
create view pg_catalog.svv_all_tables as
  select database_name, schema_name, table_name, table_acl, table_type, remarks, table_owner from svv_redshift_tables;
create view pg_catalog.svv_all_columns as
  select current_database()::varchar(128) as database_name, schema_name, table_name, column_name, ordinal_position,
         column_default, is_nullable, data_type, character_maximum_length, numeric_precision, numeric_scale, remarks
  from local_columns where local_is_user_schema(schema_name) and not is_late;

create view pg_catalog.svv_tables as
  select current_database()::varchar(128) as table_catalog, schema_name as table_schema, table_name,
         case relkind when 'r' then 'BASE TABLE' else 'VIEW' end::varchar(128) as table_type, remarks
  from local_relations where schema_name not like 'pg\_toast%';
create view pg_catalog.svv_columns as
  select current_database()::varchar(128) as table_catalog, schema_name as table_schema, table_name, column_name,
         ordinal_position, column_default, is_nullable, data_type, character_maximum_length, numeric_precision,
         case when numeric_precision is null then null when data_type = 'numeric' then 10 else 2 end
           as numeric_precision_radix,
         numeric_scale,
         case when data_type like 'time%' then 6 when data_type = 'date' then 0 end as datetime_precision,
         null::varchar(128) as interval_type, null::varchar(128) as interval_precision,
         null::varchar(128) as character_set_catalog, null::varchar(128) as character_set_schema,
         null::varchar(128) as character_set_name, null::varchar(128) as collation_catalog,
         null::varchar(128) as collation_schema, null::varchar(128) as collation_name,
         null::varchar(128) as domain_name, remarks
  from local_columns where schema_name not like 'pg\_toast%';

-- PostgreSQL collects statistics with a delay, so the rows of a table that has none yet are counted.
create function pg_catalog.local_rows(tbl oid, known numeric) returns numeric
language plpgsql stable security definer as $$
declare counted bigint;
begin
  if known > 0 then return known; end if;
  execute format('select count(*) from %s', tbl::regclass) into counted;
  return counted;
end $$;

-- SVV_TABLE_INFO does not list empty tables. Sizes are in blocks of 1 MB.
create view pg_catalog.svv_table_info as
  select current_database()::text as database, n.nspname::text as schema, c.oid as table_id,
         coalesce((select v.relname from local_materialized_views as m join pg_class as v on v.oid = m.relid
                   where m.rows = c.oid), c.relname)::text as "table",
         case when d.relid is null or d.encodings = '{}' then 'Y, AUTO(ENCODE)' else 'Y' end as encoded,
         case d.diststyle when 'KEY' then 'KEY(' || d.distkey || ')'
                          when 'AUTO' then 'AUTO(ALL)' else coalesce(d.diststyle, 'AUTO(ALL)') end as diststyle,
         case when d.interleaved then 'INTERLEAVED' else coalesce(d.sortkeys[1], 'AUTO(SORTKEY)') end as sortkey1,
         (select max(a.atttypmod - 4) from pg_attribute as a
          where a.attrelid = c.oid and a.atttypid = 'varchar'::regtype and not a.attisdropped) as max_varchar,
         (select format_encoding(a.attencodingtype) from pg_attribute as a
          where a.attrelid = c.oid and a.attname = d.sortkeys[1])::char(32) as sortkey1_enc,
         coalesce(cardinality(d.sortkeys), 0) as sortkey_num,
         greatest(1, pg_table_size(c.oid) / 1048576) as size,
         0::numeric(10, 4) as pct_used, 0::bigint as empty, 0::numeric(5, 2) as unsorted,
         0::numeric(5, 2) as stats_off,
         local_rows(c.oid, greatest(s.n_live_tup, c.reltuples)::numeric)::numeric(38, 0) as tbl_rows,
         case when cardinality(d.sortkeys) > 0 then 1 end::numeric(19, 2) as skew_sortkey1,
         case d.diststyle when 'KEY' then 1 when 'EVEN' then 1 end::numeric(19, 2) as skew_rows,
         local_rows(c.oid, greatest(s.n_live_tup, c.reltuples)::numeric)::numeric(38, 0) as estimated_visible_rows,
         null::text as risk_event, 0::numeric(12, 2) as vacuum_sort_benefit, c.relcreationtime as create_time
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  left join local_table_design as d on d.relid = c.oid
  left join pg_stat_all_tables as s on s.relid = c.oid
  where c.relkind in ('r', 'm') and local_is_user_schema(n.nspname) and pg_relation_size(c.oid) > 0;

create view pg_catalog.svv_mv_info as
  select current_database()::char(128) as database_name, n.nspname::char(128) as schema_name,
         pg_get_userbyid(c.relowner)::char(128) as user_name, c.relname::char(128) as name, 'f'::char(1) as is_stale,
         1 as state, 'f'::char(1) as autorewrite, case when m.refreshed then 't' else 'f' end::char(1) as autorefresh
  from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
  join local_materialized_views as m on m.relid = c.oid;
create view pg_catalog.stv_mv_info as
  select database_name as db_name, schema_name as schema, name, 0::bigint as updated_upto_xid, is_stale,
         user_name as owner_user_name, state, autorewrite, autorefresh
  from svv_mv_info;

-- Users, groups and their privileges. The privileges of an owner are not listed, because they were not granted.
create view pg_catalog.local_grantees as
  select oid, rolname::text as identity_name, case when rolcanlogin then 'user' else 'group' end as identity_type
  from pg_roles union all select 0, 'public', 'public';
create function pg_catalog.local_privileges(acl aclitem[], owner oid)
returns table (identity_id integer, identity_name text, identity_type text, privilege_type text, admin_option boolean)
language sql stable as $$
  select g.oid::integer, g.identity_name, g.identity_type, a.privilege_type, a.is_grantable
  from aclexplode(acl) as a join local_grantees as g on g.oid = a.grantee
  where a.grantee <> owner
    and a.privilege_type in ('SELECT', 'INSERT', 'UPDATE', 'DELETE', 'REFERENCES', 'USAGE', 'CREATE', 'TEMPORARY',
         'EXECUTE')
$$;
create view pg_catalog.svv_relation_privileges as
  select r.schema_name::text as namespace_name, r.table_name::text as relation_name,
         p.privilege_type, p.identity_id, p.identity_name, p.identity_type, p.admin_option
  from local_relations as r cross join lateral local_privileges(r.relacl, r.relowner) as p
  where local_is_user_schema(r.schema_name);
create view pg_catalog.svv_schema_privileges as
  select n.nspname::text as namespace_name, p.privilege_type, p.identity_id, p.identity_name, p.identity_type,
         p.admin_option, 'SCHEMA'::text as privilege_scope
  from pg_namespace as n cross join lateral local_privileges(n.nspacl, n.nspowner) as p
  where local_is_user_schema(n.nspname);
create view pg_catalog.svv_user_info as
  select u.usename::text as user_name, u.usesysid::integer as user_id, u.usecreatedb as createdb,
         u.usesuper as superuser, false as catalog_update,
         coalesce(nullif(r.rolconnlimit, -1)::text, 'UNLIMITED') as connection_limit,
         'RESTRICTED'::text as syslog_access, null::timestamp as last_ddl_timestamp, null::text as session_timeout,
         null::text as external_user_id
  from pg_user as u join pg_roles as r on r.oid = u.usesysid where u.usename not like 'pg\_%';

create view pg_catalog.svv_transactions as
  select a.usename::text as txn_owner, d.datname::text as txn_db, a.backend_xid::text::bigint as xid, a.pid,
         a.xact_start::timestamp as txn_start, l.mode::text as lock_mode,
         case l.locktype when 'relation' then 'relation' else 'transactionid' end as lockable_object_type,
         l.relation::integer as relation, l.granted
  from pg_locks as l
  join pg_stat_activity as a on a.pid = l.pid
  join pg_database as d on d.oid = a.datid
  where a.usename <> 'rdsdb' and (l.locktype = 'transactionid' or l.relation in (
    select c.oid from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where local_is_user_schema(n.nspname)));
