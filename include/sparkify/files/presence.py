"""Guard against a renamed field in a log file."""

from __future__ import annotations

import orjson

from include.sparkify.files.contract import PLAY, Field


class Presence:
    """The fields that the lines of a log file have. They show a renamed field, whose column would be null.

    A single line does not show whether a field was renamed or left out. A file does, because at least one of its lines
    has the field. A file is refused if none of its lines has a field that some of them need: plays need every field,
    and all lines need the fields that are required or on every line.

    In a usual file, only the lines up to the first play are inspected. Their fields without a column are added to
    ``unknown``.
    """

    def __init__(self, fields: tuple[Field, ...], unknown: set[str]) -> None:
        self._absent = {field.source: field for field in fields}
        self._known = frozenset(self._absent)
        self._unknown = unknown
        self._has_lines = False
        self._has_plays = False

    def note(self, lines: list[bytes]) -> None:
        """Record the fields of lines. This takes time only until every field has been seen."""
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
                self._unknown |= source.keys() - self._known
                for name in self._absent.keys() & source.keys():
                    del self._absent[name]

    def refusal(self) -> str:
        """Return the reason to refuse the file, or an empty string if it has the fields that its lines need."""
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
