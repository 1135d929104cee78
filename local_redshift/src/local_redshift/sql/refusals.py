"""Statements that only one of the two databases understands: refused by name, never guessed at."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import Refused
from .tokens import Token, Tokens, closing

COVERAGE = "see what it covers in the README of local-redshift"


def redshift_lacks(what: str) -> Refused:
    """Return the refusal of something that only PostgreSQL has."""
    return Refused(
        f"Amazon Redshift has no {what}; PostgreSQL has, but the stand-in refuses what would fail there"
    )


def not_covered(what: str) -> Refused:
    """Return the refusal of something that only Redshift has."""
    return Refused(f"the local stand-in for Amazon Redshift does not cover {what}: {COVERAGE}")


_POSTGRES_ONLY_STARTS = {
    "listen", "notify", "unlisten", "do", "cluster", "reindex", "import", "security", "checkpoint", "load", "reassign",
    "values", "table",
}  # fmt: skip
_POSTGRES_ONLY_PAIRS = {
    ("on", "conflict"): "ON CONFLICT (use MERGE, or DELETE and INSERT)",
    ("distinct", "on"): "DISTINCT ON (use ROW_NUMBER)",
    ("for", "update"): "SELECT ... FOR UPDATE (use LOCK)",
    ("for", "share"): "SELECT ... FOR SHARE (use LOCK)",
    ("as", "materialized"): "AS MATERIALIZED",
    ("not", "materialized"): "AS NOT MATERIALIZED",
    ("filter", "("): "FILTER (WHERE ...) on an aggregate (use CASE)",
    ("array", "["): "ARRAY[...]",
    ("explain", "analyze"): "EXPLAIN ANALYZE (use EXPLAIN)",
    ("explain", "analyse"): "EXPLAIN ANALYZE (use EXPLAIN)",
    ("explain", "("): "EXPLAIN (options) (use EXPLAIN [VERBOSE])",
}
_POSTGRES_ONLY_WORDS = {"returning": "RETURNING", "lateral": "LATERAL", "tablesample": "TABLESAMPLE"}
_POSTGRES_ONLY_CALLS = {
    "string_agg", "array_agg", "json_agg", "jsonb_agg", "json_build_object", "jsonb_build_object", "to_json",
    "to_jsonb", "row_to_json", "json_to_record", "jsonb_to_record", "json_each", "json_each_text", "unnest",
    "regexp_matches", "regexp_split_to_table", "regexp_split_to_array", "make_date", "make_time", "make_interval",
    "make_timestamp", "make_timestamptz", "concat_ws", "format", "gen_random_uuid", "date_bin",
    "clock_timestamp", "json_extract_path", "num_nulls",
}  # fmt: skip
_POSTGRES_JSON = re.compile(
    r"jsonb_\w+|json_(?!array_length|extract_path_text|extract_array_element_text|parse|serialize|typeof|size)\w+"
)
_LEADER_ONLY = {"generate_series", "now", "age", "isfinite"}
_LEADER_ONLY_WORDS = {"current_timestamp", "localtimestamp", "current_time", "localtime"}
# Aggregates and others that need a frame beside ORDER BY in a window; ranking functions must not have one.
_NEED_FRAME = {
    "avg", "count", "max", "min", "sum", "stddev", "stddev_pop", "stddev_samp", "variance", "var_pop", "var_samp",
    "first_value", "last_value", "nth_value",
}  # fmt: skip
POSTGRES_ONLY_TYPES = {
    "json", "jsonb", "uuid", "serial", "bigserial", "smallserial", "bytea", "money", "inet", "cidr", "macaddr", "xml",
    "tsvector", "tsquery", "point", "bit", "lseg", "box", "path", "polygon", "circle", "macaddr8", "jsonpath", "pg_lsn",
    "int4range", "int8range", "numrange", "tsrange", "tstzrange", "daterange", "txid_snapshot",
}  # fmt: skip
# Types of the catalog: a query may cast to them, a table may not have them.
CATALOG_TYPES = {
    "oid", "regclass", "regtype", "regproc", "regprocedure", "regoper", "regoperator", "regrole", "regnamespace", "xid",
    "cid", "tid", "name",
}  # fmt: skip
REDSHIFT_ONLY_TYPES = {"geography", "varbyte", "varbinary", "intervaly2m", "interval"}
# A table may have such a column (catalog/types.sql), but no value of it.
_NO_VALUES = "values of the types SUPER, GEOMETRY and HLLSKETCH (such a column can only be NULL)"
_NO_VALUES_CALLS = {"json_parse", "can_json_parse", "json_serialize", "json_serialize_to_varbyte"}


# https://docs.aws.amazon.com/redshift/latest/dg/r_pg_keywords.html
RESERVED = frozenset(
    """
    aes128 aes256 all allowoverwrite analyse analyze and any array as asc authorization az64 backup between binary
    blanksasnull both bytedict bzip2 case cast check collate column constraint create credentials cross current_date
    current_time current_timestamp current_user current_user_id default deferrable deflate defrag delta delta32k desc
    disable distinct do else emptyasnull enable encode encrypt encryption end except explicit false for foreign freeze
    from full globaldict256 globaldict64k grant group gzip having identity ignore ilike in initially inner intersect
    interval into is isnull join language leading left like limit localtime localtimestamp lun luns lzo lzop minus
    mostly16 mostly32 mostly8 natural new not notnull null nulls off offline offset oid old on only open or order outer
    overlaps parallel partition percent permissions pivot placing primary raw readratio recover references reject
    rejectlog resort respect restore right select session_user similar snapshot some sysdate system table tag tdes
    text255 text32k then timestamp to top trailing true truncatecolumns union unique unnest unpivot user using verbose
    wallet when where with without
    """.split()
)


def refuse_value() -> Refused:
    """Return the refusal of a value of a type that can only be declared."""
    return not_covered(_NO_VALUES)


def check_name(token: Token) -> None:
    """Raise Refused for a reserved word that is not quoted in the place of a name."""
    if token.kind == "word" and token.low in RESERVED:
        raise Refused(
            f'syntax error at or near "{token.low}": a reserved word of Amazon Redshift; quote it as a name'
        )


def refuse_foreign(seen: Tokens, words: Sequence[str]) -> None:
    if words[0] in _POSTGRES_ONLY_STARTS:
        raise redshift_lacks(words[0].upper())
    if words[0] in ("savepoint", "release") or words[:1] == ["rollback"] and "to" in words:
        raise Refused(
            f'SQL command "{words[0].upper()}" not supported on Amazon Redshift: use transactions only'
        )
    _refuse_clauses(seen, words)
    reads_a_table = words[0] != "select" or "from" in words
    for i, token in enumerate(seen):
        following = words[i + 1] if i + 1 < len(words) else ""
        if token.kind in ("word", "name") and len(token.text.encode()) > 63 + 2 * (token.kind == "name"):
            raise not_covered(f"names of more than 63 bytes (Amazon Redshift has up to 127): {token.text}")
        if token.kind == "word":
            low = token.low
            if low in _POSTGRES_ONLY_WORDS:
                raise redshift_lacks(_POSTGRES_ONLY_WORDS[low])
            if (low, following) in _POSTGRES_ONLY_PAIRS:
                raise redshift_lacks(_POSTGRES_ONLY_PAIRS[(low, following)])
            if following == "(" and (low in _POSTGRES_ONLY_CALLS or _POSTGRES_JSON.match(low)):
                raise redshift_lacks(f"function {low}()")
            if following == "(" and low in _NO_VALUES_CALLS:
                raise not_covered(f"function {low}(), because it does not cover {_NO_VALUES}")
            if following == "(" and low in _LEADER_ONLY and reads_a_table:
                raise redshift_lacks(
                    f"{low}() beside a table: it runs only on the leader node (use GETDATE())"
                )
            before = words[i - 1] if i else ""
            if low in _LEADER_ONLY_WORDS and words[0] == "select" and reads_a_table and before != ".":
                raise redshift_lacks(
                    f"{low.upper()} beside a table: it runs only on the leader node (use GETDATE())"
                )
            if low in POSTGRES_ONLY_TYPES and (before == "::" or (before == "as" and following == ")")):
                raise redshift_lacks(f"type {low}")
        elif token.text in ("->", "->>", "#>", "#>>"):
            raise redshift_lacks(f"operator {token.text} (use JSON_EXTRACT_PATH_TEXT)")
    for word in ("pivot", "unpivot"):
        if word in words:
            raise not_covered(f"{word.upper()} (use CASE in aggregates)")


def _refuse_clauses(seen: Tokens, words: Sequence[str]) -> None:
    """Refuse what only two or more words together tell."""
    for i, word in enumerate(words):
        following = words[i + 1] if i + 1 < len(words) else ""
        if word == "(" and following == "values" and i and words[i - 1] in ("from", "join", ",", "as"):
            raise redshift_lacks("VALUES as a table (use SELECT ... UNION ALL)")
        if word == "window" and words[i + 2 : i + 4] == ["as", "("]:
            raise redshift_lacks("WINDOW clause (write the window in OVER)")
        if word == "over" and following == "(":
            _check_window(seen, words, i)


def _opening(words: Sequence[str], i: int) -> int:
    """Return the index of the bracket that is closed at i."""
    depth = 0
    while i > 0:
        depth += {")": 1, "(": -1}.get(words[i], 0)
        if depth == 0:
            break
        i -= 1
    return i


def _check_window(seen: Tokens, words: Sequence[str], over: int) -> None:
    """Check the window of OVER (...): Redshift wants a frame with ORDER BY, and knows only ROWS."""
    window = words[over + 2 : closing(seen, over + 1)]
    if words[over - 2 : over] in (["ignore", "nulls"], ["respect", "nulls"]):
        over -= 2
    i = _opening(words, over - 1)
    if words[i - 2 : i] == ["within", "group"]:
        i = _opening(words, i - 3)
    function = words[i - 1] if i else ""
    for word in ("range", "groups", "exclude"):
        if word in window:
            raise redshift_lacks(f"{word.upper()} in the frame of a window (use ROWS)")
    if function in ("percentile_cont", "percentile_disc"):
        raise not_covered(f"{function.upper()} as a window function (use GROUP BY)")
    if function in _NEED_FRAME and "order" in window and "rows" not in window:
        raise Refused(
            "Aggregate window functions with an ORDER BY clause require a frame clause"
            " (add ROWS UNBOUNDED PRECEDING)"
        )
