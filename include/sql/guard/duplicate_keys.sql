-- one row per duplicate key among the rows that the run may have changed
-- The planner trusts declared keys and may remove a GROUP BY on a key, so the rows are grouped by an expression
-- (https://docs.aws.amazon.com/redshift/latest/dg/t_Defining_constraints.html).
-- noqa: disable=LT02,AM09
{% for table in guarded -%}
select
    '{{ table.name }}' as table_name,
    {{ table.text }} as key
from {{ ops() if table.is_ops else star() }}.{{ table.name }} as p
{% if table.scope == "day" -%}
inner join {{ run_schema() }}.affected_days as d on date_trunc('day', p.start_time) = d.day_start
where
    p.start_time >= (select min(a.day_start) from {{ run_schema() }}.affected_days as a)
    and p.start_time < (select dateadd(day, 1, max(a.day_start)) from {{ run_schema() }}.affected_days as a)
{% elif table.scope == "lines" -%}
inner join {{ run_schema() }}.staging_files as f on p.source_key = f.source_key
where
    p.start_time >= (
        select min(l.first_event)
        from {{ ops() }}.loaded_files as l
        inner join {{ run_schema() }}.staging_files as s on l.source_key = s.source_key
    )
    and p.start_time <= (
        select max(l.last_event)
        from {{ ops() }}.loaded_files as l
        inner join {{ run_schema() }}.staging_files as s on l.source_key = s.source_key
    )
{% else -%}
inner join {{ run_schema() }}.{{ table.scope }} as c on p.{{ table.key[0] }} = c.{{ table.key[0] }}
{% endif -%}
group by {{ table.text }}
having count(*) > 1
{% if not loop.last -%}
union all
{% endif -%}
{% endfor -%}
limit 20;
