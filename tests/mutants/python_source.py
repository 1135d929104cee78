"""Print the mutants of Python files as JSON lines. This runs in an environment that has cosmic-ray.

It uses the operators of cosmic-ray that imitate people's mistakes in comparisons, conditions, bounds and loops. The
type checker and the linter already find the changes that its other operators make.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import parso.python.tree  # noqa: F401 (before cosmic_ray, which parso cannot import from the middle)
from cosmic_ray.mutating import mutate_code  # type: ignore[import-not-found]
from cosmic_ray.plugins import get_operator  # type: ignore[import-not-found]

PAIRS = (
    "Eq_NotEq",
    "NotEq_Eq",
    "Lt_LtE",
    "LtE_Lt",
    "Gt_GtE",
    "GtE_Gt",
    "Is_IsNot",
    "IsNot_Is",
)
OPERATORS = (
    *(f"ReplaceComparisonOperator_{pair}" for pair in PAIRS),
    "ReplaceBinaryOperator_Add_Sub",
    "ReplaceBinaryOperator_Sub_Add",
    "AddNot",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "NumberReplacer",
    "ZeroIterationForLoop",
)


def main(paths: list[str]) -> None:
    for path in paths:
        source = Path(path).read_text()
        seen = set()
        for name in OPERATORS:
            operator = get_operator(f"core/{name}")()
            occurrence = 0
            while (mutated := mutate_code(source, operator, occurrence)) is not None:
                occurrence += 1
                if mutated not in seen and is_python(mutated):
                    seen.add(mutated)
                    print(json.dumps({"path": path, "mutated": mutated}))


def is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1:])
