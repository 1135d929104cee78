"""Test that the fast path for log lines gives the same rows, rejects and tallies as the exact rules for any line."""

from __future__ import annotations

import dataclasses
import io
import json
from datetime import datetime
from typing import Any
from unittest import mock

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.sparkify.files import contract, source
from include.sparkify.files.lake import LakeObject
from local import sample
from tests.unit.test_contract import EVENT

KEY, DAY, WRITTEN = "log_data/2018/11/2018-11-01-events.json", datetime(2018, 11, 1), datetime(2018, 11, 2)
LATEST = source._ms(WRITTEN) + source.CLOCK_SKEW
TS = EVENT["ts"]
I32, I64 = 2**31, 2**63

# JSON as bytes can express numbers that no Python value can.
NUMBERS = [
    "0", "-0", "-0.0", "1", "-1", "1.0", "1e2", "1E-5", "0.000001", "200.123456", "0.1", "99999", "99999.00001",
    "1e400", "1e-400", "NaN", "Infinity", "-Infinity", "01", "1.", ".5", "+1", "1_0", "0x1", "9" * 40, "9" * 400,
    *(str(edge + step) for edge in (I32, I64, 2 * I64, 99, 599, LATEST, TS, contract._MIN_TS, contract._MAX_TS)
      for step in (-1, 0, 1)),
    f"{TS}.0", f"{TS}.5", f"{contract._MAX_TS + 1}.0", "4e12", "1540919166796.0",
]  # fmt: skip
TEXTS = [
    "", " ", "free", "paid", "Free", "NextSong", "nextsong", " NextSong", "NextSong ", "Home", "\u0130", "7", "007",
    "-7", "1.5", "\u0663", "7 ", "null", "true", "x" * 16, "x" * 17, "\u00e9" * 8, "\u00e9" * 9, "x" * 32, "x" * 33,
    "x" * 64, "x" * 65, "x" * 256, "x" * 257, "\U0001f3b5" * 64, "\U0001f3b5" * 65, "x" * 1024, "x" * 1025,
    "\u00e9" * 512, "\u00e9" * 513, "x" * 2048, "x" * 2049, "a\x00b", "\x7f", '"quoted"', "back\\slash", "\\u0000",
    str(I32), str(I32 - 1), "9" * 11,
]  # fmt: skip
RAW_TEXTS = [
    rb'"\ud83d"', rb'"\udc00"', rb'"\ud83d\ude00"', rb'"\u00e9"', rb'"\u0041"', rb'"\u0000"', rb'"\/"', rb'"\x"',
    b'"\xe9"', b'"\xed\xa0\x80"', b'"\xc3\xa9"', b'"a\tb"', b'"a\x00b"', b'"', b"'x'",
]  # fmt: skip

plain_texts = st.sampled_from(TEXTS) | st.text(max_size=70)
values = st.one_of(
    st.sampled_from(NUMBERS).map(str.encode),
    st.integers(-I64, 2 * I64).map(lambda value: str(value).encode()),
    st.integers(0, 99_999_00000).map(lambda value: f"{value / 100_000:.5f}".encode()),
    st.floats().map(lambda value: json.dumps(value).encode()),
    plain_texts.map(lambda text: json.dumps(text, ensure_ascii=False).encode(errors="surrogatepass")),
    plain_texts.map(lambda text: json.dumps(text).encode()),
    st.sampled_from(RAW_TEXTS),
    st.sampled_from(
        [b"null", b"true", b"false", b"[]", b"{}", b'{"a": [1]}', b"[" * 2000, b"[" * 2000 + b"]" * 2000]
    ),
)
nested = st.sampled_from(
    [b'{"a": {"b": 1}}', b'{"a": "x", "b": 2.5}', b'[1, "a", null]', b'{"a": "\\ud83d"}', b'["\xe9"]', b"[1e400]",
     b'{"a": ' * 1100 + b"1" + b"}" * 1100]
)  # fmt: skip
names = st.sampled_from([*EVENT, "device", "tag", "ts ", "TS", r"\u0074s", "", "é"])


@st.composite
def log_lines(draw: st.DrawFn) -> bytes:
    """Draw a valid line with some fields replaced, added, repeated, moved or removed, and sometimes changed bytes."""
    fields = [(json.dumps(name).encode(), json.dumps(value).encode()) for name, value in EVENT.items()]
    for _ in range(draw(st.integers(0, 3))):
        where = draw(st.integers(0, len(fields) - 1))
        match draw(st.sampled_from(["replace", "replace", "replace", "repeat", "add", "drop", "move"])):
            case "replace":
                fields[where] = (fields[where][0], draw(values))
            case "repeat":
                fields.insert(draw(st.integers(0, len(fields))), (fields[where][0], draw(values)))
            case "add":
                fields.insert(where, (b'"' + draw(names).encode() + b'"', draw(values | nested)))
            case "drop" if len(fields) > 1:
                del fields[where]
            case "move":
                fields.append(fields.pop(where))
    comma, colon = draw(st.sampled_from([(b",", b":"), (b", ", b": "), (b" ,\t", b" :\r ")]))
    line = b"{" + comma.join(name + colon + value for name, value in fields) + b"}"
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(line)))
        line = line[:at] + draw(st.binary(max_size=2)) + line[at + draw(st.integers(0, 2)) :]
    return line + draw(
        st.sampled_from([b"", b"", b"\r", b" ", b"\t\r", b"\x00", b"x", b"{}", b"\xef\xbb\xbf"])
    )


def rules(**changes: Any) -> Any:
    """Return a context with another contract of the log files."""
    changed = dataclasses.replace(contract.CONTRACTS["events"], **changes)
    return mock.patch.dict(contract.CONTRACTS, events=changed)


def read(content: bytes) -> tuple[list[dict], dict, list, str, int]:
    """Return all results of reading a file."""
    item = LakeObject(KEY, "etag", len(content), WRITTEN, DAY.date())
    reading = source.Reading(source._as_listed("events", item, ""))
    with io.BytesIO() as spool:
        source._read_lines("lake", item, io.BufferedReader(io.BytesIO(content)), reading, spool)
        rows = [orjson.loads(line) for line in spool.getvalue().splitlines()]
    reading.judge(0.5)
    reading.close()
    return rows, dataclasses.asdict(reading.file), reading.rejects, reading.refusal, reading.tally.cut_values


HUGE = 10**400


@pytest.mark.finding("F11")
@settings(max_examples=300, deadline=None)
@given(
    st.lists(log_lines() | st.sampled_from([b"", b"  ", b"\r", b"oops"]), max_size=8),
    st.sampled_from([b"\n", b"\r\n"]),
    st.booleans(),
    st.integers(1, 2_000),
)
@example([json.dumps(EVENT).encode() + b" " * contract.MAX_LINE_BYTES], b"\n", False, 2**20)
@example([json.dumps({"device": value, **EVENT}).encode() for value in (1, HUGE)], b"\n", False, 1)
@example([json.dumps({"device": value, **EVENT}).encode() for value in (1, [-HUGE])], b"\n", False, 1)
def test_a_file_reads_the_same_both_ways(lines, end, marked, block):
    content = b"\xef\xbb\xbf" * marked + end.join(lines)
    with mock.patch.object(source, "BLOCK_BYTES", block):
        fast = read(content)
    with rules(read_plain=None):
        exact = read(content)

    assert fast == exact


def test_the_fast_way_takes_nearly_all_lines(tmp_path):
    sample.write(tmp_path, sample.Spec())
    lines = [
        line for path in sorted(tmp_path.glob("log_data/*/*/*")) for line in path.read_bytes().splitlines()
    ]
    # Lines in any language take the fast path, with escaped and with unescaped characters.
    for ascii in (True, False):
        text = json.dumps(EVENT | {"artist": "美空ひばり", "song": "Élan"}, ensure_ascii=ascii)
        lines += [text.encode()] * 1_000

    rows = contract.plain_events(lines, 1, KEY, "2018-11-01")

    assert rows.count(None) < 0.02 * len(lines)


def test_a_file_with_unknown_fields_is_read_by_the_fast_way():
    more = {"tag": "control", "device": {"os": "x", "version": 2}, "labels": ["a"], "score": 0.5}
    lines = [json.dumps(EVENT | more).encode()] * 50

    with rules(read=mock.Mock(side_effect=AssertionError("by the exact rules"))):
        _, file, _, refusal, _ = read(b"\n".join(lines))

    assert (file["accepted"], file["unknown_fields"], refusal) == (50, "device, labels, score, tag", "")
