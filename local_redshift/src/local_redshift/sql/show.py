"""Translate SHOW DATABASES, SCHEMAS, TABLES, COLUMNS, VIEW and GRANTS ON TABLE to queries of the catalog.

The columns are those of https://docs.aws.amazon.com/redshift/latest/dg/r_SHOW_TABLES.html and the related pages.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import Refused
from .refusals import not_covered
from .statement import Statement
from .tokens import Token, Tokens, identifier, literal, visible

_DATABASES = """
select database_name, database_owner, database_type, database_acl, database_options as parameters,
       database_isolation_level
from pg_catalog.svv_redshift_databases where true{like} order by 1{limit}
"""
_SCHEMAS = "select * from pg_catalog.svv_all_schemas where true{like} order by 2{limit}"
_TABLES = """
select current_database()::varchar as database_name, schema_name, table_name, table_type::varchar as table_type,
       null::varchar as table_acl, remarks, pg_get_userbyid(relowner)::varchar as owner,
       null::timestamp as last_altered_time, null::timestamp as last_modified_time,
       case when relkind = 'v' then null when d.diststyle = 'KEY' then 'KEY(' || d.distkey || ')'
         when coalesce(d.diststyle, 'AUTO') = 'AUTO' then 'AUTO (ALL)' else d.diststyle end::varchar as dist_style,
       case when relkind <> 'v' then 'REGULAR TABLE'
         when oid in (select m.relid from pg_catalog.local_materialized_views as m) then 'MATERIALIZED VIEW'
         when oid in (select l.relid from pg_catalog.local_late_views as l) then 'LATE BINDING VIEW'
         else 'REGULAR VIEW' end::varchar as table_subtype
from pg_catalog.local_relations left join pg_catalog.local_table_design as d on d.relid = oid
where schema_name = {schema}{like}
order by 3{limit}
"""
_COLUMNS = """
select current_database()::varchar as database_name, schema_name, table_name, column_name, ordinal_position,
       column_default, is_nullable, data_type, character_maximum_length, numeric_precision, numeric_scale, remarks,
       case when attsortkeyord <> 0 then case when d.interleaved then 'INTERLEAVED' else 'COMPOUND' end
         end::varchar as sort_key_type,
       attsortkeyord::integer as sort_key, case when attisdistkey then 1 end as dist_key, encoding::varchar as encoding,
       case when data_type like 'character%' then 'default' end::varchar as collation
from pg_catalog.local_columns left join pg_catalog.local_table_design as d on d.relid = oid
where schema_name = {schema} and table_name = {table} and not is_late{like}
order by 5{limit}
"""
_VIEW = 'select pg_catalog.pg_get_viewdef({view}::regclass, true)::varchar as "Show View DDL statement"'

# SHOW GRANTS lists a group as a role whose name begins with a slash.
_GRANTS = """
select current_database()::varchar as database_name, namespace_name::varchar as schema_name,
       relation_name::varchar as object_name, 'TABLE'::varchar as object_type,
       privilege_type::varchar as privilege_type, identity_id,
       (case identity_type when 'group' then '/' else '' end || identity_name)::varchar as identity_name,
       replace(identity_type, 'group', 'role')::varchar as identity_type, admin_option,
       'TABLE'::varchar as privilege_scope
from pg_catalog.svv_relation_privileges
where (namespace_name, relation_name) = (
  select n.nspname, c.relname from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  where c.oid = {table}::regclass)
order by 7, 5{limit}
"""

_PARTS = {"databases": -1, "schemas": 1, "tables": 2, "columns": 3}  # parts of a name with the database


def show(tokens: Tokens, words: Sequence[str], database: str) -> Statement | None:
    """Translate a SHOW command for database objects. Return None for a setting."""
    seen = visible(tokens)
    what = words[1] if len(words) > 1 else ""
    if what == "view":
        name = ".".join('"' + identifier(token) + '"' for token in seen[2:] if token.text != ".")
        return Statement("plain", _VIEW.format(view=literal(name)))
    if words[1:4] == ["grants", "on", "table"]:
        return _grants(seen[3:], database)
    if what in _PARTS:
        names, rest = _from(seen)
        if len(names) == _PARTS[what] and names[0] != database:
            raise not_covered(f"SHOW {what.upper()} of another database ({names[0]})")
        if words[2:5] == ["from", "data", "catalog"]:
            raise not_covered("SHOW DATABASES FROM DATA CATALOG")
        options = _options(rest, f"{what[:-1]}_name")
        if what == "databases":
            return Statement("plain", _DATABASES.format(**options))
        if what == "schemas":
            return Statement("plain", _SCHEMAS.format(**options))
        if what == "tables":
            if not names:
                raise Refused("SHOW TABLES needs FROM SCHEMA database.schema")
            return Statement("plain", _TABLES.format(schema=literal(names[-1]), **options))
        if len(names) < 2:
            raise Refused("SHOW COLUMNS needs FROM TABLE database.schema.table")
        place = {"schema": literal(names[-2]), "table": literal(names[-1])}
        return Statement("plain", _COLUMNS.format(**place, **options))
    return None


def _grants(seen: Tokens, database: str) -> Statement:
    """Translate SHOW GRANTS ON TABLE [[database.]schema.]table [LIMIT n]. `seen` begins with TABLE."""
    names, rest = _from([seen[0], seen[0], Token("word", "from", "from"), *seen])
    if len(names) > 2 and names[0] != database:
        raise not_covered(f"SHOW GRANTS of another database ({names[0]})")
    if any(token.low == "for" for token in rest):
        raise not_covered("SHOW GRANTS ON TABLE ... FOR (ask svv_relation_privileges)")
    table = ".".join('"' + name + '"' for name in names[-2:])
    return Statement("plain", _GRANTS.format(table=literal(table), limit=_options(rest, "")["limit"]))


def _from(seen: Tokens) -> tuple[list[str], Tokens]:
    """Return the name after FROM DATABASE | SCHEMA | TABLE, and the tokens that follow it."""
    i, names = 2, []
    if i < len(seen) and seen[i].low == "from":
        i += 2
        while (
            i < len(seen) and seen[i].kind in ("word", "name") and seen[i].low not in ("like", "limit", "for")
        ):
            names.append(identifier(seen[i]))
            i += 2 if i + 1 < len(seen) and seen[i + 1].text == "." else 1
    return names, seen[i:]


def _options(rest: Sequence[Token], column: str) -> dict[str, str]:
    options = {"like": "", "limit": ""}
    for i, token in enumerate(rest[:-1]):
        if token.low == "like":
            options["like"] = f" and {column} like {rest[i + 1].text}"
        elif token.low == "limit":
            options["limit"] = f" limit {rest[i + 1].text}"
    return options
