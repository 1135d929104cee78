"""Find the line, the column and the error code of a load that failed."""

from __future__ import annotations

import re

from .convert import INVALID, INVALID_BYTE, NOT_BLANK, Column, Conversion, literal

# Error codes of stl_load_errors, by column type.
_CODES = {
    "int2": 1207, "int4": 1207, "int8": 1207, "float4": 1208, "float8": 1208, "numeric": 1209, "bool": 1210,
    "date": 1205, "timestamp": 1206, "timestamptz": 1206, "varchar": 1204, "bpchar": 1204, "text": 1204,
}  # fmt: skip

_REASONS = {
    1204: "String length exceeds DDL length",
    1202: "Extra column(s) found",
    1203: "Input data had fewer columns than were defined in the DDL",
    1205: "Invalid Date Format - length must be 10 or more",
    1206: "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]",
    1207: "Invalid digit, Value '{0}', Pos 0, Type: {1}",
    1208: "Invalid data for FLOAT",
    1209: "Invalid data for NUMERIC, or overflow",
    1210: "Unknown boolean format",
    1213: "Missing data for not-null field",
    1216: "Invalid JSON or JSON line",
    1214: "Delimiter not found",
    1220: "String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: {0}",
}
_CHAR = "Multibyte character not supported for CHAR (Hint: Try using VARCHAR)."
_MARKS = re.compile(f"(?:{INVALID}.)+")
_REDSHIFT_TYPES = {"int2": "Short", "int4": "Integer", "int8": "Long"}


def is_covered(column: Column) -> bool:
    """Return whether COPY can load this type."""
    return column.type in _CODES


def reason(code: int, column: Column | None, value: str) -> str:
    """Return the text of stl_load_errors.err_reason."""
    if code == 1220 and column and column.type == "bpchar" and INVALID not in value:
        wide = next(character for character in value if not character.isascii())
        return f"{_CHAR} Invalid char: {wide.encode().hex(' ')}"
    if code == 1220:
        return _REASONS[code].format(_sequence(value))
    return _REASONS[code].format(value[:1], _REDSHIFT_TYPES.get(column.type, "") if column else "")


def _sequence(text: str) -> str:
    """Return the first bytes that are not valid UTF-8, in hex. Redshift's reason also has a number of the error."""
    found = _MARKS.search(text)
    if found is None:
        return ""
    lost = bytes(ord(character) - INVALID_BYTE for character in found[0][len(INVALID) :: len(INVALID) + 1])
    first = lost[0]
    size = 1 if not 0xC0 <= first <= 0xFD else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    return lost[:size].hex(" ")


def find_bad_lines(conversion: Conversion) -> str:
    """Return a query for the bad lines: line (ctid), n, col (index, or -1 for the whole line), raw, value, code."""
    if conversion.copy.format != "json":
        numbered = (
            "select ctid as line, row_number() over (order by ctid) n, true as ok, * from local_copy_lines"
        )
        raw = (
            f"concat_ws({literal(conversion.copy.delimiter or ',')}, "
            + ", ".join(f"l.c{i}" for i in range(len(conversion.columns)))
            + ")"
        )
        source = f"({numbered}) l"
    else:
        is_record = "raw is json array" if conversion.arrays else "local_is_object(raw)"
        numbered = (
            f"select ctid as line, row_number() over (order by ctid) as n, raw, {is_record} as ok"
            " from local_copy_lines"
        )
        raw = "l.raw"
        empty = "[]" if conversion.arrays else "{}"
        record = conversion.record.format(raw=f"(case when l.ok then l.raw else '{empty}' end)")
        source = f"(select * from ({numbered}) l where {NOT_BLANK}) l, lateral {record}"
    checks = []
    for i, (column, text) in enumerate(zip(conversion.columns, conversion.texts, strict=True)):
        value = f"nullif({text}, '')"
        checks.append(f"when {text} like '%{INVALID}%' then array[{i}, 1220]")
        if column.type == "bpchar":
            checks.append(f"when octet_length({text}) <> length({text}) then array[{i}, 1220]")
        if column.is_string:
            if not conversion.copy.truncate:
                checks.append(f"when octet_length(rtrim({text})) > {column.bytes} then array[{i}, 1204]")
            null = conversion.converted(column, text) if conversion.copy.truncate else text
            if conversion.copy.empty_as_null or conversion.copy.blanks_as_null:
                null = f"nullif({'btrim(' + text + ')' if conversion.copy.blanks_as_null else text}, '')"
        else:
            null, code = value, _CODES[column.type]
            checks.append(f"when not {conversion.is_valid(column, value)} then array[{i}, {code}]")
            if column.type == "numeric" and column.modifier > 0:
                limit = f"10::numeric ^ {column.precision - column.scale}"
                checks.append(f"when abs(trunc({value}::numeric)) >= {limit} then array[{i}, {code}]")
        if column.not_null:
            checks.append(f"when {null} is null then array[{i}, 1213]")
    texts = ", ".join(conversion.texts)
    control = (
        f"when l.raw like '%{INVALID}%' then array[-1, 1220]" if conversion.copy.format == "json" else ""
    )
    return (
        "select line, n, bad[1] as col, raw, case when bad[1] >= 0 then texts[bad[1] + 1] end as value,"
        " bad[2] as code from ("
        f"select l.line, l.n, {raw} as raw, array[{texts}]::text[] as texts,"
        f" case {control} when not l.ok then array[-1, 1216] {' '.join(checks)} end as bad from {source}"
        ") x where bad is not null"
    )
