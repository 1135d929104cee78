"""Translate SET, SHOW, RESET and current_setting() for Redshift's own settings, stored with the prefix `local.`."""

from __future__ import annotations

from collections.abc import Sequence

from .expressions import render
from .refusals import not_covered
from .statement import Statement
from .tokens import Tokens, literal, visible

CASE_SENSITIVE = "enable_case_sensitive_identifier"
# Redshift's own settings with their defaults. None of them affects a result here.
# https://docs.aws.amazon.com/redshift/latest/dg/cm_chap_ConfigurationRef.html
DEFAULTS = {
    "analyze_threshold_percent": "10",
    "auto_analyze": "on",
    "auto_mv": "on",
    "cast_super_null_on_error": "on",
    CASE_SENSITIVE: "off",
    "enable_result_cache_for_session": "on",
    "enable_vacuum_boost": "off",
    "error_on_nondeterministic_update": "off",
    "max_concurrency_scaling_clusters": "1",
    "max_cursor_result_set_size": "0",
    "mv_enable_aqmv_for_session": "on",
    # The value in the default parameter group.
    "query_group": "default",
    "spectrum_query_maxerror": "-1",
    "stored_proc_log_min_messages": "log",
    "use_fips_ssl": "off",
    "wlm_query_slot_count": "1",
}
# Settings that affect the results of queries. Only their default values are accepted.
FIXED = {
    "server_version": "8.0.2",
    "enable_numeric_rounding": "off",
    "describe_field_name_in_uppercase": "off",
    "downcase_delimited_identifier": "on",
    "default_geometry_encoding": "1",
    "json_serialization_enable": "off",
    "json_serialization_parse_nested_strings": "off",
    "navigate_super_null_on_error": "on",
    "parse_super_null_on_error": "off",
    "enable_case_sensitive_super_attribute": "off",
}
# PostgreSQL's function, extended by Redshift's settings and limited to the settings that SHOW accepts. The placeholders
# are a JSON object of the defaults, and an array of names. A cluster's encoding is UNICODE unless the client sets one:
# https://github.com/psycopg/psycopg/issues/122
CURRENT_SETTING = """
alter function pg_catalog.current_setting(text) rename to local_current_setting;
create function pg_catalog.current_setting(text) returns text language sql stable strict parallel safe as
$$ select case when {0}::jsonb ? lower($1)
     then coalesce(nullif(current_setting('local.' || lower($1), true), ''), {0}::jsonb ->> lower($1))
     when lower($1) = 'client_encoding'
     then (select case when source = 'default' then 'UNICODE' else setting end
           from pg_catalog.pg_settings where name = 'client_encoding')
     when position('.' in $1) > 0 or lower($1) = any ({1}) then local_current_setting($1)
     else local_current_setting($1 || ' ') end $$
"""
TRUE = {"on", "true", "1", "yes", "t"}


def setting(tokens: Tokens, words: Sequence[str]) -> Statement | None:
    """Translate SET, SHOW and RESET of one of Redshift's own settings. Return None for one of PostgreSQL's."""
    rest = [word for word in words[1:] if word not in ("session", "local")]
    name = rest[0] if rest else ""
    if words[:2] == ["reset", "all"]:
        return Statement("plain", render(tokens), case_sensitive=False)
    if name in FIXED:
        return _fixed(words[0], name, rest)
    if words[0] == "show" and (name in DEFAULTS or name == "client_encoding"):
        return Statement("plain", f"select current_setting('{name}')::varchar as {name}")
    if name not in DEFAULTS:
        return None
    ours = f"local.{name}"
    if words[0] == "reset":
        return Statement("plain", f"reset {ours}", case_sensitive=False if name == CASE_SENSITIVE else None)
    values = [token for token in visible(tokens) if token.low not in ("set", "session", "local", name)]
    value = values[1] if len(values) > 1 else values[-1]
    text = value.text[1:-1] if value.kind == "string" else value.low
    scope = "local " if "local" in words[:2] else ""
    if text == "default":
        text = DEFAULTS[name]
    case_sensitive = text.lower() in TRUE if name == CASE_SENSITIVE else None
    return Statement("plain", f"set {scope}{ours} to {literal(text)}", case_sensitive=case_sensitive)


def _fixed(verb: str, name: str, rest: Sequence[str]) -> Statement:
    default = FIXED[name]
    if verb == "show":
        return Statement("plain", f"select {literal(default)}::varchar as {name}")
    if verb == "set":
        value = rest[-1].strip("'")
        if (value in TRUE) != (default in TRUE) and value != default and value != "default":
            raise not_covered(f"SET {name} TO {value} (only {default})")
    return Statement("plain", f"reset local.{name}")
