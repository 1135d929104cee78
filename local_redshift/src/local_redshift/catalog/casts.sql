-- Implicit conversions that Redshift documents. Numbers, dates and times become VARCHAR, and an integer added to a
-- timestamp is a number of days.
-- https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html#r_Type_conversion
do $$
declare source text;
begin
  foreach source in array array['int2', 'int4', 'int8', 'numeric', 'float4', 'float8', 'date', 'timestamp', 'timestamptz',
                                'time', 'timetz', 'oid', 'regclass'] loop
    execute format('create cast (%I as text) with inout as implicit', source);
  end loop;
end $$;
create function pg_catalog.local_add_days(timestamp, integer) returns timestamp language sql immutable strict as
$$ select $1 + $2 * interval '1 day' $$;
create function pg_catalog.local_take_days(timestamp, integer) returns timestamp language sql immutable strict as
$$ select $1 - $2 * interval '1 day' $$;
create operator pg_catalog.+ (leftarg = timestamp, rightarg = integer, function = pg_catalog.local_add_days);
create operator pg_catalog.- (leftarg = timestamp, rightarg = integer, function = pg_catalog.local_take_days);
-- Redshift cannot cast a boolean to text: https://github.com/dbt-labs/dbt-utils/issues/1016
create function pg_catalog.local_no_text(boolean) returns text language plpgsql immutable strict as $$
begin
  raise exception 'cannot cast type boolean to character varying' using errcode = 'cannot_coerce';
end $$;
update pg_cast set castfunc = 'local_no_text(boolean)'::regprocedure
where castsource = 'boolean'::regtype and casttarget in ('text'::regtype, 'varchar'::regtype, 'bpchar'::regtype);
