-- one row: the version of the star that the candidates are first derived from
-- key: version
-- load: inserted once. If a later version is published first, the candidates are rebuilt
-- late data: none
create table {{ run_schema() }}.base_version (version bigint not null) diststyle all;
insert into {{ run_schema() }}.base_version (version)
select coalesce(max(version), 0) from {{ ops() }}.publish_log;
