"""The fields of a log file: the guard against a renamed field."""

from __future__ import annotations

import orjson

from include.sparkify.files.contract import PLAY, Field


class Presence:
    """The fields of the lines of a log file: the guard against a renamed field, whose column would be null.

    One line does not show whether a field was renamed or left out. A file does, because every field is on some line of
    it. A file is refused if no line has a field that some lines need: plays need every field, and all lines need the
    fields that every line has.

    In a usual file, only the lines up to the first play are looked at.
    """

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self._absent = {field.source: field for field in fields}
        self._known = frozenset(self._absent)
        self.unknown: set[str] = set()
        """Fields without a column, of the lines that were looked at."""
        self._has_lines = False
        self._has_plays = False

    def note(self, lines: list[bytes]) -> None:
        """Record the fields of lines, which takes time only while one of the fields has not been seen."""
        for line in lines:
            if not self._absent:
                return
            try:
                source = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(source, dict):
                self._has_lines = True
                self._has_plays |= source.get("page") == PLAY
                self.unknown |= source.keys() - self._known
                for name in self._absent.keys() & source.keys():
                    del self._absent[name]

    def refusal(self) -> str:
        """Return why the file is refused, empty if it has the fields that its lines need."""
        absent = [
            field.source
            for field in self._absent.values()
            if self._has_plays or (self._has_lines and (field.required or field.on_every_line))
        ]
        if not absent:
            return ""
        return (
            f"no line of it has {' or '.join(absent)}, which {'its plays' if self._has_plays else 'every line'} must "
            "have: a field was renamed or dropped"
        )
