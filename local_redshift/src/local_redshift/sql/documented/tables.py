"""List the documented functions, operators and types.

The functions that the stand-in has are in functions.tsv, each with the URL of its page.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_ANY = 1_000_000  # any number of arguments


@dataclass(frozen=True)
class Function:
    """One function: the number of its arguments, and where it may be called.

    `place` is empty (anywhere), leader (not together with a user's table), compute (only together with one) or catalog
    (only in a query that reads only the catalog).
    """

    name: str
    least: int
    most: int
    place: str
    page: str

    def takes(self, arguments: int) -> bool:
        """Return whether the function takes this number of arguments."""
        return self.least <= arguments <= self.most


def _functions() -> dict[str, Function]:
    lines = Path(__file__).with_name("functions.tsv").read_text().splitlines()
    _, *rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return {
        name: Function(name, int(least), _ANY if most == "*" else int(most), place, page)
        for name, least, most, place, page in rows
    }


FUNCTIONS = _functions()
# The documented functions that the stand-in does not have, besides the spatial ones, ST_... and H3_...:
# https://docs.aws.amazon.com/redshift/latest/dg/c_SQL_functions.html, .../geospatial-functions.html
NOT_COVERED = frozenset(
    """
    addbbox array array_concat array_contains array_distinct array_except array_flatten array_intersection
    array_position array_positions array_sort array_union arrays_overlap can_json_parse change_query_priority
    change_session_priority change_user_priority checksum collate current_aws_account current_namespace
    current_session_arn current_user_id db_collation decimal_precision decimal_scale default_iam_role difference
    dropbbox explain_model factorial farmfingerprint64 fnv_hash from_hex from_varbyte func_sha1 geometrytype
    get_array_length get_mounted_role get_number_attributes getbit grouping_id has_assumerole_privilege hll
    hll_cardinality hll_combine hll_combine_sketches hll_create_sketch is_array is_bigint is_boolean is_char is_decimal
    is_float is_integer is_object is_scalar is_smallint is_varchar json_parse json_serialize json_serialize_to_varbyte
    json_size json_typeof last_user_query_id lower_attribute_names murmur3_32_hash object object_transform octetindex
    pg_get_grantee_by_iam_role pg_get_iam_role_by_user pg_get_session_roles pg_last_query_id pg_last_unload_count
    pg_last_unload_id pg_timezone_abbrevs pg_timezone_names reboot_cluster role_is_member_of sha sha1 size slice_num
    soundex split_to_array subarray supportsbbox text_to_int_alt text_to_numeric_alt to_ascii to_varbyte try_cast
    upper_attribute_names user_is_member_of
    """.split()
)


def lacks(name: str) -> bool:
    """Return whether Redshift documents a function of this name that the stand-in does not have."""
    return name in NOT_COVERED or name.startswith(("st_", "h3_"))


# https://docs.aws.amazon.com/redshift/latest/dg/r_OPERATOR_SYMBOLS.html, .../r_concat_op.html,
# .../r_comparison_condition.html, .../pattern-matching-conditions-posix.html
OPERATORS = frozenset("+ - * / % ^ |/ ||/ @ << >> & | # ~ || = <> < <= > >= !~".split())

# The types under the names that people and the parser use, by place: as for a function, or `declared`, if a column may
# have the type but there are no values of it.
# https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html, .../r_interval_data_types.html,
# .../c_unsupported-postgresql-datatypes.html
_TYPES = {
    "": "int2 int4 int8 numeric float4 float8 bool bpchar varchar text date time timetz timestamp timestamptz nvarchar"
    " smallint integer int bigint decimal real float double boolean char character nchar interval",
    "declared": "intervaly2m intervald2s super geometry geography hllsketch varbyte varbinary",
    "leader": "oid regclass regtype regproc regprocedure regnamespace name",
    "catalog": '"char" xid aclitem',
}
TYPES = {name: place for place, names in _TYPES.items() for name in names.split()}
