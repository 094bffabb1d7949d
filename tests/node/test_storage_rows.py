"""Rows on the disk: durable, checked, and never anything but bytes."""

import pickle
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.node.storage import disk
from murmuration.node.storage.rows import FILE_BYTES_MIN, Rows, _after_prefix
from murmuration.ring.errors import Corrupt, InvariantBroken, WorldError

BIG = bytes(range(256)) * (FILE_BYTES_MIN // 128)


@pytest.fixture
def rows(tmp_path):
    opened = Rows(tmp_path / "rows")
    yield opened
    opened.close()


def fill(rows, content):
    with rows.transaction():
        for key, value in content.items():
            rows.put(key, value)


def files(tmp_path):
    return sorted((tmp_path / "rows").glob("??/00/*.val"))


def run_sql(tmp_path, statement, *values):
    connection = sqlite3.connect(tmp_path / "rows" / "cache.db")
    with connection:
        found = connection.execute(statement, values).fetchall()
    connection.close()
    return found


def test_rows_large_and_small_are_there_after_reopening(rows, tmp_path):
    fill(rows, {b"small": b"1", b"big": BIG, b"gone": b"2"})
    with rows.transaction():
        rows.delete(b"gone")
        rows.delete(b"never there")
    again = Rows(tmp_path / "rows")
    assert (again.get(b"small"), again.get(b"big"), again.get(b"gone")) == (b"1", BIG, None)
    assert again.has(b"big")
    assert not again.has(b"gone")
    assert len(files(tmp_path)) == 1
    again.close()


def test_scan_gives_rows_of_a_prefix_after_a_key_in_order(rows):
    content = {b"a/%d" % number: b"%d" % number for number in (3, 1, 2)} | {b"a/\xff": BIG, b"b": b"", b"A": b""}
    fill(rows, content)
    assert rows.scan(b"a/", b"", 10) == sorted((k, v) for k, v in content.items() if k.startswith(b"a/"))
    assert rows.scan(b"a/", b"a/1", 2) == [(b"a/2", b"2"), (b"a/3", b"3")]
    assert rows.scan(b"a/", b"b", 10) == []
    assert list(rows.each_key()) == sorted(content)


@given(st.binary(max_size=3), st.lists(st.binary(max_size=4)))
def test_end_of_a_prefix_parts_its_keys_from_all_later_ones(prefix, keys):
    end = _after_prefix(prefix)
    for key in keys:
        assert key.startswith(prefix) == (key >= prefix and (not end or key < end))


def test_transaction_that_fails_keeps_the_old_large_value_and_leaves_no_file(rows, tmp_path):
    fill(rows, {b"k": BIG})
    before = files(tmp_path)
    with pytest.raises(RuntimeError), rows.transaction():
        rows.put(b"k", BIG + b"new")
        rows.put(b"other", BIG)
        raise RuntimeError
    assert rows.get(b"k") == BIG
    assert files(tmp_path) == before


def test_replaced_large_value_leaves_no_file(rows, tmp_path):
    fill(rows, {b"k": BIG})
    fill(rows, {b"k": BIG + b"new"})
    assert rows.get(b"k") == BIG + b"new"
    assert len(files(tmp_path)) == 1
    fill(rows, {b"k": b"small"})
    assert files(tmp_path) == []


def test_value_file_that_no_row_names_is_swept_at_the_start(rows, tmp_path):
    fill(rows, {b"k": BIG})
    orphan = tmp_path / "rows" / "ab" / "00" / ("0" * 26 + ".val")
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_bytes(b"half")
    again = Rows(tmp_path / "rows")
    assert not orphan.exists()
    assert again.get(b"k") == BIG
    again.close()


@pytest.mark.parametrize("value", [b"small", BIG], ids=["in a row", "in a file"])
def test_flipped_bit_is_corrupt_and_neither_served_nor_absent(rows, tmp_path, value):
    fill(rows, {b"k": value})
    if value is BIG:
        (file,) = files(tmp_path)
        file.write_bytes(file.read_bytes()[:-1] + b"\x00")
    else:
        run_sql(tmp_path, "UPDATE Cache SET value = CAST(substr(value, 1, 20) || x'00' AS BLOB)")
    with pytest.raises(Corrupt, match=r"^corrupt .*'k'"):
        rows.get(b"k")
    fill(rows, {b"l": b"sound"})
    assert rows.scan(b"", b"", 10) == [(b"k", None), (b"l", b"sound")]
    assert rows.has(b"k")


def test_row_under_another_key_is_corrupt(rows, tmp_path):
    fill(rows, {b"k": b"value"})
    run_sql(tmp_path, "UPDATE Cache SET key = x'6c'")
    with pytest.raises(Corrupt):
        rows.get(b"l")


def test_missing_value_file_is_corrupt_and_not_absent(rows, tmp_path):
    fill(rows, {b"k": BIG})
    files(tmp_path)[0].unlink()
    with pytest.raises(Corrupt, match="is gone"):
        rows.get(b"k")


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


def test_pickled_row_and_pickled_key_are_refused_unopened(rows, tmp_path):
    bomb = pickle.dumps(Bomb())
    insert = "INSERT INTO Cache(key, raw, mode, value) VALUES (?, ?, ?, ?)"
    run_sql(tmp_path, insert, b"k", 1, 4, bomb)
    run_sql(tmp_path, insert, bomb, 0, 1, b"x" * 20)
    with pytest.raises(Corrupt, match="mode 4"):
        rows.get(b"k")
    with pytest.raises(Corrupt):
        rows.scan(b"", b"", 10)
    with pytest.raises(Corrupt):
        list(rows.each_key())


def test_row_that_names_a_file_elsewhere_is_refused_and_the_file_untouched(rows, tmp_path):
    secret = tmp_path / "secret.val"
    secret.write_bytes(b"secret")
    run_sql(tmp_path, "INSERT INTO Cache(key, raw, mode, filename) VALUES (?, 1, 2, ?)", b"k", "../secret.val")
    with pytest.raises(Corrupt, match="refused the file name"):
        rows.get(b"k")
    fill(rows, {b"k": b"new"})
    assert rows.get(b"k") == b"new"
    assert secret.read_bytes() == b"secret"


def test_what_is_not_bytes_is_our_own_fault(tmp_path):
    bytes_only = disk.BytesDisk(str(tmp_path), FILE_BYTES_MIN)
    for key in ("text", 1, None, bytearray(b"k")):
        with pytest.raises(InvariantBroken):
            bytes_only.put(key)
        with pytest.raises(InvariantBroken):
            bytes_only.store(key, read=False)


def test_value_file_that_cannot_be_written_leaves_nothing_and_the_table_goes_on(rows, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(disk, "write_durably", full)
        with pytest.raises(WorldError, match="No space left"):
            fill(rows, {b"small": b"1", b"big": BIG})
    assert files(tmp_path) == []
    assert rows.get(b"small") is None
    fill(rows, {b"big": BIG})
    assert rows.get(b"big") == BIG


def test_directory_that_holds_no_table_is_named(tmp_path):
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "cache.db").write_bytes(b"no database" * 1000)
    with pytest.raises(WorldError, match=r"rows: file is not a database"):
        Rows(tmp_path / "rows")


@pytest.mark.parametrize("count", [1, 16, 17, 40])
def test_many_rows_at_once_replace_large_values_and_small_ones(rows, tmp_path, count):
    fill(rows, {b"0": BIG, b"1": b"old"})
    fresh = {b"%d" % number: b"new %d" % number for number in range(count)}
    with rows.transaction():
        rows.write(fresh)
    assert dict(rows.scan(b"", b"", 100)) == {b"1": b"old", **fresh}
    assert not files(tmp_path)
