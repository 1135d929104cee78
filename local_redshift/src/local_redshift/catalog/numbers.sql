-- Numbers and aggregates.

-- Redshift allows WHERE 1 and the comparison of a boolean with 1.
update pg_cast set castcontext = 'a' where castsource = 'integer'::regtype and casttarget = 'boolean'::regtype;
create function pg_catalog.local_equals(boolean, integer) returns boolean language sql immutable as
$$ select $1 = $2::boolean $$;
create function pg_catalog.local_differs(boolean, integer) returns boolean language sql immutable as
$$ select $1 <> $2::boolean $$;
create function pg_catalog.local_equals(integer, boolean) returns boolean language sql immutable as
$$ select $1::boolean = $2 $$;
create function pg_catalog.local_differs(integer, boolean) returns boolean language sql immutable as
$$ select $1::boolean <> $2 $$;
create operator pg_catalog.= (leftarg = boolean, rightarg = integer, function = pg_catalog.local_equals);
create operator pg_catalog.<> (leftarg = boolean, rightarg = integer, function = pg_catalog.local_differs);
create operator pg_catalog.= (leftarg = integer, rightarg = boolean, function = pg_catalog.local_equals);
create operator pg_catalog.<> (leftarg = integer, rightarg = boolean, function = pg_catalog.local_differs);

-- An explicit cast of a NUMERIC to another numeric type truncates it. An assignment, as in INSERT, rounds it. A FLOAT
-- is always rounded. $2 is the type modifier with precision and scale, and $3 is true for an explicit cast. The
-- functions that return NUMERIC are in PL/pgSQL because an expression that the planner inlines loses its precision.
-- https://docs.aws.amazon.com/redshift/latest/dg/r_enable_numeric_rounding.html
create function pg_catalog.local_numeric(numeric, integer, boolean) returns numeric
language plpgsql immutable strict parallel safe as $$
begin
  return pg_catalog."numeric"(case when $3 then trunc($1, ((($2 - 4) & 2047) # 1024) - 1024) else $1 end, $2);
end $$;
create function pg_catalog.local_numeric(double precision, integer, boolean) returns numeric
language plpgsql immutable strict parallel safe as $$
begin
  return case when $2 >= 4 then pg_catalog."numeric"(pg_catalog."numeric"($1), $2) else pg_catalog."numeric"($1) end;
end $$;
create function pg_catalog.local_numeric(real, integer, boolean) returns numeric
language plpgsql immutable strict parallel safe as $$
begin
  return case when $2 >= 4 then pg_catalog."numeric"(pg_catalog."numeric"($1), $2) else pg_catalog."numeric"($1) end;
end $$;
create function pg_catalog.local_smallint(numeric, integer, boolean) returns smallint
language sql immutable parallel safe as $$ select int2(trunc($1, case when $3 then 0 else 1000 end)) $$;
create function pg_catalog.local_integer(numeric, integer, boolean) returns integer
language sql immutable parallel safe as $$ select int4(trunc($1, case when $3 then 0 else 1000 end)) $$;
create function pg_catalog.local_bigint(numeric, integer, boolean) returns bigint
language sql immutable parallel safe as $$ select int8(trunc($1, case when $3 then 0 else 1000 end)) $$;
update pg_cast set castfunc = own.function
from (values ('numeric'::regtype, 'numeric'::regtype, 'local_numeric(numeric, integer, boolean)'::regprocedure),
             ('float8', 'numeric', 'local_numeric(float8, integer, boolean)'),
             ('float4', 'numeric', 'local_numeric(real, integer, boolean)'),
             ('numeric', 'int2', 'local_smallint(numeric, integer, boolean)'),
             ('numeric', 'int4', 'local_integer(numeric, integer, boolean)'),
             ('numeric', 'int8', 'local_bigint(numeric, integer, boolean)')) as own(source, target, function)
where castsource = own.source and casttarget = own.target;

-- PostgreSQL rounds only NUMERIC to a number of digits. The functions for integers keep their results exact.
create function pg_catalog.round(double precision, integer) returns double precision
language sql immutable strict parallel safe as $$ select round($1::numeric, $2)::float8 $$;
create function pg_catalog.trunc(double precision, integer) returns double precision
language sql immutable strict parallel safe as $$ select trunc($1::numeric, $2)::float8 $$;
create function pg_catalog.round(bigint, integer) returns numeric language sql immutable strict parallel safe as
$$ select round($1::numeric, $2) $$;
create function pg_catalog.round(integer, integer) returns numeric language sql immutable strict parallel safe as
$$ select round($1::numeric, $2) $$;
create function pg_catalog.trunc(bigint, integer) returns numeric language sql immutable strict parallel safe as
$$ select trunc($1::numeric, $2) $$;
create function pg_catalog.trunc(integer, integer) returns numeric language sql immutable strict parallel safe as
$$ select trunc($1::numeric, $2) $$;

-- On Redshift, the average of integers is an integer, without its fraction.
create function pg_catalog.local_whole_average(state bigint[]) returns bigint language sql immutable as
$$ select state[2] / nullif(state[1], 0) $$;
-- https://docs.aws.amazon.com/redshift/latest/dg/r_LOG.html
alter function pg_catalog.log(numeric, numeric) rename to local_log;
create function pg_catalog.log(base double precision, argument double precision) returns double precision
language sql immutable strict as $$ select ln(argument) / ln(base) $$;

alter aggregate pg_catalog.avg(smallint) rename to local_avg;
alter aggregate pg_catalog.avg(integer) rename to local_avg;
create aggregate pg_catalog.avg(smallint) (
  sfunc = int2_avg_accum, stype = bigint[], initcond = '{0,0}', finalfunc = local_whole_average,
  msfunc = int2_avg_accum, minvfunc = int2_avg_accum_inv, mstype = bigint[], minitcond = '{0,0}',
  mfinalfunc = local_whole_average);
create aggregate pg_catalog.avg(integer) (
  sfunc = int4_avg_accum, stype = bigint[], initcond = '{0,0}', finalfunc = local_whole_average,
  msfunc = int4_avg_accum, minvfunc = int4_avg_accum_inv, mstype = bigint[], minitcond = '{0,0}',
  mfinalfunc = local_whole_average);
-- A sum of BIGINTs may not fit in a BIGINT, so their average is computed in NUMERIC.
create function pg_catalog.local_add(state numeric[], value bigint) returns numeric[] language plpgsql immutable as $$
begin
  return case when value is null then state else array[state[1] + 1, state[2] + value] end;
end $$;
create function pg_catalog.local_whole_average(state numeric[]) returns bigint language sql immutable as
$$ select ((state[2] - state[2] % nullif(state[1], 0)) / nullif(state[1], 0))::bigint $$;
alter aggregate pg_catalog.avg(bigint) rename to local_avg;
create aggregate pg_catalog.avg(bigint) (
  sfunc = local_add, stype = numeric[], initcond = '{0,0}', finalfunc = local_whole_average);

-- The average of NUMERIC has the scale of its argument and is truncated, like a division of integers.
-- https://docs.aws.amazon.com/redshift/latest/dg/r_AVG.html
create function pg_catalog.local_add(state numeric[], value numeric) returns numeric[] language plpgsql immutable as $$
begin
  return case when value is null then state else array[state[1] + 1, state[2] + value] end;
end $$;
create function pg_catalog.local_average(state numeric[]) returns numeric language sql immutable
return trunc(state[2] / nullif(state[1], 0), scale(state[2]));
update pg_aggregate
set aggtransfn = 'local_add(numeric[], numeric)'::regprocedure, aggtranstype = 'numeric[]'::regtype,
    agginitval = '{0,0}', aggfinalfn = 'local_average(numeric[])'::regprocedure, aggcombinefn = 0, aggserialfn = 0,
    aggdeserialfn = 0, aggmtransfn = 0, aggminvtransfn = 0, aggmtranstype = 0, aggmfinalfn = 0, aggtransspace = 0,
    aggmtransspace = 0
where aggfnoid = 'avg(numeric)'::regprocedure;

-- On Redshift, standard deviations, variances and the functions below return DOUBLE PRECISION for every argument type.
do $$
declare f regprocedure;
begin
  for f in
    select oid from pg_proc
    where pronamespace = 'pg_catalog'::regnamespace and (
      (proname in ('stddev', 'stddev_pop', 'stddev_samp', 'variance', 'var_pop', 'var_samp')
       and proargtypes[0] not in ('float8'::regtype, 'float4'::regtype))
      or (proname in ('sqrt', 'exp', 'power', 'pow') and proargtypes[0] = 'numeric'::regtype))
  loop
    execute format('alter routine %s rename to %I', f, 'local_' || (select proname from pg_proc where oid = f));
  end loop;
end $$;

-- MEDIAN is a separate aggregate, so that it can have OVER (PARTITION BY ...). It interpolates, like
-- PERCENTILE_CONT(0.5). For numbers, it returns DECIMAL, unless they are floating-point numbers.
create function pg_catalog.local_append(numeric[], integer) returns numeric[] language sql immutable as
$$ select array_append($1, $2::numeric) $$;
create function pg_catalog.local_append(numeric[], bigint) returns numeric[] language sql immutable as
$$ select array_append($1, $2::numeric) $$;
create function pg_catalog.local_median(numeric[]) returns numeric language sql immutable as $$
  select sum(value) / count(value)
  from (select value, row_number() over (order by value) as n, count(*) over () as total
        from unnest($1) as value where value is not null) as sorted
  where n in ((total + 1) / 2, (total + 2) / 2) $$;
create function pg_catalog.local_median(double precision[]) returns double precision language sql immutable as
$$ select percentile_cont(0.5) within group (order by value) from unnest($1) as value $$;
create function pg_catalog.local_median(timestamp[]) returns timestamp language sql immutable as $$
  select timestamp 'epoch' + percentile_cont(0.5) within group (order by value - timestamp 'epoch')
  from unnest($1) as value $$;
create function pg_catalog.local_median(date[]) returns date language sql immutable as
$$ select local_median($1::timestamp[])::date $$;
create aggregate pg_catalog.median(timestamp) (sfunc = array_append, stype = timestamp[], finalfunc = local_median);
create aggregate pg_catalog.median(date) (sfunc = array_append, stype = date[], finalfunc = local_median);
create aggregate pg_catalog.median(integer) (sfunc = local_append, stype = numeric[], finalfunc = local_median);
create aggregate pg_catalog.median(bigint) (sfunc = local_append, stype = numeric[], finalfunc = local_median);
create aggregate pg_catalog.median(numeric) (sfunc = array_append, stype = numeric[], finalfunc = local_median);
create aggregate pg_catalog.median(double precision) (
  sfunc = array_append, stype = double precision[], finalfunc = local_median);
