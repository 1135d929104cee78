-- The views of sessions and locks show the real ones. There is no query history: its views have the columns that
-- Redshift documents, but no rows.

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
create view pg_catalog.stv_tbl_perm as
  select 0 as slice, c.oid::integer as id, c.relname::char(72) as name,
         greatest(s.n_live_tup, c.reltuples)::bigint as rows,
         greatest(s.n_live_tup, c.reltuples)::bigint as sorted_rows,
         case c.relpersistence when 't' then 1 else 0 end as temp,
         (select d.oid::integer from pg_database as d where d.datname = current_database()) as db_id,
         0 as insert_pristine, 0 as delete_pristine, 0 as backup, 0 as dist_style,
         greatest(1, pg_table_size(c.oid) / 1048576)::integer as block_count
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  left join pg_stat_all_tables as s on s.relid = c.oid
  where c.relkind = 'r' and local_is_user_schema(n.nspname);
create view pg_catalog.stv_slices as select 0 as node, 0 as slice, 0 as localslice, 'D'::char(1) as type;
create view pg_catalog.stv_db_isolation_level as
  select datname::char(128) as db_name, 'Snapshot Isolation'::char(20) as isolation_level
  from pg_database where datallowconn and datname not in ('template1', 'postgres');

create view pg_catalog.stv_blocklist as
  select null::integer as slice, null::integer as col, null::integer as tbl, null::integer as blocknum,
         null::integer as num_values, null::integer as extended_limits, null::bigint as minvalue,
         null::bigint as maxvalue, null::integer as sb_pos, null::integer as pinned, null::integer as on_disk,
         null::integer as modified, null::integer as hdr_modified, null::integer as unsorted,
         null::integer as tombstone, null::integer as preferred_diskno, null::integer as temporary,
         null::integer as newblock where false;
create view pg_catalog.stv_partitions as
  select null::integer as owner, null::integer as host, null::integer as diskno, null::bigint as part_begin,
         null::bigint as part_end, null::integer as used, null::integer as tossed, null::integer as capacity,
         null::bigint as reads, null::bigint as writes, null::integer as seek_forward, null::integer as seek_back,
         null::integer as is_san, null::integer as failed, null::integer as mbps, null::char(256) as mount where false;
create view pg_catalog.stv_node_storage_capacity as
  select null::integer as node, null::integer as used, null::integer as capacity where false;
create view pg_catalog.stv_wlm_query_state as
  select null::integer as xid, null::integer as task, null::integer as query, null::integer as service_class,
         null::integer as slot_count, null::timestamp as wlm_start_time, null::char(16) as state,
         null::bigint as queue_time, null::bigint as exec_time, null::char(16) as query_priority where false;

create view pg_catalog.stl_query as
  select null::integer as userid, null::integer as query, null::char(320) as label, null::bigint as xid,
         null::integer as pid, null::char(32) as database, null::char(4000) as querytxt, null::timestamp as starttime,
         null::timestamp as endtime, null::integer as aborted, null::integer as insert_pristine,
         null::integer as concurrency_scaling_status where false;
create view pg_catalog.svl_qlog as
  select userid, query, xid, pid, starttime, endtime, null::bigint as elapsed, aborted, label,
         null::char(60) as substring, null::integer as source_query, null::text as concurrency_scaling_status_txt,
         null::integer as from_sp_call from stl_query;
create view pg_catalog.stl_querytext as
  select null::integer as userid, null::bigint as xid, null::integer as pid, null::integer as query,
         null::integer as sequence, null::char(200) as text where false;
create view pg_catalog.stl_ddltext as
  select null::integer as userid, null::bigint as xid, null::integer as pid, null::char(320) as label,
         null::timestamp as starttime, null::timestamp as endtime, null::integer as sequence, null::char(200) as text
  where false;
create view pg_catalog.stl_utilitytext as select * from stl_ddltext;
create view pg_catalog.svl_statementtext as
  select userid, xid, pid, label, starttime, endtime, sequence, null::char(10) as type, text from stl_ddltext;
create view pg_catalog.stl_undone as
  select null::integer as userid, null::bigint as xact_id, null::bigint as xact_id_undone,
         null::timestamp as undo_start_ts, null::timestamp as undo_end_ts, null::bigint as table_id where false;
create view pg_catalog.stl_tr_conflict as
  select null::bigint as xact_id, null::bigint as process_id, null::timestamp as xact_start_ts,
         null::timestamp as abort_time, null::bigint as table_id where false;
create view pg_catalog.stl_error as
  select null::integer as userid, null::char(12) as process, null::timestamp as recordtime, null::integer as pid,
         null::integer as errcode, null::char(90) as file, null::integer as linenum, null::char(100) as context,
         null::char(512) as error where false;
create view pg_catalog.stl_insert as
  select null::integer as userid, null::integer as query, null::integer as slice, null::integer as segment,
         null::integer as step, null::timestamp as starttime, null::timestamp as endtime, null::integer as tasknum,
         null::bigint as rows, null::integer as tbl where false;
create view pg_catalog.stl_scan as
  select null::integer as userid, null::integer as query, null::integer as slice, null::integer as segment,
         null::integer as step, null::timestamp as starttime, null::timestamp as endtime, null::integer as tasknum,
         null::bigint as rows, null::bigint as bytes, null::integer as tbl, null::integer as type,
         null::char(1) as is_rrscan, null::char(1) as is_delayed_scan, null::bigint as rows_pre_filter,
         null::bigint as rows_pre_user_filter, null::char(136) as perm_table_name where false;
create view pg_catalog.stl_wlm_query as
  select null::integer as userid, null::integer as xid, null::integer as task, null::integer as query,
         null::integer as service_class, null::integer as slot_count, null::timestamp as service_class_start_time,
         null::timestamp as queue_start_time, null::timestamp as queue_end_time, null::bigint as total_queue_time,
         null::timestamp as exec_start_time, null::timestamp as exec_end_time, null::bigint as total_exec_time,
         null::timestamp as service_class_end_time, null::char(16) as final_state, null::char(16) as query_priority
  where false;
create view pg_catalog.stl_alert_event_log as
  select null::integer as userid, null::integer as query, null::integer as slice, null::integer as segment,
         null::integer as step, null::integer as pid, null::bigint as xid, null::char(1024) as event,
         null::char(1024) as solution, null::timestamp as event_time where false;
create view pg_catalog.stl_explain as
  select null::integer as userid, null::integer as query, null::integer as nodeid, null::integer as parentid,
         null::char(400) as plannode, null::char(400) as info where false;
create view pg_catalog.stl_vacuum as
  select null::integer as userid, null::bigint as xid, null::integer as table_id, null::char(30) as status,
         null::bigint as rows, null::integer as sortedrows, null::integer as blocks,
         null::integer as max_merge_partitions,
         null::timestamp as eventtime, null::bigint as reclaimable_rows, null::bigint as reclaimable_space_mb,
         null::bigint as cutoff_xid, null::integer as is_recluster where false;
create view pg_catalog.stl_analyze as
  select null::integer as userid, null::bigint as xid, null::char(30) as database, null::integer as table_id,
         null::char(15) as status, null::double precision as rows, null::double precision as modified_rows,
         null::integer as threshold_percent, null::char(1) as is_auto, null::timestamp as starttime,
         null::timestamp as endtime, null::char(16) as prevtime, null::integer as num_predicate_cols,
         null::integer as num_new_predicate_cols, null::char(1) as is_background where false;
create view pg_catalog.stl_connection_log as
  select null::char(50) as event, null::timestamp as recordtime, null::char(45) as remotehost,
         null::char(32) as remoteport, null::integer as pid, null::char(50) as dbname, null::char(50) as username,
         null::char(32) as authmethod, null::integer as duration, null::char(50) as sslversion,
         null::char(128) as sslcipher, null::integer as mtu, null::char(64) as sslcompression,
         null::char(64) as sslexpansion, null::char(36) as iamauthguid, null::char(250) as application_name,
         null::char(64) as os_version, null::char(64) as driver_version, null::char(32) as plugin_name,
         null::integer as protocol_version, null::char(36) as sessionid, null::char(8) as compression where false;
create view pg_catalog.svl_query_summary as
  select null::integer as userid, null::integer as query, null::integer as stm, null::integer as seg,
         null::integer as step, null::bigint as maxtime, null::bigint as avgtime, null::bigint as rows,
         null::bigint as bytes, null::double precision as rate_row, null::double precision as rate_byte,
         null::text as label, null::char(1) as is_diskbased, null::bigint as workmem, null::char(1) as is_rrscan,
         null::char(1) as is_delayed_scan, null::bigint as rows_pre_filter where false;

create view pg_catalog.sys_query_history as
  select null::integer as user_id, null::bigint as query_id, null::char(320) as query_label,
         null::bigint as transaction_id, null::integer as session_id, null::char(128) as database_name,
         null::char(32) as query_type, null::char(10) as status, null::boolean as result_cache_hit,
         null::timestamp as start_time, null::timestamp as end_time, null::bigint as elapsed_time,
         null::bigint as queue_time, null::bigint as execution_time, null::char(512) as error_message,
         null::bigint as returned_rows, null::bigint as returned_bytes, null::char(4000) as query_text,
         null::char(256) as redshift_version, null::char(150) as usage_limit, null::char(16) as compute_type,
         null::bigint as compile_time, null::bigint as planning_time, null::bigint as lock_wait_time,
         null::char(255) as service_class_name, null::integer as service_class_id, null::char(20) as query_priority,
         null::char(64) as short_query_accelerated, null::char(40) as user_query_hash,
         null::char(40) as generic_query_hash, null::bigint as query_hash_version,
         null::char(200) as result_cache_query_id where false;
create view pg_catalog.sys_query_text as
  select null::integer as user_id, null::bigint as query_id, null::bigint as transaction_id,
         null::integer as session_id,
         null::timestamp as start_time, null::integer as sequence, null::char(200) as text where false;
create view pg_catalog.sys_query_detail as
  select null::integer as user_id, null::bigint as query_id, null::integer as child_query_sequence,
         null::integer as stream_id, null::integer as segment_id, null::integer as step_id, null::text as step_name,
         null::integer as table_id, null::char(136) as table_name, null::char(1) as is_rrscan,
         null::timestamp as start_time, null::timestamp as end_time, null::bigint as duration, null::text as alert,
         null::bigint as input_bytes, null::bigint as input_rows, null::bigint as output_bytes,
         null::bigint as output_rows, null::bigint as blocks_read, null::bigint as blocks_write,
         null::bigint as local_read_io, null::bigint as remote_read_io, null::text as source,
         null::integer as data_skewness, null::integer as time_skewness, null::char(1) as is_active,
         null::bigint as spilled_block_local_disk, null::bigint as spilled_block_remote_disk,
         null::text as step_attribute, null::text as metrics_level where false;
create view pg_catalog.sys_transaction_history as
  select null::integer as user_id, null::bigint as transaction_id, null::char(64) as isolation_level,
         null::text as status, null::timestamp as transaction_start_time, null::timestamp as commit_start_time,
         null::timestamp as commit_end_time, null::bigint as blocks_committed,
         null::bigint as undo_transaction_id where false;
create view pg_catalog.sys_session_history as
  select null::integer as user_id, null::integer as session_id, null::varchar(128) as database_name,
         null::varchar(16) as status, null::timestamp as session_start_time, null::timestamp as session_end_time
  where false;
create view pg_catalog.sys_connection_log as
  select null::varchar(50) as event, null::timestamp as record_time, null::varchar(45) as remote_host,
         null::varchar(32) as remote_port, null::integer as session_id, null::varchar(50) as database_name,
         null::varchar(50) as user_name, null::varchar(32) as auth_method, null::integer as duration,
         null::varchar(50) as ssl_version, null::varchar(128) as ssl_cipher, null::integer as mtu,
         null::varchar(64) as ssl_compression, null::varchar(64) as ssl_expansion,
         null::varchar(36) as iam_auth_guid, null::varchar(250) as application_name,
         null::varchar(64) as driver_version, null::varchar(64) as os_version, null::varchar(32) as plugin_name,
         null::integer as protocol_version, null::varchar(36) as global_session_id where false;
create view pg_catalog.sys_unload_history as
  select null::integer as user_id, null::bigint as query_id, null::bigint as transaction_id,
         null::integer as session_id,
         null::text as database_name, null::text as status, null::timestamp as start_time, null::timestamp as end_time,
         null::bigint as duration, null::text as file_format, null::text as compression_type,
         null::bigint as unloaded_location, null::bigint as unloaded_rows, null::bigint as unloaded_files_count,
         null::bigint as unloaded_files_size, null::text as error_message where false;
create view pg_catalog.sys_vacuum_history as
  select null::integer as user_id, null::bigint as transaction_id, null::bigint as query_id,
         null::text as database_name,
         null::text as schema_name, null::text as table_name, null::integer as table_id, null::char(30) as vacuum_type,
         null::boolean as is_automatic, null::char(30) as status, null::timestamp as start_time,
         null::timestamp as end_time, null::timestamp as record_time, null::bigint as duration,
         null::bigint as rows_before_vacuum, null::bigint as size_before_vacuum, null::bigint as reclaimable_rows,
         null::bigint as reclaimed_rows, null::bigint as reclaimed_blocks, null::integer as sortedrows_before_vacuum,
         null::integer as sortedrows_after_vacuum where false;
create view pg_catalog.sys_analyze_history as
  select null::integer as user_id, null::bigint as transaction_id, null::char(30) as database_name,
         null::char(30) as schema_name, null::char(30) as table_name, null::integer as table_id,
         null::char(15) as is_automatic, null::char(15) as status, null::timestamp as start_time,
         null::timestamp as end_time, null::double precision as rows, null::double precision as modified_rows,
         null::integer as analyze_threshold_percent, null::timestamp as last_analyze_time where false;
create view pg_catalog.sys_mv_refresh_history as
  select null::integer as user_id, null::integer as session_id, null::bigint as transaction_id,
         null::char(128) as database_name, null::char(128) as schema_name, null::bigint as mv_id,
         null::char(128) as mv_name, null::char(32) as refresh_type, null::text as status,
         null::timestamp as start_time, null::timestamp as end_time, null::bigint as duration, null::bigint as query_id
  where false;
create view pg_catalog.sys_serverless_usage as
  select null::timestamp as start_time, null::timestamp as end_time, null::double precision as compute_seconds,
         null::double precision as compute_capacity, null::integer as data_storage,
         null::integer as cross_region_transferred_data,
         null::integer as charged_seconds where false;
