"""Lines of keys and values: what is read, what is refused by its line, and where a load goes on after an error."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.client.store.bulk_keys import Lines, line_of, read_csv, read_jsonl
from murmuration.client.store.kv import KeyValues
from murmuration.ring.errors import CallerError


def jsonl(*records: object) -> io.BytesIO:
    return io.BytesIO("".join(json.dumps(record) + "\n" for record in records).encode())


@given(st.dictionaries(st.binary(min_size=1), st.binary()))
def test_what_a_dump_writes_a_load_reads(pairs: dict[bytes, bytes]) -> None:
    lines = [line_of(KeyValues(key=k, values=(v,), context={}, replicas_answered=2)) for k, v in pairs.items()]
    assert [pair for _, pair in read_jsonl(jsonl(*lines))] == list(pairs.items())


def test_csv_rows_may_have_a_heading_and_values_of_several_lines() -> None:
    rows = read_csv(io.BytesIO(b'key,value\na,1\nb,"two\nlines"\nc,3\n'))
    assert list(rows) == [(2, (b"a", b"1")), (3, (b"b", b"two\nlines")), (5, (b"c", b"3"))]


@pytest.mark.parametrize(
    "line",
    [b"nonsense", b'{"key": "k"}', b"[1]", b'{"key": 1, "value": "v"}', b'{"key": "k", "value": {"base64": "?"}}'],
)
def test_line_that_is_no_pair_is_refused_by_its_number(line: bytes) -> None:
    with pytest.raises(CallerError, match="line 3 is no pair"):
        list(read_jsonl(io.BytesIO(b'{"key": "k", "value": "v"}\n\n' + line + b"\n")))


def test_concurrent_values_are_refused_and_not_chosen_among() -> None:
    with pytest.raises(CallerError, match="line 1 has concurrent values"):
        list(read_jsonl(jsonl({"key": "k", "values": ["a", "b"]})))


@pytest.mark.parametrize("row", [b"only", b"a,b,c"])
def test_csv_row_of_other_than_two_columns_is_refused_by_its_line(row: bytes) -> None:
    with pytest.raises(CallerError, match="line 2 has"):
        list(read_csv(io.BytesIO(b"a,1\n" + row + b"\n")))


def test_next_line_is_the_first_whose_pair_may_not_be_stored() -> None:
    lines = Lines(io.BytesIO(b"a,1\nb,2\nc,3\nd,4\n"), is_csv=True)
    assert lines.next_line == 1
    pairs = lines.pairs()
    for _ in range(3):
        next(pairs)
    lines.advance("keys", 2, 2)
    assert (lines.stored, lines.next_line) == (2, 3)
    rest = list(pairs)
    lines.advance("keys", 4, 4)
    assert (rest, lines.next_line) == ([(b"d", b"4")], 5)


def test_load_that_goes_on_skips_the_lines_before() -> None:
    lines = Lines(jsonl({"key": "a", "value": "1"}, {"key": "b", "value": "2"}), is_csv=False, first_line=2)
    assert list(lines.pairs()) == [(b"b", b"2")]
