"""Files of tables give each record once, in order, however they are cut; and what is broken in them is told."""

import csv
import io
import json
from itertools import pairwise

import msgpack
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planned_job import PlannedJob

from murmuration.node.executor.faults.wording import UserFault
from murmuration.node.executor.formats import blocks, table_parts
from murmuration.node.executor.formats.footer import row_groups, tail_bytes
from murmuration.node.executor.formats.formats import output_format
from murmuration.ring.errors import CallerError

ONE_BY_ONE = "import json\ndef map(key, value):\n    yield key, json.dumps(value)\n"
IN_TABLES = """
import json
def map_batch(table):
    import pyarrow
    assert isinstance(table, pyarrow.Table) and len(table)
    return [(None, json.dumps(row)) for row in table.to_pylist()]
"""
QUICK = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=6)
CSV_ROWS = st.lists(st.tuples(TEXTS, TEXTS), max_size=12)
VALUES = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))
ROWS = st.lists(st.fixed_dictionaries({"n": VALUES, "t": st.one_of(st.none(), TEXTS)}), max_size=12)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 40)
    monkeypatch.setattr(blocks._windows, "__defaults__", (40,))


def as_csv(rows, names=("a", "b"), **how):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", **how).writerows([names, *rows])
    return text.getvalue().encode()


def as_parquet(rows, group_rows=3):
    table = pa.table({"n": pa.array([r["n"] for r in rows], pa.int64()), "t": pa.array([r["t"] for r in rows], "str")})
    sink = io.BytesIO()
    pa.parquet.write_table(table, sink, row_group_size=group_rows)
    return sink.getvalue()


def seen(folder, source, content, reads, **choices):
    job = PlannedJob(folder, source, {"in": content}, input_format=reads, reducers=0, **choices)
    lines = b"".join(job.parts()).decode().splitlines()
    pairs = [line.split("\t") for line in lines]
    return [key for key, _ in pairs], [json.loads(value) for _, value in pairs], job


@QUICK
@given(rows=CSV_ROWS, split_size=st.integers(1, 60), quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_csv_gives_each_record_once_however_it_is_cut(tmp_path, rows, split_size, quoting):
    content = as_csv(rows, quoting=quoting)
    wanted = [{"a": a, "b": b} for a, b in rows]
    keys, values, job = seen(tmp_path, ONE_BY_ONE, content, "csv", split_size=split_size)
    assert values == wanted
    assert keys == [str(number) for number in range(2, len(rows) + 2)]
    assert sum(done.bytes_in for done in job.done) == len(content)
    assert seen(tmp_path, IN_TABLES, content, "csv", split_size=split_size)[1] == wanted


@QUICK
@given(rows=ROWS, group_rows=st.integers(1, 5), split_size=st.integers(1, 900), by_count=st.booleans())
def test_parquet_gives_each_record_once_however_it_is_cut(tmp_path, rows, group_rows, split_size, by_count):
    cut = {"splits": split_size % 7 + 1} if by_count else {"split_size": split_size}
    content = as_parquet(rows, group_rows)
    keys, values, job = seen(tmp_path, ONE_BY_ONE, content, "parquet", **cut)
    assert values == rows
    assert keys == [str(number) for number in range(1, len(rows) + 1)]
    assert not by_count or len(job.record.splits) == cut["splits"]
    assert sum(done.records_in for done in job.done) == len(rows)
    assert seen(tmp_path, IN_TABLES, content, "parquet", **cut)[1] == rows


@QUICK
@given(rows=ROWS, split_size=st.integers(1, 60))
def test_tables_of_json_lines_are_what_single_lines_are(tmp_path, rows, split_size):
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    assert seen(tmp_path, IN_TABLES, content, "jsonl", split_size=split_size)[1] == rows
    assert seen(tmp_path, ONE_BY_ONE, content, "jsonl", split_size=split_size)[1] == rows


@QUICK
@given(rows=ROWS, split_size=st.integers(1, 60))
def test_msgpack_is_read_from_its_beginning_in_one_split(tmp_path, rows, split_size):
    content = b"".join(map(msgpack.packb, rows))
    keys, values, job = seen(tmp_path, ONE_BY_ONE, content, "msgpack", split_size=split_size)
    assert (values, len(job.record.splits)) == (rows, 1)
    assert keys == [str(number) for number in range(1, len(rows) + 1)]
    assert seen(tmp_path, IN_TABLES, content, "msgpack")[1] == rows


@QUICK
@given(rows=ROWS, stream=st.booleans())
def test_arrow_files_and_streams_are_read_as_the_rows_that_they_hold(tmp_path, rows, stream):
    table = pa.parquet.read_table(io.BytesIO(as_parquet(rows)))
    sink = io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=4)
    assert seen(tmp_path, ONE_BY_ONE, sink.getvalue(), "arrow")[1] == rows
    assert seen(tmp_path, IN_TABLES, sink.getvalue(), "arrow")[1] == rows


@pytest.mark.parametrize("source", [ONE_BY_ONE, IN_TABLES])
@pytest.mark.parametrize("content", [b"", b"a,b", b"a,b\n", b"\xef\xbb\xbfa,b\r\n\r\n1,2\r\n\n3,4"])
def test_csv_without_records_with_mark_carriage_returns_and_empty_lines_is_read(tmp_path, source, content):
    wanted = [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}] if b"1" in content else []
    assert seen(tmp_path, source, content, "csv", split_size=3)[1] == wanted


@pytest.mark.parametrize("source", [ONE_BY_ONE, IN_TABLES])
@pytest.mark.parametrize(
    ("line", "at", "message"),
    [
        (b'1,"goes\non"', 4, "does not end on its line"),
        (b'1,"ends never', 4, "does not end on its line"),
        (b'1,"a"b', 4, "',' expected after"),
        (b"1,2,3", 4, "has 3 fields, and the first line names 2"),
        (b"1", 4, "has 1 fields"),
        (b"1,\xff", 4, "are not UTF-8"),
    ],
)
def test_line_that_is_no_record_of_csv_is_named_with_its_number(tmp_path, source, line, at, message):
    content = b"a,b\n1,2\n3,4\n" + line + b"\n5,6\n"
    with pytest.raises(UserFault, match=message) as caught:
        seen(tmp_path, source, content, "csv", split_size=5)
    assert (caught.value.error.file, caught.value.error.line) == ("in", at)
    assert caught.value.error.hint


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"a,a\n", "names two columns 'a'"),
        (b"\n1,2\n", "is empty"),
        (b'a,"b\nc"\n', "unexpected end"),
        (b"\xff\n", "is not UTF-8"),
    ],
)
def test_first_line_that_names_no_columns_is_refused_before_the_job(tmp_path, head, message):
    with pytest.raises(CallerError, match=message):
        seen(tmp_path, ONE_BY_ONE, head, "csv")


def test_bad_lines_of_csv_are_set_aside_and_the_first_one_and_empty_ones_are_none(tmp_path):
    content = b'a,b\n1,2\nbad\n\n3,"x\n4,5\n'
    job = PlannedJob(tmp_path, ONE_BY_ONE, {"in": content}, input_format="csv", reducers=0, skip_bad_records=5)
    (part,) = job.parts(skip=(), side=str(tmp_path / "side-"), note=str(tmp_path / "note"))
    assert part == b'2\t{"a": "1", "b": "2"}\n6\t{"a": "4", "b": "5"}\n'
    told = [json.loads(line) for line in (tmp_path / "side-quarantine.jsonl").read_text().splitlines()]
    assert [(each["line"], each["record"]) for each in told] == [(3, "bad"), (5, '3,"x')]


@pytest.mark.parametrize("reads", ["msgpack", "jsonl", "parquet"])
def test_records_on_which_map_fails_are_set_aside_in_every_format(tmp_path, reads):
    rows = [{"n": number, "t": "x"} for number in range(5)]
    content = {
        "msgpack": b"".join(map(msgpack.packb, rows)),
        "jsonl": "".join(json.dumps(row) + "\n" for row in rows).encode(),
        "parquet": as_parquet(rows),
    }[reads]
    source = "def map(key, row):\n    yield key, 6 // (row['n'] - 2)\n"
    job = PlannedJob(tmp_path, source, {"in": content}, input_format=reads, reducers=0, skip_bad_records=5)
    (part,) = job.parts(skip=(), side=str(tmp_path / "side-"), note=str(tmp_path / "note"))
    assert part == b"1\t-3\n2\t-6\n4\t6\n5\t3\n"
    assert json.loads((tmp_path / "side-quarantine.jsonl").read_text())["line"] == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\x01\xc1\x02", "FormatError"), (b"\x01\x92\x01", "cut short"), (b"\x01\xa2\xff\xfe", "utf-8")],
)
@pytest.mark.parametrize("source", [ONE_BY_ONE, IN_TABLES])
def test_broken_msgpack_is_told_with_its_place(tmp_path, source, content, message):
    content = content.replace(b"\x01", msgpack.packb({"a": 1}), 1)
    with pytest.raises(UserFault, match=message) as caught:
        seen(tmp_path, source, content, "msgpack")
    assert caught.value.error.file == "in"
    assert "byte" in caught.value.error.message


@settings(QUICK, derandomize=True)  # the library aborts on some damage, which ends an executor, and would end the tests
@given(st.data())
def test_damaged_parquet_is_the_users_fault_or_read(tmp_path, data):
    content = bytearray(as_parquet([{"n": number, "t": "text"} for number in range(9)]))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    for source in (ONE_BY_ONE, IN_TABLES):
        try:
            seen(tmp_path, source, bytes(content), "parquet", split_size=200)
        except (UserFault, CallerError) as error:
            assert "in" in str(error)


@QUICK
@given(rows=ROWS, group_rows=st.integers(1, 5), nested=st.booleans())
def test_footer_tells_what_the_library_reads_in_it(rows, group_rows, nested):
    content = as_parquet(rows, group_rows)
    if nested:
        sink = io.BytesIO()
        table = pa.table({"l": [[{"a": 1.5}]] * len(rows), "m": [True] * len(rows)})
        pa.parquet.write_table(table, sink, row_group_size=group_rows, write_page_index=True, store_schema=False)
        content = sink.getvalue()
    tail = content[-tail_bytes(content[-8:], len(content), "in") :]
    metadata = pa.parquet.read_metadata(io.BytesIO(content))
    told = row_groups(tail, "in")
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    assert [(each.rows, each.bytes) for each in told] == [(each.num_rows, each.total_byte_size) for each in groups]
    for here, group in zip(told, groups, strict=True):
        chunks = [group.column(number) for number in range(group.num_columns)]
        assert here.begin == min(chunk.dictionary_page_offset or chunk.data_page_offset for chunk in chunks)
        assert here.end - here.begin == sum(chunk.total_compressed_size for chunk in chunks)
        assert content[here.begin :][: here.end - here.begin]


@QUICK
@given(content=st.binary(max_size=200))
def test_any_bytes_are_a_footer_or_the_users_fault(content):
    try:
        assert isinstance(row_groups(content, "in"), list)
    except UserFault as wrong:
        assert wrong.error.kind == "BadParquet"


@pytest.mark.parametrize("content", [b"", b"PAR1", b"a,b\n1,2\n", b"PAR1" + b"\xff\xff\xff\x7fPAR1"])
def test_what_is_no_parquet_is_refused_before_the_job(tmp_path, content):
    with pytest.raises(CallerError, match="not as a Parquet file does"):
        seen(tmp_path, ONE_BY_ONE, content, "parquet")


def test_arrow_file_that_is_none_is_the_users_fault(tmp_path):
    for content in (b"", b"ARROW1", b"text", b"ARROW1\0\0" + b"\xff" * 60):
        with pytest.raises(UserFault, match="in cannot be read"):
            seen(tmp_path, ONE_BY_ONE, content, "arrow")


def test_values_of_no_common_type_are_told_with_column_and_place(tmp_path):
    with pytest.raises(UserFault, match="the column 'n' cannot be part of a table") as caught:
        seen(tmp_path, IN_TABLES, b'{"n": 1}\n{"n": "x"}\n', "jsonl")
    assert (caught.value.error.line, "one type" in caught.value.error.hint) == (1, True)
    with pytest.raises(UserFault, match="not an object") as caught:
        seen(tmp_path, IN_TABLES, b'{"n": 1}\n[2]\n', "jsonl")
    assert (caught.value.error.line, caught.value.error.record) == (2, "[2]")


def read_back(writes, part):
    match writes:
        case "csv":
            return list(csv.DictReader(io.StringIO(part.decode())))
        case "msgpack":
            unpacker = msgpack.Unpacker()
            unpacker.feed(part)
            return list(unpacker)
        case "parquet":
            return pa.parquet.read_table(io.BytesIO(part)).to_pylist()
        case _:
            return pa.ipc.open_file(part).read_all().to_pylist()


PASS_ONE_BY_ONE = "def map(key, value):\n    yield key, value\n"


@pytest.mark.parametrize("writes", ["csv", "msgpack", "parquet", "arrow"])
@QUICK
@given(rows=ROWS.filter(bool), at_once=st.integers(1, 5))
def test_rows_are_written_alike_one_by_one_and_as_tables_and_read_back(tmp_path, writes, rows, at_once):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_parts, "ROWS_AT_ONCE", at_once)
        patch.setattr(table_parts, "GROUP_BYTES", 100)
        rows = [{"n": 1, "t": "a"}, *rows]
        content = as_parquet(rows)
        choices = {"reducers": 0, "input_format": "parquet", "output_format": writes}
        (by_pairs,) = PlannedJob(tmp_path, PASS_ONE_BY_ONE, {"in": content}, **choices).parts()
        (by_tables,) = PlannedJob(tmp_path, "mapper = 'identity'\n", {"in": content}, **choices).parts()
        told = read_back(writes, by_tables)
        assert read_back(writes, by_pairs) == told
    if writes == "csv":
        rows = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    assert told == rows


@pytest.mark.parametrize("writes", ["csv", "msgpack", "parquet", "arrow"])
@QUICK
@given(rows=ROWS.filter(bool), cuts=st.lists(st.integers(0, 12), max_size=4).map(sorted))
def test_bytes_of_a_part_depend_on_its_rows_and_not_on_how_many_came_at_a_time(writes, rows, cuts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_parts, "ROWS_AT_ONCE", 3)
        patch.setattr(table_parts, "GROUP_BYTES", 60)
        rows = [{"n": 1, "t": "a"}, *rows]  # which tell the types
        table = pa.parquet.read_table(io.BytesIO(as_parquet(rows)))
        pairs = [(None, row) for row in rows]
        whole, pieces, in_pairs, some_pairs = (output_format(writes) for _ in range(4))
        edges = list(pairwise([0, *cuts, len(rows)]))
        wanted = whole.table(table) + whole.end()
        assert b"".join(pieces.table(table.slice(a, max(0, b - a))) for a, b in edges) + pieces.end() == wanted
        wanted = in_pairs(pairs) + in_pairs.end()
        assert b"".join(some_pairs(pairs[a:b]) for a, b in edges) + some_pairs.end() == wanted


CELLS = st.fixed_dictionaries(
    {
        "t": st.one_of(st.none(), st.text(st.sampled_from(' a,"\r\né'), max_size=4)),
        "n": st.one_of(st.none(), st.integers(-9, 9)),
        "f": st.one_of(st.none(), st.floats(width=32)),
        "b": st.booleans(),
        "d": st.dates(),
    }
)


@QUICK
@given(rows=st.lists(CELLS, min_size=1, max_size=8), names=st.sampled_from([("t", "n"), ("t",), tuple("dftbn")]))
def test_fields_of_csv_are_spelled_alike_at_once_and_one_by_one_and_read_by_others(rows, names):
    kinds = {"t": pa.string(), "n": pa.int64(), "f": pa.float64(), "b": pa.bool_(), "d": pa.date32()}
    rows = [{name: row[name] for name in names} for row in rows]
    table = pa.table({name: pa.array([row[name] for row in rows], kinds[name]) for name in names})
    told = output_format("csv").table(table)
    assert told == output_format("csv")([(None, row) for row in rows])
    wanted = [["" if row[name] is None else str(row[name]) for name in names] for row in rows]
    assert list(csv.reader(io.StringIO(told.decode(), newline=""), strict=True)) == [list(names), *wanted]


def test_bytes_are_written_to_csv_as_they_are():
    table = pa.table({"k": [b"\xff", b"a,b"], "n": [1, 2]})
    assert output_format("csv").table(table) == b'k,n\n\xff,1\n"a,b",2\n'


@pytest.mark.parametrize("writes", ["csv", "msgpack", "parquet", "arrow"])
def test_pairs_are_rows_of_key_and_value(tmp_path, writes):
    source = "def map(line):\n    yield line, len(line)\nreduce = 'sum'\n"
    job = PlannedJob(tmp_path, source, {"in": b"a\nbb\na\n"}, reducers=1, output_format=writes)
    (part,) = job.parts()
    told = [(row["key"], int(row["value"])) for row in read_back(writes, part)]
    assert told == [("a", 2), ("bb", 2)]
    assert PlannedJob(tmp_path, source, {"in": b"a\nbb\na\n"}, reducers=1, output_format=writes).parts() == [part]


@pytest.mark.parametrize("writes", ["csv", "parquet", "arrow"])
def test_row_with_another_column_later_on_is_the_users_fault(tmp_path, writes, monkeypatch):
    monkeypatch.setattr(table_parts, "ROWS_AT_ONCE", 1)
    monkeypatch.setattr(table_parts, "GROUP_BYTES", 1)
    source = "def map(line):\n    yield None, {line: 1}\n"
    with pytest.raises(UserFault, match="a later row has the column 'b'"):
        PlannedJob(tmp_path, source, {"in": b"a\nb\n"}, reducers=0, output_format=writes).parts()


@pytest.mark.parametrize("writes", ["csv", "msgpack", "parquet", "arrow"])
def test_part_without_rows_is_a_file_of_its_kind(tmp_path, writes):
    source = "def map(line):\n    return ()\n"
    (part,) = PlannedJob(tmp_path, source, {"in": b"a\n"}, reducers=0, output_format=writes).parts()
    assert read_back(writes, part) == []
