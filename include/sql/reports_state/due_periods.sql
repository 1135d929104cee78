-- one row per period that is to be counted again
-- key: period, start
-- load: a working table, made in the transaction that publishes; read by the tables of periods
-- late data: a changed day makes its month and its week due
-- columns:
--   period varchar(8): all, month, week, last_7 or last_28
--   start date: First day of the period; NULL for all periods of that name
delete from {{ reports_state() }}.due_periods;
insert into {{ reports_state() }}.due_periods (period, start)
select distinct
    'month'::varchar(8) as period,
    date_trunc('month', day)::date as start
from {{ reports_state() }}.due_events
union all
select distinct
    'week'::varchar(8) as period,
    date_trunc('week', day)::date as start
from {{ reports_state() }}.due_events
union all
select
    'all'::varchar(8) as period,
    null::date as start
union all
select
    'last_7'::varchar(8) as period,
    null::date as start
union all
select
    'last_28'::varchar(8) as period,
    null::date as start;
