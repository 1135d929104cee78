-- The version of the server, the grants on the catalog, and features of PostgreSQL that Redshift does not have.

create or replace function pg_catalog.version() returns text language sql stable as
$$ select 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 '
       || '(Red Hat 3.4.2-6.fc3), Redshift 1.0.0 (local stand-in on Postgres '
       || current_setting('server_version', false) || ')' $$;

-- Scripts that AWS publishes use `'a' + 'b'` for `'a' || 'b'`.
create operator pg_catalog.+ (leftarg = text, rightarg = text, function = pg_catalog.textcat);

-- Rename functions that Redshift does not have. PostgreSQL would call them instead of a client's functions of their names.
do $$
declare f regprocedure;
begin
  for f in
    select oid from pg_proc
    where pronamespace = 'pg_catalog'::regnamespace and proname = any ('{
      regexp_like, regexp_match, regexp_split_to_array, regexp_split_to_table, starts_with, string_to_array,
      string_to_table, parse_ident, overlay, quote_nullable, unistr, to_ascii, casefold, normalize, is_normalized,
      bit_length, bit_count, bit_xor, mode, corr, covar_pop, covar_samp, regr_avgx, regr_avgy, regr_count,
      regr_intercept, regr_r2, regr_slope, regr_sxx, regr_sxy, regr_syy, xmlagg, range_agg, range_intersect_agg,
      json_object_agg, jsonb_object_agg, erf, erfc, gamma, lgamma, gcd, lcm, factorial, div, scale, min_scale,
      trim_scale, width_bucket, setseed, random_normal, sind, cosd, tand, cotd, asind, acosd, atand, atan2d, sinh,
      cosh, tanh, asinh, acosh, atanh, justify_days, justify_hours, justify_interval, date_subtract, date_bin,
      make_date, make_time, make_timestamp, make_timestamptz, make_interval, gen_random_uuid, uuidv4, uuidv7,
      num_nonnulls}'::text[])
    or oid in ('date_add(timestamptz, interval)'::regprocedure, 'date_add(timestamptz, interval, text)'::regprocedure)
  loop
    execute format('alter routine %s rename to %I', f, 'local_' || (select proname from pg_proc where oid = f));
  end loop;
end $$;

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
