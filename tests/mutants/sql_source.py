"""The mutants of a SQL script or a YAML file of checks: mistakes people make in a condition, a bound, a join, an order.

Cosmic-ray has no SQL. sqlglot would print the whole script in its own style, so that every mutant would differ by its
printing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Each makes one change, at one of its matches.
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
    # A condition, on a separate line or after another.
    (r"\n +and [^\n]+(?=\n)", ""),
    (r" and [^\n]+(?=\n)", ""),
    (r"\nwhere [^\n;]+", ""),
    (r"severity: fail", "severity: warn"),
    (r"severity: warn", "severity: fail"),
    # A check of a column.
    (r"\n +\w+: \{null_check: \{[^}\n]*\}\}", ""),
    (r"\n +unique_check: [^\n]+", ""),
    # A whole statement.
    (r"(?:^|(?<=;\n))(?:delete|insert|update)[^;]+;\n", ""),
)


def mutants(script: str) -> Iterator[str]:
    """Yield the script with one change each. Comments, descriptions and the lists of created columns stay."""
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
