"""How many of those who came first in one week come again in the weeks after.

one row per first week and week since, up to the last week with a play
key: first_week, weeks_since
load: made anew after every publication, from user_days
late data: may move a user to an earlier first week
columns:
  first_week date: Monday of the ISO week of a user's first play, UTC
  weeks_since bigint: Weeks after that week; 0 is the week itself
  cohort bigint: Users whose first play was in that first week
  listeners bigint: Those of them with a play in this week
  rate double precision: Listeners by cohort, 0 to 1
"""

import pandas as pd


def by_first_week(user_days: pd.DataFrame) -> pd.DataFrame:
    """The classic retention table, in long form.

    :param user_days: ``user_id``, ``day`` (date), a row for each user and day with a play; not empty.
    :returns: the columns above; weeks in which nobody of a cohort came are there with 0 listeners.
    """
    day = pd.to_datetime(user_days["day"])
    weeks = pd.DataFrame(
        {"user_id": user_days["user_id"], "week": day - pd.to_timedelta(day.dt.weekday, unit="D")}
    ).drop_duplicates()
    first = weeks.groupby("user_id")["week"].min().rename("first_week")
    weeks = weeks.join(first, on="user_id")
    weeks["weeks_since"] = (weeks["week"] - weeks["first_week"]).dt.days // 7
    cohorts = first.value_counts()
    came = weeks.groupby(["first_week", "weeks_since"])["user_id"].nunique()
    last = weeks["week"].max()
    # Every week that could have been, so that a week nobody came reads as 0 and not as unknown.
    possible = [
        (first_week, since)
        for first_week in sorted(cohorts.index)
        for since in range((last - first_week).days // 7 + 1)
    ]
    table = pd.DataFrame(possible, columns=["first_week", "weeks_since"])
    table["cohort"] = table["first_week"].map(cohorts)
    table["listeners"] = [int(came.get(key, 0)) for key in possible]
    table["rate"] = table["listeners"] / table["cohort"]
    table["first_week"] = table["first_week"].dt.date
    return table
