-- There are no external objects, datashares, roles and query history. Their views have the columns that Redshift
-- documents, but no rows.
do $$
declare
  name text;
  columns text;
begin
  for name, columns in values
    ('stl_query', 'userid int, query int, label char(320), xid bigint, pid int, database char(32),
     querytxt char(4000), starttime timestamp, endtime timestamp, aborted int, insert_pristine int,
     concurrency_scaling_status int'),
    ('stl_undone', 'userid int, xact_id bigint, xact_id_undone bigint, undo_start_ts timestamp, undo_end_ts timestamp,
     table_id bigint'),
    ('svl_qlog', 'userid int, query int, xid bigint, pid int, starttime timestamp, endtime timestamp, elapsed bigint,
     aborted int, label char(320), substring char(60), source_query int, concurrency_scaling_status_txt text,
     from_sp_call int'),
    ('svv_datashares', 'share_name varchar(128), share_id int, share_owner int, source_database varchar(128),
     consumer_database varchar(128), share_type varchar(8), createdate timestamp, is_publicaccessible boolean,
     share_acl varchar(256), producer_account varchar(16), producer_namespace varchar(64), managed_by varchar(64)'),
    ('svv_external_columns', 'redshift_database_name text, schemaname text, tablename text, columnname text,
     external_type text, columnnum int, part_key int, is_nullable text'),
    ('svv_external_databases', 'eskind smallint, esoptions text, databasename text, location text, parameters text'),
    ('svv_external_partitions', 'schemaname text, tablename text, "values" text, location text, input_format text,
     output_format text, serialization_lib text, serde_parameters text, compressed int, parameters text'),
    ('svv_external_schemas', 'esoid oid, eskind smallint, schemaname text, esowner int, databasename text,
     esoptions text'),
    ('svv_external_tables', 'redshift_database_name text, schemaname text, tablename text, tabletype text,
     location text, input_format text, output_format text, serialization_lib text, serde_parameters text,
     compressed int, parameters text'),
    ('svv_role_grants', 'role_id int, role_name text, granted_role_id int, granted_role_name text'),
    ('svv_roles', 'role_id int, role_name text, role_owner text, external_id text'),
    ('svv_system_privileges', 'system_privilege text, identity_id int, identity_name text, identity_type text'),
    ('svv_user_grants', 'user_id int, user_name text, role_id int, role_name text, admin_option boolean'),
    ('sys_query_detail', 'user_id int, query_id bigint, child_query_sequence int, stream_id int, segment_id int,
     step_id int, step_name text, table_id int, table_name char(136), is_rrscan char(1), start_time timestamp,
     end_time timestamp, duration bigint, alert text, input_bytes bigint, input_rows bigint, output_bytes bigint,
     output_rows bigint, blocks_read bigint, blocks_write bigint, local_read_io bigint, remote_read_io bigint,
     source text, data_skewness int, time_skewness int, is_active char(1), spilled_block_local_disk bigint,
     spilled_block_remote_disk bigint, step_attribute text, metrics_level text'),
    ('sys_query_history', 'user_id int, query_id bigint, query_label char(320), transaction_id bigint, session_id int,
     database_name char(128), query_type char(32), status char(10), result_cache_hit boolean, start_time timestamp,
     end_time timestamp, elapsed_time bigint, queue_time bigint, execution_time bigint, error_message char(512),
     returned_rows bigint, returned_bytes bigint, query_text char(4000), redshift_version char(256),
     usage_limit char(150), compute_type char(16), compile_time bigint, planning_time bigint, lock_wait_time bigint,
     service_class_name char(255), service_class_id int, query_priority char(20), short_query_accelerated char(64),
     user_query_hash char(40), generic_query_hash char(40), query_hash_version bigint,
     result_cache_query_id char(200)')
  loop
    execute format('create view pg_catalog.%I as select * from json_to_recordset(''[]'') as empty (%s)', name, columns);
  end loop;
end $$;
