"""Test that the glossary has each project term in the names of tables, tasks, settings and errors."""

from __future__ import annotations

import re

from include.reports import publish
from include.sparkify import errors, settings, tables
from tests.project.files import PROJECT, read

# Technical and everyday words with their usual meaning.
PLAIN = set(
    """
    active agent analyze and arn artist bucket build check close cluster complete
    configuration connection cost create daily data database day delete deletion deploy device ensure error event
    failure file final find for growth hour keep leftover level limit line list listener listening location lock
    log maintenance minute new old open page part pausable pause paused period plan prefix provision quality
    report request result resumable resume retention row schema session snapshot song source sparkify
    stack star statement table take task teardown threshold time top topic total transient until usage
    user vacuum wait week weekday write
    """.split()
)


def words() -> set[str]:
    """Return the words in the names, in the singular."""
    names = [*tables.PUBLISHED, *tables.STAGING, *tables.DERIVED, *publish.TABLES, *publish.WORKING]
    names += [
        *settings.keys(),
        *(re.sub(r"(?<!^)([A-Z])", r"_\1", name) for name in vars(errors) if "Error" in name),
    ]
    for path in (PROJECT / "dags").glob("*.py"):
        text = path.read_text()
        names += [
            path.stem,
            *re.findall(r"^    def (\w+)\(", text, re.M),
            *re.findall(r'task_id="(\w+)"', text),
        ]
    return {
        re.sub("(?<=ch)es$|(?<=..)s$", "", word) for name in names for word in name.lower().split("_") if word
    }


def test_every_word_of_ours_is_explained() -> None:
    rows = re.findall(r"^\| ([^|]+) \| (.+) \|$", read("docs/glossary.md"), re.M)
    # A row explains its term and the names in backquotes in the term's meaning.
    explained = " ".join(
        term + " " + " ".join(re.findall("`([^`]+)`", meaning)) for term, meaning in rows
    ).lower()
    known = {re.sub("(?<=..)s$", "", word) for word in re.split(r"[^a-z]+", explained)}
    assert sorted(words() - known - PLAIN) == []


def test_no_plain_word_is_left_over() -> None:
    assert sorted(PLAIN - words()) == []


def test_the_terms_are_in_order() -> None:
    terms = re.findall(r"^\| ([^|]+) \| ", read("docs/glossary.md").partition("\n## ")[0], re.M)[1:]
    assert terms == sorted(terms, key=str.lower)
