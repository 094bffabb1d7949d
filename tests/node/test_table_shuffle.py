"""Tables that are passed on are dealt, sorted, merged and written as their rows would be, and are never taken apart."""

import io
import json
import random
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planned_job import PlannedJob

from murmuration.node.executor.batches import spilling, tables
from murmuration.node.executor.batches.merging import merged
from murmuration.node.executor.batches.tables import TABLES, Tables, tables_of
from murmuration.node.executor.faults.wording import UserFault
from murmuration.node.executor.formats import blocks
from murmuration.node.executor.sampling import sampled
from murmuration.scheduling.cuts import original
from murmuration.scheduling.jobs import Sampling
from murmuration.scheduling.ordering import order_key
from murmuration.scheduling.partitioners import canonical, partition_of

IDENTITY = "mapper = reducer = 'identity'\n"
ONE_BY_ONE = "def map(key, row):\n    yield next(iter(row.values())), row\nreducer = 'identity'\n"
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
KEYS = {
    "text": (pa.string(), st.sampled_from(["", "a", "b", "é", "\U0001f600", "\uffff"])),
    "bytes": (pa.binary(), st.binary(max_size=2)),
    "whole": (pa.int32(), st.integers(-3, 3)),
    "float": (pa.float64(), st.sampled_from([0.0, -0.0, 1.0, -2.5, 1e300, float("inf")])),
    "bool": (pa.bool_(), st.booleans()),
}
some_keys = pytest.mark.parametrize("kind", sorted(KEYS))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 200)


def table(kind, keys, first=0):
    return pa.table({"k": pa.array(keys, KEYS[kind][0]), "n": pa.array(range(first, first + len(keys)), pa.int64())})


def lists_of(kind):
    return st.lists(st.one_of(st.none(), KEYS[kind][1]), max_size=20)


def parquet(whole, rows=7):
    sink = io.BytesIO()
    pa.parquet.write_table(whole, sink, row_group_size=rows)
    return sink.getvalue()


def rows_in(parts):
    return [pa.parquet.read_table(io.BytesIO(part)).to_pylist() for part in parts]


@some_keys
@QUICK
@given(data=st.data(), partitions=st.integers(1, 5))
def test_rows_are_dealt_where_pairs_of_their_keys_would_go_and_keep_their_order(kind, data, partitions):
    keys = data.draw(lists_of(kind))
    own = lambda each: [partition_of(key, partitions) for key in each]  # noqa: E731
    shares = tables_of(table(kind, keys)).dealt(own, partitions)
    for number, share in enumerate(shares):
        wanted = [at for at, key in enumerate(keys) if partition_of(key, partitions) == number]
        assert share.table["n"].to_pylist() == wanted


@some_keys
@QUICK
@given(data=st.data(), size=st.integers(1, 5))
def test_merged_tables_are_all_rows_in_the_order_of_keys(kind, data, size):
    inputs, rows = [], []
    for keys in data.draw(st.lists(lists_of(kind), max_size=4)):
        whole = tables_of(table(kind, keys, len(rows)))
        rows += whole.pairs()
        inputs.append([whole.sorted().part(at, min(at + size, len(keys))) for at in range(0, len(keys), size)])
    told = [pair for some in merged(map(iter, inputs), TABLES.joined) for pair in some.pairs()]
    assert told == sorted(rows, key=lambda pair: order_key(pair[0]))


@some_keys
@QUICK
@given(data=st.data(), block_bytes=st.integers(1, 400))
def test_blocks_hold_all_rows_in_order(kind, data, block_bytes):
    keys = data.draw(lists_of(kind))
    whole = tables_of(table(kind, keys))
    bodies = list(
        TABLES.bodies([whole.part(0, 3), whole.part(3, len(keys))] if len(keys) > 3 else [whole], block_bytes)
    )
    assert [pair for body, _ in bodies for pair in TABLES.of_body(body).pairs()] == list(whole.pairs())
    assert sum(count for _, count in bodies) == len(keys)


def drawn(count, seed=5):
    chance = random.Random(seed)
    return [(chance.choice(["x", "y", "é", "", "longer key", None]), number) for number in range(count)]


@pytest.mark.parametrize("memory", [1 << 29, 20_000])
@pytest.mark.parametrize("partitions", [0, 1, 4])
@pytest.mark.parametrize("writes", ["csv", "parquet", "msgpack", "arrow"])
def test_identity_over_tables_writes_what_single_rows_give(tmp_path, partitions, memory, writes):
    pairs = drawn(3000)
    content = parquet(pa.table({"k": [key for key, _ in pairs], "n": [number for _, number in pairs]}), 500)
    choices = {"input_format": "parquet", "output_format": writes, "reducers": partitions, "split_size": 4000}
    by_rows = PlannedJob(tmp_path, ONE_BY_ONE, {"in": content}, **choices).parts()
    job = PlannedJob(tmp_path, IDENTITY, {"in": content}, memory=memory, **choices)
    assert job.parts() == by_rows
    assert len(job.done) > 3
    assert sum(done.records_in for done in job.done) == sum(done.records_out for done in job.done) == 3000
    if writes == "parquet" and partitions:
        together = [(row["k"], row["n"]) for part in rows_in(job.parts()) for row in part]
        assert sorted(together, key=lambda pair: pair[1]) == pairs


def test_small_budget_spills_in_both_phases_and_attempts_agree_on_every_digest(tmp_path, monkeypatch):
    spilled = []
    add = spilling.RowSpills.add
    monkeypatch.setattr(spilling.RowSpills, "add", lambda self, some: (spilled.append(1), add(self, some)))
    pairs = drawn(4000)
    content = parquet(pa.table({"k": [key for key, _ in pairs], "n": [number for _, number in pairs]}), 4000)
    job = PlannedJob(
        tmp_path, IDENTITY, {"in": content}, memory=30_000, input_format="parquet", output_format="parquet", reducers=2
    )
    first = [done.digest for done in job.map()]
    assert len(spilled) > 4
    assert [done.digest for done in job.map()] == first
    mapped = len(spilled)
    parts = job.parts()
    assert len(spilled) > 2 * mapped - mapped // 2
    job.memory = 1 << 29
    assert job.parts() == parts


def test_rows_that_are_passed_on_never_become_objects(tmp_path, monkeypatch):
    def forbidden(*_):
        raise AssertionError("rows were taken apart")

    for method in ("pairs", "values"):
        monkeypatch.setattr(Tables, method, forbidden)
    monkeypatch.setattr("murmuration.node.executor.reducing.Gathering", forbidden)
    monkeypatch.setattr("murmuration.node.executor.formats.table_parts.rows_of", forbidden)
    content = parquet(table("text", ["b", "a", None, "b"] * 30))
    job = PlannedJob(tmp_path, IDENTITY, {"in": content}, input_format="parquet", output_format="parquet", reducers=2)
    assert sum(map(len, rows_in(job.parts()))) == 120
    plain = "mapper = 'identity'\n"
    job = PlannedJob(tmp_path, plain, {"in": content}, input_format="parquet", output_format="arrow", reducers=0)
    assert pa.ipc.open_file(job.parts()[0]).read_all().num_rows == 120


def test_reducer_sees_rows_as_dicts_under_their_first_column(tmp_path):
    source = """
def map_batch(table):
    yield table.slice(0, 1)
    yield table.slice(1)
def reduce(key, rows):
    yield key, sum(row["n"] for row in rows)
"""
    content = parquet(table("text", ["b", "a", None, "b"]), 2)
    (part,) = PlannedJob(tmp_path, source, {"in": content}, input_format="parquet", reducers=1).parts()
    assert part == b"None\t2\na\t1\nb\t3\n"


def test_tables_of_several_schemas_and_pairs_among_them_come_out_as_pairs_in_order(tmp_path):
    source = """
import pyarrow as pa
def map_batch(batch):
    line = batch[0]
    if line == "pairs":
        return [("k", {"k": "k", "n": 7})]
    return pa.table({"k": ["k"], "n": [float(line) if "." in line else int(line)]})
reducer = "identity"
"""
    for lines in (["1", "2.5", "pairs", "3"], ["1", "2.5"], ["pairs", "3"], ["3", "1"]):
        files = {f"in{number}": line.encode() for number, line in enumerate(lines)}
        (part,) = PlannedJob(tmp_path, source, files, output_format="csv", reducers=1).parts()
        assert part.decode().splitlines() == ["k,n", *(f"k,{line}".replace("pairs", "7") for line in lines)]
    files = {"in": b"pairs\n1\n"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks._windows, "__defaults__", (2,))
        (part,) = PlannedJob(tmp_path, source, files, output_format="csv", reducers=1).parts()
    assert part == b"k,n\nk,7\nk,1\n"


def test_total_order_deals_rows_by_ranges_of_the_first_column(tmp_path):
    numbers = random.Random(3).sample(range(1000), 200)
    content = parquet(pa.table({"k": numbers}), 40)
    job = PlannedJob(tmp_path, IDENTITY, {"in": content}, input_format="parquet", output_format="parquet", reducers=3)
    parts = rows_in(job.with_cuts(canonical(300), canonical(600.5)).parts())
    assert [row["k"] for part in parts for row in part] == sorted(numbers)
    assert [max(row["k"] for row in part) < cut for part, cut in zip(parts, (300, 601, 1000), strict=True)] == [
        True
    ] * 3


def test_sample_of_tables_is_of_their_first_column(tmp_path):
    content = parquet(table("whole", list(range(50))))
    job = PlannedJob(tmp_path, IDENTITY, {"in": content}, input_format="parquet", reducers=0)
    job.program = lambda: sampled(PlannedJob.program(job), Sampling(rate=1.0, keys=99))
    told = [original(bytes.fromhex(line.decode())) for part in job.parts() for line in part.split()]
    assert told == list(range(50))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("pa.array([1.5, float('nan')])", "NaN cannot be a key"),
        ("pa.array([[1]])", "of type list<.*> cannot be a key"),
        ("pa.array([0], pa.timestamp('s'))", "of type timestamp.s. cannot be a key"),
    ],
)
def test_first_column_that_cannot_be_a_key_is_the_users_fault_with_a_place(tmp_path, column, message):
    source = f"import pyarrow as pa\ndef map_batch(batch):\n    return pa.table([{column}], names=['k'])\n"
    for partitions in (1, 3):
        with pytest.raises(UserFault, match=message) as caught:
            PlannedJob(tmp_path, source, {"in": b"x\n"}, reducers=partitions, output_format="csv").map()
        assert (caught.value.error.file, caught.value.error.line) == ("in", 1)


def test_dictionary_of_text_is_a_key_as_the_text_is(tmp_path):
    source = """
import pyarrow as pa
def map_batch(batch):
    return pa.table({"k": pa.array(list(batch)).dictionary_encode(), "n": pa.array(range(len(batch)))})
reducer = "identity"
"""
    (part,) = PlannedJob(tmp_path, source, {"in": b"b\na\nb\n"}, reducers=1, output_format="csv").parts()
    assert part == b"k,n\na,1\nb,0\nb,2\n"


def test_total_of_csv_columns_is_that_of_a_dict(tmp_path):
    source = """
import pyarrow.compute as pc
def map_batch(table):
    table = table.set_column(1, "amount", table["amount"].cast("int64"))
    grouped = table.group_by("city").aggregate([("amount", "sum")])
    return zip(grouped["city"].to_pylist(), grouped["amount_sum"].to_pylist())
reduce = "sum"
"""
    chance, totals, lines = random.Random(2), {}, ["city,amount"]
    for _ in range(2000):
        city, amount = chance.choice(["Porto", "Évora", "São, Paulo"]), chance.randrange(-9, 99)
        totals[city] = totals.get(city, 0) + amount
        lines.append(f'"{city}",{amount}' if "," in city else f"{city},{amount}")
    content = "\n".join(lines).encode()
    job = PlannedJob(
        tmp_path, source, {"in": content}, input_format="csv", output_format="jsonl", reducers=2, split_size=4000
    )
    told = [json.loads(line) for part in job.parts() for line in part.splitlines()]
    assert {each["key"]: each["value"] for each in told} == totals


def test_executor_of_csv_and_json_lines_by_record_never_imports_pyarrow():
    code = """
import sys
from murmuration.node.executor import process
from murmuration.node.executor.formats.formats import input_format, output_format
input_format("csv"), input_format("jsonl"), input_format("msgpack"), output_format("csv"), output_format("msgpack")
from murmuration.node.executor.formats import csv_records, packed
assert not any(name in sys.modules for name in ("numpy", "pyarrow"))
input_format("parquet")
import pyarrow
assert pyarrow.cpu_count() == pyarrow.io_thread_count() == 1
"""
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


def test_without_pyarrow_a_job_that_needs_it_is_told_how_to_get_it(tmp_path):
    code = """
import sys
sys.modules["pyarrow"] = None
from pathlib import Path
from planned_job import PlannedJob
from murmuration.node.executor.faults.wording import UserFault
from murmuration.node.executor.programs.program import load_program
from murmuration.ring.errors import CallerError
from murmuration.scheduling.jobs import Program
batch, pairs = "def map_batch(table): return None\\n", "def map(key, value): yield key, value\\n"
wanted = [(pairs, {"input_format": "parquet"}), (pairs, {"output_format": "parquet"}), (batch, {"input_format": "csv"})]
for source, choices in wanted:
    try:
        PlannedJob(Path(sys.argv[1]), source, {"in": b"a\\n1\\n"}, **choices)
    except CallerError as error:
        assert "murmuration[arrow]" in str(error), error
    else:
        raise AssertionError(choices)
try:
    load_program(Program("source", "p", batch.encode()), input_format="jsonl", output_format="text")
except UserFault as fault:
    assert (fault.error.kind, "pip install" in fault.error.hint) == ("MissingLibrary", True)
else:
    raise AssertionError("loaded")
csv = {"input_format": "csv", "output_format": "csv", "reducers": 0}
(part,) = PlannedJob(Path(sys.argv[1]), pairs, {"in": b"a\\n1\\n"}, **csv).parts()
assert part == b"a\\n1\\n"
"""
    path = ":".join(sys.path)
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env={"PYTHONPATH": path})


def test_kinds_of_keys_are_those_of_pairs():
    assert set(tables.KEY_TYPES) >= {"is_null", "is_string", "is_binary", "is_integer", "is_float64", "is_boolean"}
