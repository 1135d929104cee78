"""Which test holds the pipeline to which case of the design's table of faults: no case is without one.

The table itself is not part of this repository; its cases stand here word for word, in its order.
"""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@dataclasses.dataclass(frozen=True)
class NotHere:
    """A case, or a part of one, that no test on this machine can show."""

    reason: str


def of(path: str, *names: str) -> list[tuple[str, str]]:
    """Tests of one file below tests/."""
    return [(path, f"test_{name}") for name in names]


def files(*names: str) -> list[tuple[str, str]]:
    return of("faults/test_files.py", *names)


def values(*names: str) -> list[tuple[str, str]]:
    return of("faults/test_values.py", *names)


def model(*names: str) -> list[tuple[str, str]]:
    return of("faults/test_model.py", *names)


def runs(*names: str) -> list[tuple[str, str]]:
    return of("faults/test_runs.py", *names)


def gates(*names: str) -> list[tuple[str, str]]:
    return of("faults/test_gates.py", *names)


BAD_VALUE = values(
    "a_line_with_a_bad_value_is_rejected_by_name", "a_song_with_a_bad_value_is_rejected_by_name"
)
ODD_VALUE = values(
    "a_line_with_an_odd_value_is_loaded_as_the_contract_says",
    "a_song_with_an_odd_value_is_loaded_as_the_contract_says",
)
ANY_ORDER = of("pipeline/test_any_order.py", "any_schedule_ends_in_the_star_of_its_files")

CASES: dict[str, dict[str, list[tuple[str, str] | NotHere]]] = {
    "Files": {
        "the interval's file is missing": files(
            "a_day_whose_file_is_missing_is_skipped_and_keeps_its_rows",
            "policy_warn_goes_on_with_the_songs_of_a_day_without_a_file",
            "policy_fail_stops_the_run_of_a_day_without_a_file",
            "what_s3_refuses_is_never_taken_for_an_absent_file",
        ),
        "it appears or changes later (same key, new ETag)": files(
            "a_late_file_and_a_changed_one_are_found_by_the_next_scheduled_run",
            "a_file_that_changes_beyond_the_look_back_is_loaded_by_naming_its_interval",
        ),
        "zero bytes; blank lines only; blank line at the end": files(
            "empty_files_load_no_row_and_are_warned_about", "a_file_that_became_empty_takes_its_rows_away"
        ),
        "no newline at the end (all real files)": files("the_last_line_is_read_with_and_without_a_newline"),
        "truncated last line; malformed line in the middle": files(
            "a_broken_line_is_rejected_by_file_line_and_reason_and_the_rest_is_loaded",
            "over_the_threshold_nothing_is_published_and_a_corrected_file_mends_it",
            "a_file_without_one_good_line_stops_the_run_whatever_its_share",
        ),
        "a JSON array; pretty-printed object; two objects on one line": files(
            "only_lines_that_are_one_object_are_accepted", "a_song_file_is_one_object_in_any_layout"
        ),
        "BOM, CRLF, NUL, invalid UTF-8": files("odd_bytes_are_cleaned_or_rejected"),
        "gz; gz with the wrong name; half a gz": files(
            "packed_files_are_loaded", "a_file_that_cannot_be_unpacked_is_named"
        ),
        "key names with spaces, `+`, `%`, quotes, non-ASCII": files("keys_with_any_character_are_loaded"),
        "replaced or deleted between listing and COPY": files(
            "a_file_replaced_after_the_listing_is_listed_again_and_loaded_whole",
            "a_file_deleted_after_the_listing_is_no_failure",
            "a_file_that_never_keeps_still_ends_in_a_retry_with_nothing_loaded",
            "a_file_replaced_between_plan_and_copy_is_loaded_as_it_was_read_then_found_again",
            "a_screened_piece_that_is_gone_fails_the_copy",
            "a_link_lost_while_a_file_is_read_is_transient",
        ),
        "14,896 tiny song files; 1,200 files in a day": files(
            "many_files_are_one_copy_a_table",
            "14896_song_files_are_read_a_few_at_a_time",
            "1200_log_files_of_a_day_are_read_one_after_the_other",
            "a_line_longer_than_copy_takes_is_one_reject_and_does_not_fill_memory",
            "a_song_file_of_any_length_is_one_reject_and_does_not_fill_memory",
            "of_very_many_broken_files_at_least_one_line_each_is_kept",
        ),
    },
    "Values": {
        "user agent, location or title over its width in bytes, 4-byte emoji": [
            *ODD_VALUE,
            *values("cut_values_are_counted_and_warned_about"),
        ],
        "number for string (all-digit artist names), string for number": [*ODD_VALUE, *BAD_VALUE],
        '`userId` "" or absent in a play': [*BAD_VALUE, *values("nobody_is_loaded_under_an_empty_key")],
        "`ts` in seconds, microseconds, negative, null, text, year 3000": BAD_VALUE,
        "`ts` outside its file's day": values(
            "a_line_of_another_day_is_a_play_of_its_own_day_whatever_is_loaded_when",
            "a_line_of_another_day_is_loaded_once_by_hourly_runs",
            "the_same_event_late_in_its_own_file_is_one_play",
        ),
        "new field, missing field, renamed field": [
            *BAD_VALUE,
            *values("a_new_field_is_reported_by_name", "a_renamed_field_stops_the_run_with_its_name"),
        ],
        "nested object where a scalar belongs": [*BAD_VALUE, *values("every_line_is_accounted_for")],
        "hostile text (`'; DROP TABLE`, HTML)": values(
            "hostile_text_is_stored_as_text_and_escaped_in_reports",
            "hostile_text_is_no_markup_in_the_report_of_a_run",
        ),
    },
    "Model": {
        "the same line twice in a file; the same event in two files": model(
            "a_play_delivered_twice_in_a_file_and_in_two_files_is_one_and_the_copies_are_counted",
            "of_copies_that_differ_the_first_file_decides_whichever_is_loaded_first",
        ),
        "one instant, two users": model("two_users_at_one_instant_are_two_plays_and_one_moment"),
        "artist ids with several variants": model("of_an_artists_variants_the_same_one_decides_in_any_order"),
        "play without a song": [
            *model("a_play_without_a_song_is_kept_without_ids_and_the_match_rate_is_reported"),
            *gates("the_match_rate_passes_while_plays_find_their_song_as_before"),
        ],
        "two songs match a play": model(
            "of_two_songs_that_match_a_play_the_first_by_id_is_taken_in_any_order"
        ),
        "a song arrives after its plays": model(
            "a_song_that_comes_after_its_plays_is_pointed_to_and_counted",
            "a_song_that_is_renamed_loses_its_plays",
        ),
        "level flips twice in a day; older day loaded after a newer one": model(
            "the_latest_event_decides_a_users_level_whatever_day_is_loaded_last",
            "of_two_plays_of_a_user_at_one_instant_the_later_session_and_item_decide",
        ),
        "session over midnight; worker in another time zone": [
            *model("a_session_over_midnight_is_the_same_rows_by_day_by_hour_and_at_once"),
            *runs("a_worker_in_another_time_zone_makes_the_same_rows"),
        ],
    },
    "Runs": {
        "same interval three times": [*runs("any_step_run_again_is_safe"), *ANY_ORDER],
        "all days in random order, four at a time": ANY_ORDER,
        "two runs of one interval at once": runs(
            "two_runs_of_one_interval_at_once_make_no_double",
            "an_older_version_of_a_file_never_replaces_a_newer_one",
        ),
        "kill -9 before, during, after the publish commit; connection lost in COPY": runs(
            "a_killed_run_leaves_all_or_nothing_and_its_rerun_repairs"
        ),
        "commit acknowledged late (client saw an error, server had committed)": runs(
            "a_commit_whose_acknowledgement_is_lost_is_recognised"
        ),
        "1023 or deadlock k times": runs(
            "a_transient_error_is_survived_four_times",
            "the_fifth_transient_error_fails_and_publishes_nothing",
        ),
        "a staging schema left by a dead run": runs(
            "a_schema_that_a_dead_run_left_is_swept_and_never_mixed_in"
        ),
        "any single task cleared and run again": runs(
            "any_step_run_again_is_safe",
            "publishing_alone_after_the_schema_was_made_anew_is_refused",
            "nothing_is_published_that_was_not_audited",
        ),
        "cluster paused, restarting, full; statement timeout": [
            *runs(
                "a_paused_cluster_is_transient_and_says_so",
                "an_error_of_the_server_is_not_tried_again_and_is_classed",
            ),
            NotHere("a full disk: the stand-in's is this machine's; only its error code's class is known"),
        ],
    },
    "Gates": {
        "an audit fails": [
            *gates(
                "a_sound_run_passes_every_check",
                "every_check_of_rows_has_a_spoiler",
                "a_check_fails_where_it_should_and_says_which_rows",
                "a_failed_audit_leaves_the_published_tables_as_they_were_and_publish_refuses",
            ),
            *of("pipeline/test_dag.py", "a_failed_audit_stops_the_run_and_leaves_the_star"),
        ],
        "empty candidate": gates("an_empty_candidate_fails"),
        "volume far off the usual": gates(
            "a_volume_far_off_the_usual_is_warned_about_and_published",
            "a_volume_far_off_the_usual_stops_the_run_where_the_policy_says_fail",
        ),
        "column missing or changed in the warehouse": gates(
            "a_column_missing_or_changed_is_found_before_anything_is_deleted",
            "a_missing_table_is_not_made_empty_while_its_rows_count_as_loaded",
        ),
        "parse under mocked environment, no network": [
            *of("dags/test_integrity.py", "a_file_imports_by_itself", "all_import_together"),
            NotHere(
                "in under a second per file: a machine's speed is measured by `make bench`, not asserted"
            ),
        ],
        "teardown twice, half-created cluster, paused cluster": of(
            "cluster/test_life.py",
            "teardown_of_half_and_paused_keeps_a_snapshot_and_the_bucket",
            "teardown_of_nothing",
            "a_failed_teardown_says_what_is_left_and_goes_on_when_run_again",
        ),
    },
}
ALL = [pytest.param(tests, id=case) for cases in CASES.values() for case, tests in cases.items()]


def defined_in(path: str) -> set[str]:
    """Names of the tests of a file below tests/."""
    tree = ast.parse((TESTS / path).read_text())
    return {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


@pytest.mark.parametrize("tests", ALL)
def test_every_case_has_its_tests(tests):
    found = [test for test in tests if not isinstance(test, NotHere)]

    assert tests
    assert [test for test in found if test[1] not in defined_in(test[0])] == []


def test_the_table_is_whole():
    assert {part: len(cases) for part, cases in CASES.items()} == {
        "Files": 11,
        "Values": 8,
        "Model": 8,
        "Runs": 9,
        "Gates": 6,
    }


@pytest.mark.parametrize("part", ["files", "values", "model", "gates"])
def test_every_test_of_a_part_is_of_a_case(part):
    named = {test for cases in CASES.values() for tests in cases.values() for test in tests}
    path = f"faults/test_{part}.py"

    assert {name for name in defined_in(path) if (path, name) not in named} == set()
