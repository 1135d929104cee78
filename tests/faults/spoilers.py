"""SQL that spoils the rows of a sound run, for each check."""

from __future__ import annotations

from include.sparkify import tables
from include.sparkify.tasks import checks

# The numbers from 1 to 1000.
_DIGITS = "(select 0 as d" + "".join(f" union all select {digit}" for digit in range(1, 10)) + ")"
_NUMBERS = (
    f"(select 100 * a.d + 10 * b.d + c.d + 1 as n from {_DIGITS} as a cross join {_DIGITS} as b "
    f"cross join {_DIGITS} as c) as n"
)
# For each table that is not published, the published table that has the same columns.
_LIKE = {"plays": "events", "staging_songs": "song_files"}


def copy(table: str, where: str, number: int = 1, **changes: str) -> str:
    """Return SQL that adds copies of a row with changed values: expressions in which n.n counts the copies from 1."""
    name = table.partition(".")[2]
    names = [column.name for column in tables.published(_LIKE.get(name, name)).columns]
    values = ", ".join(changes.get(column, f"one.{column}") for column in names)
    return (
        f"insert into {table} ({', '.join(names)}) select {values} from (select * from {table} where {where} limit 1) "
        f"as one cross join {_NUMBERS} where n.n <= {number}"
    )


def plays_and_songplays(where: str, number: int = 1, **changes: str) -> list[str]:
    """Return SQL that adds plays and their songplays."""
    return [
        copy("{run}.plays", where, number, line_number="1000 + n.n", **changes),
        copy("{run}.songplays", where, number, songplay_id="md5('more' || n.n)", **changes),
    ]


# SQL that spoils a sound run so that this check of `rows` fails, and no other one of its table and severity. {run} is
# the run's schema, {s} that of the star. Each of several lists spoils another kind of rows that the check must find.
SPOILERS: dict[tuple[str, str], list[list[str]]] = {
    ("staging_files", "one_row_per_file"): [
        ["insert into {run}.staging_files select * from {run}.staging_files where source_key like '%more%'"]
    ],
    ("staging_files", "lines_reconcile"): [
        ["update {run}.staging_files set lines = 9 where kind = 'events'"]
    ],
    ("staging_files", "all_is_staged"): [
        [f"delete from {{run}}.{rows}"]
        for rows in (
            "staging_events where page = 'Home'",
            "staging_events where source_key like '%more%'",
            "staging_songs where song_id = 'SO2'",
        )
    ],
    ("staging_files", "little_is_taken_away"): [
        [
            "update {run}.staging_files set vanished = true, lines = 0, accepted = 0 where kind = 'songs'",
            "delete from {run}.staging_songs",
        ]
    ],
    ("staging_files", "files_have_lines"): [
        [
            "update {run}.staging_files set lines = 0, accepted = 0 where kind = 'events'",
            "delete from {run}.staging_events",
        ]
    ],
    ("staging_files", "no_line_is_rejected"): [
        ["update {run}.staging_files set lines = lines + 1, rejected = 1 where kind = 'events'"]
    ],
    ("staging_files", "no_value_is_cut"): [
        ["update {run}.staging_files set cut_values = 1 where kind = 'events'"]
    ],
    ("staging_files", "no_field_is_unknown"): [
        ["update {run}.staging_files set unknown_fields = 'device' where kind = 'events'"]
    ],
    ("staging_events", "one_row_per_line"): [
        ["update {run}.staging_events set line_number = 1 where line_number = 2"]
    ],
    ("staging_events", "start_time_is_ts"): [
        ["update {run}.staging_events set ts = ts + 1000 where line_number = 1"]
    ],
    ("staging_events", "level_is_known"): [
        ["update {run}.staging_events set level = 'gold' where line_number = 1"]
    ],
    ("staging_events", "plays_have_required_fields"): [
        [f"update {{run}}.staging_events set {column} = null where line_number = 1"]
        for column in ("user_id", "song", "artist", "length")
    ],
    ("staging_events", "events_are_of_their_files_day"): [
        ["update {run}.staging_events set file_date = date '2018-11-02' where line_number = 1"]
    ],
    ("staging_songs", "one_row_per_file"): [
        [
            copy("{run}.staging_songs", "song_id = 'SO2'", song_id="'SO9'"),
            "update {run}.staging_files set accepted = 2 where source_key like '%SO2.json'",
        ]
    ],
    ("staging_songs", "songs_have_one_file"): [
        ["update {run}.staging_songs set song_id = 'SO1' where song_id = 'SO2'"]
    ],
    ("songplays", "every_play_is_there"): [
        ["delete from {run}.songplays where user_id = 2", "delete from {run}.time where hour = 13"],
        ["delete from {run}.songplays where user_id = 8"],
        ["delete from {run}.songplays where user_id = 1 and item_in_session = 1"],
        [copy("{run}.plays", "user_id = 2", user_id="3", line_number="99")],
    ],
    ("songplays", "one_row_per_play"): [[copy("{run}.songplays", "user_id = 2", songplay_id="md5('copy')")]],
    ("songplays", "one_row_per_songplay_id"): [
        [copy(f"{{run}}.{table}", "user_id = 2", session_id="99") for table in ("plays", "songplays")]
    ],
    ("songplays", "no_unexpected_rows"): [
        [copy("{run}.songplays", "user_id = 2", songplay_id="md5('copy')", **{column: "3"})]
        for column in ("session_id", "user_id", "item_in_session")
    ],
    ("songplays", "level_is_known"): [["update {run}.songplays set level = 'gold' where user_id = 2"]],
    ("songplays", "user_exists"): [["delete from {run}.users where user_id = 2"]],
    ("songplays", "moment_exists"): [["delete from {run}.time where hour = 13"]],
    ("songplays", "moments_have_plays"): [
        [copy("{run}.time", "hour = 13", start_time="timestamp '2018-11-01 15:00'", hour="15")]
    ],
    ("songplays", "song_exists"): [
        ["update {run}.songplays set song_id = 'SO9' where song_id = 'SO1'"],
        ["update {run}.songs set title = 'New' where song_id = 'SO1'"],
        *(
            [f"update {{run}}.songplays set {change} where song_id = '{song_id}'"]
            for song_id in ("SO1", "SO6")  # SO1 is of the run, and SO6 of an earlier one.
            for change in ("song_id = 'SO2'", "artist_id = 'AR2'", "song = 'X'", "artist = 'X'", "length = 1")
        ),
    ],
    ("songplays", "session_item_is_unique"): [
        [
            f"update {{run}}.{table} set session_id = 1, item_in_session = 0 where user_id = 2"
            for table in ("plays", "songplays")
        ]
    ],
    ("songplays", "plays_are_delivered_once"): [[copy("{run}.plays", "user_id = 2", line_number="99")]],
    ("songplays", "volume_is_as_usual"): [
        [
            copy(
                "{s}.songplays",
                "user_id = 7",
                20,
                songplay_id=f"md5('{week}' || n.n)",
                start_time=f"dateadd(day, -{week * 7}, timestamp '2018-11-01 12:00')",
            )
            for week in (1, 2)
        ]
    ],
    ("songplays", "match_rate_is_as_usual"): [
        [
            copy(
                "{s}.songplays",
                "user_id = 7",
                1000,
                songplay_id="md5('before' || n.n)",
                song_id="'SO1'",
                start_time="timestamp '2018-10-31 12:00'",
            ),
            *plays_and_songplays("user_id = 2", 100, item_in_session="100 + n.n"),
            "update {run}.songplays set song_id = null, artist_id = null",
        ]
    ],
    ("songplays", "days_have_plays"): [
        ["update {run}.staging_files set file_date = date '2018-11-05' where kind = 'events'"]
    ],
    ("users", "one_row_per_user"): [["insert into {run}.users select * from {run}.users where user_id = 2"]],
    ("users", "level_is_known"): [["update {run}.users set level = 'gold' where user_id = 2"]],
    ("users", "latest_play_wins"): [
        ["delete from {run}.users where user_id = 2"],
        ["update {run}.users set updated_at = timestamp '2018-11-01' where user_id = 3"],
    ],
    ("users", "names_are_given"): [
        [f"update {{run}}.users set {column} = {value} where user_id = 2"]
        for column in ("first_name", "last_name")
        for value in ("''", "null")
    ],
    ("songs", "one_row_per_song"): [
        ["insert into {run}.songs select * from {run}.songs where song_id = 'SO2'"]
    ],
    ("songs", "duration_is_not_negative"): [["update {run}.songs set duration = -1 where song_id = 'SO2'"]],
    ("songs", "every_artist_is_there"): [
        [
            "delete from {run}.artists where artist_id = 'AR2'",
            "update {run}.songs set artist_id = 'AR1' where song_id = 'SO2'",
        ]
    ],
    ("songs", "every_song_is_there"): [["delete from {run}.songs where song_id = 'SO2'"]],
    ("songs", "artist_exists"): [["update {run}.songs set artist_id = 'AR9' where song_id = 'SO2'"]],
    ("songs", "year_is_sane"): [
        [f"update {{run}}.songs set year = {year} where song_id = 'SO2'"] for year in (1859, 1)
    ],
    ("artists", "one_row_per_artist"): [
        ["insert into {run}.artists select * from {run}.artists where artist_id = 'AR2'"]
    ],
    ("artists", "coordinates_are_on_earth"): [
        [f"update {{run}}.artists set {column} = {value} where artist_id = 'AR1'"]
        for column, bound in (("latitude", 90), ("longitude", 180))
        for value in (-bound - 1, bound + 1)
    ],
    ("artists", "coordinates_come_in_pairs"): [
        [f"update {{run}}.artists set {column} = null where artist_id = 'AR1'"]
        for column in ("latitude", "longitude")
    ],
}


def column_spoiler(check: checks.Check) -> list[str]:
    """Return SQL that spoils one value of a column so that its check fails."""
    column, kind = check.name.split(".")
    bound = checks.declaration(check.table)["columns"][column][kind]
    table = f"{{run}}.{check.table}"
    one = f"where {column} = (select min({column}) from {table})"
    if kind == "unique_check":
        return [f"insert into {table} select * from {table} {one}"]
    return [
        f"update {table} set {column} = {bound['geq_to'] - 1 if kind == 'min' else bound['leq_to'] + 1} {one}"
    ]
