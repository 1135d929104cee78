"""The fields of a log file: the guard against a renamed field."""

from __future__ import annotations

import orjson

from include.sparkify.files.contract import PLAY, Field


class Presence:
    """The fields of the lines of a log file: the guard against a renamed field, whose column would be null.

    One line cannot tell a renamed field from one that is left out; a file can, because every field is on some line of
    it. A field that no line has refuses the file, if the file has lines that need it: plays, which need every field, or
    any line, for the fields that every line has.

    The lines of a usual file are looked at up to its first play.
    """

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self._absent = {field.source: field for field in fields}
        self._known = frozenset(self._absent)
        self.unknown: set[str] = set()
        """Fields without a column, of the lines that were looked at."""
        self._has_lines = False
        self._has_plays = False

    def note(self, lines: list[bytes]) -> None:
        """Note the fields of lines, in time only while one of them has not been seen."""
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
        """Return why the file is refused; empty if it has the fields that its lines need."""
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
