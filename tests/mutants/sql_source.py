"""Create mutants of SQL scripts and YAML check files: mistakes that people make in conditions, bounds, joins, orders.

cosmic-ray does not support SQL. sqlglot would reformat the whole script, so that every mutant would differ by its
format, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Each mutant has one change, at one match of one pattern.
CHANGES = (
    (r" >= ", " > "),
    (r" > ", " >= "),
    (r" <= ", " < "),
    (r" < ", " <= "),
    (r" = ", " <> "),
    (r" <> ", " = "),
    (r"\band\b", "or"),
    (r"\bor\b", "and"),
    (r"\basc\b", "desc"),
    (r"\bdesc\b", "asc"),
    (r"\bmin\(", "max("),
    (r"\bmax\(", "min("),
    (r"\bgreatest\(", "least("),
    (r"\bleast\(", "greatest("),
    (r"\binner join\b", "left join"),
    (r"\bleft join\b", "inner join"),
    (r"\bunion all\b", "union"),
    (r"\bunion(?! all)", "union all"),
    (r"\bdistinct ", ""),
    (r"\bis null\b", "is not null"),
    (r"\bis not null\b", "is null"),
    (r"\bnot (?=in|exists)", ""),
    (r"(?<=where )not ", ""),
    (r"(?<=and )not ", ""),
    (r"\btrue\b", "false"),
    (r"\bfalse\b", "true"),
    (r"\b0\b", "1"),
    (r"\b1\b", "2"),
    (r"\bcoalesce\(([^,()]+), [^()]+\)", r"\1"),
    (r"(?<=\bby )\w+\.?\w*(?: asc| desc)?, ", ""),
    (r", \w+\.?\w*(?: asc| desc)?(?=\n? *\))", ""),
    # Delete a condition, on a separate line or after another one.
    (r"\n +and [^\n]+(?=\n)", ""),
    (r" and [^\n]+(?=\n)", ""),
    (r"\nwhere [^\n;]+", ""),
    (r"severity: fail", "severity: warn"),
    (r"severity: warn", "severity: fail"),
    # Delete a check of a column.
    (r"\n +\w+: \{null_check: \{[^}\n]*\}\}", ""),
    (r"\n +unique_check: [^\n]+", ""),
    # Delete a whole statement.
    (r"(?:^|(?<=;\n))(?:delete|insert|update)[^;]+;\n", ""),
)


def mutants(script: str) -> Iterator[str]:
    """Yield copies of the script with one change each. Comments, descriptions and lists of created columns stay."""
    protected = [
        match.span()
        for match in re.finditer(
            r"--[^\n]*|#[^\n]*|description:[^\n]*|create (?:temp )?table [^;]*?(?: as\n|;)|\{\{.*?\}\}",
            script,
        )
    ]
    seen = {script}
    for pattern, replacement in CHANGES:
        for match in re.finditer(pattern, script):
            if (
                any(start < match.end() and match.start() < end for start, end in protected)
                and "{{" not in match[0]
            ):
                continue
            mutant = script[: match.start()] + match.expand(replacement) + script[match.end() :]
            if mutant not in seen:
                seen.add(mutant)
                yield mutant
