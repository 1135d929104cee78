"""Test that all settings are validated together, before a run reads data."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from airflow.secrets.environment_variables import EnvironmentVariablesBackend

from include.sparkify import settings
from include.sparkify.errors import ConfigurationError, TransientError
from tests.running import dag_of


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
        ({"keep_days": "400"}, "keep_days: Input should be a valid integer"),
        ({"log_prefix": "log_data"}, "log_prefix: String should match pattern"),
        ({"schema": "user"}, "reserved name"),
        ({"schema": "pg_sparkify"}, "reserved name"),
        ({"schema": "reports"}, "reserved name"),
        ({"schema": "Sparkify; drop"}, "schema: String should match pattern"),
        ({"source_bucket": "one-bucket", "work_bucket": "one-bucket"}, "must not be the source bucket"),
        ({"log_prefix": "data/", "song_prefix": "data/songs/"}, "must not contain each other"),
        ({"log_prefix": "data/logs/", "song_prefix": "data/"}, "must not contain each other"),
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


# Below the minimum, the minimum, the default, the maximum, above the maximum. None means that there is no maximum.
NUMBERS = {
    "wait_minutes": (-1, 0, 180, 7 * 24 * 60, 7 * 24 * 60 + 1),
    "look_back_days": (-1, 0, 3, 366, 367),
    "reject_threshold": (-0.01, 0, 0.01, 1, 1.01),
    "delete_threshold": (-0.01, 0, 0.1, 1, 1.01),
    "lock_minutes": (0, 0.01, 10, 24 * 60, 24 * 60 + 0.01),
    "statement_minutes": (0, 0.01, 60, 24 * 60, 24 * 60 + 0.01),
    "keep_days": (0, 1, 400, None, None),
    "keep_run_days": (0, 1, 14, None, None),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_each_number_has_a_default_and_bounds(given, name, monkeypatch):
    monkeypatch.setenv("SPARKIFY_RUN_HOURS", "169")
    below, least, default, greatest, above = NUMBERS[name]
    given()
    assert getattr(settings.settings(), name) == default
    for value in (least, greatest):
        if value is not None:
            given(**{name: value})
            assert getattr(settings.settings(), name) == value
    for value in (below, above):
        if value is not None:
            given(**{name: value})
            with pytest.raises(ConfigurationError, match=f"{name}: Input should be"):
                settings.settings()


def test_the_variable_is_read_once(given):
    given()
    assert settings.settings() is settings.settings()


@pytest.mark.finding("A3", "W7")
def test_each_try_of_a_run_has_its_own_schema(given):
    """Two deployments that share a star have runs with the same ID."""
    run_id = "scheduled__2018-11-01T00:00:00+00:00"
    given(schema="a_star_of_more_than_20_letters")

    names = [settings.new_run_schema(run_id) for _ in range(100)]

    assert len(set(names)) == 100
    for name in names:
        assert re.fullmatch("a_star_of_more_than__run_scheduled_2018_11_01t0_[0-9a-f]{12}", name)
    assert len(settings.new_run_schema("x" * 250)) <= 63


@pytest.mark.finding("A3")
def test_environments_that_share_a_work_bucket_are_kept_apart(given, monkeypatch):
    """The prefix is pinned, so that weekly maintenance also finds the files of earlier versions of this project."""
    here = {"conn_type": "redshift", "host": "one", "port": 5439, "schema": "dev"}
    monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps(here))
    given(schema="star")
    prefix = settings.run_prefix("a_schema")
    assert prefix == f"runs/{settings.environment()}/a_schema" == "runs/star-c591fb6c/a_schema"

    given(schema="other")
    assert settings.run_prefix("a_schema") != prefix
    given(schema="star")
    for change in ({"host": "other"}, {"port": 5440}, {"schema": "prod"}):
        monkeypatch.setenv("AIRFLOW_CONN_REDSHIFT_DEFAULT", json.dumps(here | change))
        assert settings.run_prefix("a_schema") != prefix


ENVIRONMENT = ("SPARKIFY_SCHEDULE", "SPARKIFY_START_DATE", "SPARKIFY_LAST_DAY", "SPARKIFY_POOL")


DEFAULTS = ("@daily", datetime(2018, 11, 1, tzinfo=UTC), None, "default_pool")
OTHERS = ("@hourly", datetime(2019, 1, 2, tzinfo=UTC), datetime(2019, 2, 3, tzinfo=UTC), "warehouse")


@pytest.mark.parametrize(
    ("values", "found"), [((), DEFAULTS), (("@hourly", "2019-01-02", "2019-02-03", "warehouse"), OTHERS)]
)
def test_the_environment_decides_the_schedule(monkeypatch, values, found):
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    for name, value in zip(ENVIRONMENT, values, strict=False):
        monkeypatch.setenv(name, value)
    settings.check_environment()
    assert (settings.schedule(), settings.start_date(), settings.last_day(), settings.pool()) == found


@pytest.mark.parametrize(("value", "hours"), [("0.5", 0.5), ("1", 1), ("8760", 8760)])
def test_limits_are_hours(monkeypatch, value, hours):
    monkeypatch.setenv("SPARKIFY_TASK_HOURS", value)
    monkeypatch.setenv("SPARKIFY_RUN_HOURS", value)
    settings.check_environment()
    assert settings.task_limit() == settings.run_limit() == timedelta(hours=hours)


LIMITS = {"SPARKIFY_TASK_HOURS": 4, "SPARKIFY_RUN_HOURS": 24}
IMPOSSIBLE = {
    "SPARKIFY_SCHEDULE": ["hourly"],
    "SPARKIFY_START_DATE": ["2018-11"],
    "SPARKIFY_LAST_DAY": ["today"],
    "SPARKIFY_POOL": ["", "my pool", "a" * 251],
    **dict.fromkeys(LIMITS, ["", "x", "-1", "0", "nan", "8760.5"]),
}


@pytest.mark.finding("G11")
@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name in IMPOSSIBLE for value in IMPOSSIBLE[name]]
)
def test_an_environment_that_cannot_be_fails_at_run_time_and_not_at_import(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert (settings.schedule(), settings.start_date(), settings.last_day(), settings.pool()) == DEFAULTS
    assert dag_of("sparkify").get_task("publish").pool == "default_pool"
    assert [settings.task_limit(), settings.run_limit()] == [timedelta(hours=h) for h in LIMITS.values()]
    if value:
        with pytest.raises(ConfigurationError, match=name):
            settings.check_environment()


@pytest.mark.finding("M1")
@pytest.mark.parametrize(
    ("text", "said"),
    [("{schema: sparkify}", "Variable `sparkify` is not JSON"), ("[1]", "Variable `sparkify`")],
)
def test_a_variable_that_is_not_a_json_object_is_named(monkeypatch, text, said):
    monkeypatch.setenv("AIRFLOW_VAR_SPARKIFY", text)
    settings.settings.cache_clear()
    with pytest.raises(ConfigurationError, match=said):
        settings.settings()
    settings.settings.cache_clear()


@pytest.mark.finding("G3")
def test_a_lookup_that_is_not_answered_is_not_taken_for_the_defaults(monkeypatch):
    """Airflow ignores a secrets backend that fails, as if the backend did not have the Variable."""
    monkeypatch.delenv("AIRFLOW_VAR_SPARKIFY", raising=False)
    monkeypatch.setattr(EnvironmentVariablesBackend, "get_variable", throttled)
    settings.settings.cache_clear()
    with pytest.raises(TransientError, match="no Variable `sparkify`, or a secrets backend did not answer"):
        settings.settings()


def throttled(*_, **__):
    raise ConnectionError("ThrottlingException")
