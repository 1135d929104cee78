-- The views of sessions and locks show the real ones.

create view pg_catalog.local_sessions as
  select a.pid, a.usename::text as user_name, a.usesysid::integer as user_id, a.datname::text as db_name,
         a.backend_start::timestamp as starttime, a.query_start::timestamp as query_start, a.state, a.query,
         coalesce(a.backend_xid::text::bigint, 0) as xid
  from pg_stat_activity as a
  where a.backend_type = 'client backend' and a.usename <> 'rdsdb';

create view pg_catalog.stv_sessions as
  select starttime, pid as process, user_name::char(50) as user_name, db_name::char(50) as db_name,
         0 as timeout_sec from local_sessions;
create view pg_catalog.stv_recents as
  select user_id as userid, case when state = 'active' then 'Running' else 'Done' end::char(20) as status,
         query_start as starttime,
         (pgdate_part('epoch', clock_timestamp()::timestamp - query_start) * 1000000)::integer as duration,
         user_name::char(50) as user_name, db_name::char(50) as db_name, query::char(600) as query, pid
  from local_sessions where query <> '';
create view pg_catalog.stv_inflight as
  select user_id as userid, 0 as slice, pid as query, null::char(320) as label, xid, pid,
         query_start as starttime, query::char(100) as text, 0 as suspended, 0 as insert_pristine,
         0 as concurrency_scaling_status
  from local_sessions where state = 'active' and pid <> pg_backend_pid();
create view pg_catalog.stv_locks as
  select l.relation::integer as table_id, a.query_start as last_update, a.pid as lock_owner_pid,
         a.xid as lock_owner, trim(l.mode) as lock_status, a.starttime as lock_owner_start_ts
  from pg_locks as l join local_sessions as a on a.pid = l.pid where l.locktype = 'relation' and l.relation in (
    select c.oid from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where local_is_user_schema(n.nspname));
