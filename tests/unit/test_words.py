"""Test that the word list finds the forbidden phrases, and nothing in plain English."""

import pytest

from tests.words import findings


@pytest.mark.parametrize(
    "text",
    [
        "the tables are made anew",
        "What to mend",
        "S3 alone is read",
        "the old bucket goes with it",
        "the secret is gone",
        "where the file lies",
        "nobody is told",
        "an entry in the catalogue",
        "the offending rows",
        "look at what came of a run",
        "this is no JSON",
        "one file a table",
        "costs 0.54 dollars an hour",
        "a schema of its own",
        "every column bar the last",
        "it waits, as it has no slot",
        '"""What a run has read."""',
        "    # What is kept.",
        "The end. What follows is a list.",
        "def test_the_tables_are_made_anew(world):",
        "behaviour",
        "a_colour = 1",
        "it is recognised",
        "analysed",
    ],
)
def test_a_phrase_of_the_list_is_found(text: str) -> None:
    assert findings(text)


@pytest.mark.parametrize(
    "text",
    [
        "one file per table",
        "leave it alone",
        "the run goes on with the songs",
        "there is no such bucket",
        "the same as JSON",
        "## What it makes",
        "What does a red task mean?",
        "this shows what a run has read",
        "a stand-in for S3",
        "analyze_table_of_its_own_schema",
        "four, hour, course, promise, precise",
    ],
)
def test_plain_english_passes(text: str) -> None:
    assert findings(text) == []


def test_a_finding_names_line_phrase_and_replacement() -> None:
    assert findings("first\nmade anew") == [(2, "anew", "again, re-")]
