-- one row per interval that the run publishes: half-open, disjoint, UTC
-- key: window_start
-- load: inserted from the plan when the run's schema is created
-- late data: none
create table {{ run_schema(run_id) }}.windows (
    window_start timestamp not null,
    window_end timestamp not null
) diststyle all;
