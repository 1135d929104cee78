"""Find words and phrases that CONTRIBUTING.md, section English, forbids in this project.

    python -m tests.words

vale could do this, too, but it downloads its binary on the first run. codespell checks only single words.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Skip the word lists themselves and text that is not ours to change.
SKIPPED = (
    r"tests/(words|unit/test_words)\.py|CONTRIBUTING\.md|(.*/)?LICENSE(\..*)?|.*\.min\.js|\.astro/.*|"
    r".*\.(lock|png|csv|json|gz)"
)
UNIT = (
    "day|hour|minute|second|month|week|year|run|task|file|table|row|line|column|process|node|user|message|"
    "statement|transaction|dag|gb|rpu"
)
NOT_A_NOUN = r"(and|or|is|of|in|as|for|on|at|to|from|with|than)\b"
WORDS = {
    "anew": "again, re-",
    "mend(s|ed|ing)?": "fix",
    "(?<!let )(?<!left )(?<!leave )(?<!leaves )(?<!it )(?<!them )alone": "only",
    r"goes(?! (on|to|into|through|back|up|down)\b)|(is|are|was|were) gone": "is deleted, no longer exists",
    "lies|stands": "is",
    r"(?<![\"'`/])nobody|somebody": "name the person or the role",
    "catalogues?": "song_files; in a database: catalog",
    "publications?": "publish_log, version",
    "offend(er|ers|ing)": "failing rows",
    "(came|comes?|become|became|tells?|told|speaks?) of": "a plain verb",
    "(?<!there )(is|are|was|were) no (?!longer|more|one|need|other|such|way)[a-z]+": "is not a",
    rf"(one|twice|each|[0-9]+|dollars|times)( (?!{NOT_A_NOUN})\w+)? an? ({UNIT})": "per",
    r"(of|by) (its|their) own(?=\W*$|[^\w ]| (that|and|for|so|in|on|which)\b)": "its own",
    "bar (its|the|one|this|that|``)": "except",
    "(?<=, )as (it|they|there|nothing|its|this|these|such|all) (is|are|was|has|have|can|may|does|do|would)": "because",
    "bears? (the|its|all|this)": "has",
    "(put|puts|set|sets) (it |them |things )?right": "correct",
    "for good": "permanently",
    "for ever": "forever",
    "so many": "this number of",
    "(made|counted|derived) again": "rebuilt, recreated, recounted",
    "sub-quer(y|ies)|set-ups?|look-ups?|clean-ups?|half-way|acknowledgements?": "one word, American",
    "hold .{1,40} against|held against": "compare with, validate against",
    # American spelling. Uppercase ANALYSE and CANCELLED are allowed: they are names from PostgreSQL and AWS.
    "(un)?(behavi|col|fav|hon|lab|neighb)our(s|ed|ing|able|ite|hood|less|ful)*": "-or",
    "(author|capital(?!isation)|custom|final|general|initial|maxim|minim|normal|optim|organ|priorit|recogn|serial|summar|synchron"
    "|util)is(e|es|ed|er|ing|ation|ations)": "-ize",
    '(?-i:[aA]naly)s(e|ed|ing)(?!", "analyze| analyze)': "analyze",
    '(?-i:[cC]ancell)(ed|ing)(?!", "Guest| on user)|(label|model|travel)l(ed|ing)': "one l",
    "centres?|licences?|grey|artefacts?|whilst|amongst|learnt|(to|after|back|down|up)wards": "center, gray, ...",
}
FORBIDDEN = [
    (re.compile(rf"(?<![\w-])({words})(?![\w-])", re.I), instead) for words, instead in WORDS.items()
]
# A sentence (not a heading or a question) that begins with "What": say who does it, or name the thing.
HEADLESS = re.compile(r'(?:"""|(?<!#)# |-- |[.] |^)(What [^?|]+?)(?:[.:"]|$)')


def findings(text: str) -> list[tuple[int, str, str]]:
    """Return the line number, phrase and replacement for each finding in ``text``."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        # Check the words in identifiers, too: made_anew.
        plain = re.sub(r"(?<=\w)_(?=\w)", " ", line)
        found += [(number, hit[0], instead) for words, instead in FORBIDDEN for hit in words.finditer(plain)]
        found += [
            (number, hit[1], "a subject and a verb") for hit in HEADLESS.finditer(line) if "?" not in line
        ]
    return found


def main() -> int:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [
        f"{name}:{number}: {phrase!r}: use {instead}"
        for name in listed.stdout.split()
        if not re.fullmatch(SKIPPED, name) and (ROOT / name).is_file()
        for number, phrase, instead in findings((ROOT / name).read_text())
    ]
    print(*lines, sep="\n", end="\n" if lines else "")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
