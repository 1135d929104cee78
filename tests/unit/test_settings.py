"""Settings are checked whole, before anything is read."""

from __future__ import annotations

import json

import pytest

from include.sparkify import settings
from include.sparkify.errors import ConfigurationError


@pytest.fixture
def given(monkeypatch):
    def give(**values):
        monkeypatch.setenv("AIRFLOW_VAR_SPARKIFY", json.dumps(values))
        settings.settings.cache_clear()

    yield give
    settings.settings.cache_clear()


@pytest.mark.finding("D4")
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"reject_threshold": -1}, "reject_threshold: Input should be greater than or equal to 0"),
        ({"reject_threshold": 5}, "reject_threshold: Input should be less than or equal to 1"),
        ({"reject_threshold": float("nan")}, "reject_threshold: Input should be a finite number"),
        ({"reject_threshold": True}, "reject_threshold: Input should be a valid number"),
        ({"keep_days": 0}, "keep_days: Input should be greater than or equal to 1"),
        ({"keep_run_days": -3}, "keep_run_days"),
        ({"look_back_days": -1}, "look_back_days"),
        ({"look_back_days": 1e9}, "look_back_days"),
        ({"lock_minutes": 0}, "lock_minutes"),
        ({"log_prefix": "log_data"}, "log_prefix: String should match pattern"),
        ({"schema": "user"}, "reserved name"),
        ({"schema": "pg_sparkify"}, "reserved name"),
        ({"schema": "reports"}, "reserved name"),
        ({"schema": "Sparkify; drop"}, "schema: String should match pattern"),
        ({"source_bucket": "one-bucket", "work_bucket": "one-bucket"}, "must not be the source bucket"),
        ({"log_prefix": "data/", "song_prefix": "data/songs/"}, "must not contain each other"),
        ({"absent": "ignore"}, "absent: Input should be 'skip', 'warn' or 'fail'"),
        ({"no_such_key": 1}, "no_such_key: Extra inputs are not permitted"),
    ],
    ids=str,
)
def test_an_impossible_setting_is_named(given, values, said):
    given(**values)
    with pytest.raises(ConfigurationError, match="Variable `sparkify`: .*Known keys: ") as raised:
        settings.settings()
    assert said in str(raised.value)


def test_the_variable_must_be_an_object(monkeypatch):
    monkeypatch.setenv("AIRFLOW_VAR_SPARKIFY", "[1]")
    settings.settings.cache_clear()
    with pytest.raises(ConfigurationError, match="Variable `sparkify`"):
        settings.settings()
    settings.settings.cache_clear()


def test_good_settings_are_taken(given):
    given(schema="star_2", reject_threshold=0, keep_days=1)
    found = settings.settings()
    assert (settings.star(), settings.ops(), found.reject_threshold) == ("star_2", "star_2_ops", 0)


@pytest.mark.parametrize("name", ["SPARKIFY_TASK_HOURS", "SPARKIFY_RUN_HOURS"])
@pytest.mark.parametrize("value", ["", "x", "-1", "0", "nan", "1e9"])
def test_a_limit_that_cannot_be_fails_at_run_time_and_not_at_import(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert settings.task_limit().total_seconds() == 4 * 3600
    assert settings.run_limit().total_seconds() == 24 * 3600
    if value:
        with pytest.raises(ConfigurationError, match=name):
            settings.check_environment()
