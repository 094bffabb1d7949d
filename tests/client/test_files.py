"""Files in the ring: what goes in comes out, under the path it was given, whole or not at all."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from murmuration.client.progress import Silence
from murmuration.client.store.files import RingFiles
from murmuration.client.store.tree import newest_manifest
from murmuration.client.store.upload import FRESH_S, Upload, Uploader, cut_file
from murmuration.node.wire.requests import OfferChunk, PutKey
from murmuration.ring.digests import chunk_digest
from murmuration.ring.errors import CallerError, RemoteError, WorldError
from murmuration.scheduling.jobs import ChunkRef, Manifest, StoredFile, manifest_key

TEXT = b"".join(b"line %d of the text\n" % number for number in range(500))


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_bytes(TEXT)
    return path


def commit_output(peer: Any, path: str, *parts: bytes, made_at: float = 1.0) -> None:
    """Store a job's output as its peers would: one manifest for the directory."""
    files = []
    for number, part in enumerate(parts):
        digest = chunk_digest(part)
        place = peer.directory / digest.hex()
        place.write_bytes(part)
        peer.chunks[digest] = place
        chunk = ChunkRef(digest=digest, size=len(part), newlines=part.count(b"\n"))
        files.append(StoredFile(name=f"part-r-{number:05d}", size=len(part), chunks=(chunk,)))
    manifest = Manifest(files=tuple(files), directory=True, made_at=made_at, job="0123456789abcdef")
    peer.answer(PutKey(key=manifest_key(path), value=msgspec.msgpack.encode(manifest)))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.binary(max_size=30).map(lambda line: line + b"\n"), max_size=20), st.integers(1, 40), st.integers(0, 1)
)
def test_chunks_tile_the_file_and_end_lines_where_lines_fit(
    tmp_path: Path, lines: list[bytes], chunk_size: int, cut_short: int
) -> None:
    content = b"".join(lines)[: -cut_short or None]
    path = tmp_path / "some"
    path.write_bytes(content)
    chunks = list(cut_file(Upload(local=path, path="some"), chunk_size))
    pieces = [content[chunk.offset : chunk.offset + chunk.ref.size] for chunk in chunks]
    assert b"".join(pieces) == content
    for number, (chunk, piece) in enumerate(zip(chunks, pieces, strict=True), 1):
        last = number == len(pieces)
        assert 0 < len(piece) <= chunk_size
        assert chunk.ref.newlines == piece.count(b"\n")
        assert chunk.ref.digest == chunk_digest(piece)
        assert chunk.ref.open_line == (not piece.endswith(b"\n") and not last)
        assert last or not chunk.ref.open_line or b"\n" not in piece


def test_file_put_and_got_again_is_the_same(fs: RingFiles, text: Path, tmp_path: Path) -> None:
    (entry,) = fs.put(text, "ring:/books/text.txt", chunk_size=1000)
    assert (entry.path, entry.size, entry.chunks) == ("ring:/books/text.txt", len(TEXT), 11)
    assert fs.get("ring:/books/text.txt", tmp_path / "copy").read_bytes() == TEXT


def test_empty_file_has_no_chunk_and_is_a_file(fs: RingFiles, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    fs.put(tmp_path / "empty", "ring:/empty")
    assert fs.stat("ring:/empty").size == 0
    assert fs.get("ring:/empty", tmp_path / "copy").read_bytes() == b""


def test_directory_put_and_got_again_is_the_same(fs: RingFiles, tmp_path: Path) -> None:
    source = tmp_path / "tree"
    for name in ("a.txt", "sub/b.txt", "sub/deep/c.txt"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    fs.put(source, "ring:/copy")
    fs.get("ring:/copy", tmp_path / "back")
    found = {str(path.relative_to(tmp_path / "back")): path.read_text() for path in (tmp_path / "back").rglob("*.txt")}
    assert found == {name: name for name in ("a.txt", "sub/b.txt", "sub/deep/c.txt")}
    assert fs.du("ring:/copy") == (3, sum(map(len, found)))


def test_put_into_a_directory_keeps_the_names(fs: RingFiles, text: Path, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("x")
    assert [entry.path for entry in fs.put([text, tmp_path / "other"], "ring:/d")] == [
        "ring:/d/text.txt",
        "ring:/d/other",
    ]
    assert [entry.path for entry in fs.put(text, "ring:/e/")] == ["ring:/e/text.txt"]
    assert [entry.path for entry in fs.put(tmp_path / "other", "ring:/e")] == ["ring:/e/other"]


def test_put_over_a_file_needs_overwrite_and_leaves_no_sibling(fs: RingFiles, text: Path, peer: Any) -> None:
    fs.put(text, "ring:/x")
    with pytest.raises(CallerError, match=r"ring:/x exists; use --overwrite"):
        fs.put(text, "ring:/x")
    text.write_text("new")
    fs.put(text, "ring:/x", overwrite=True)
    assert b"".join(fs.cat("ring:/x")) == b"new"
    assert len(peer.keys[manifest_key("x")]) == 1


def test_put_below_a_file_or_an_output_is_refused(fs: RingFiles, text: Path, peer: Any) -> None:
    fs.put(text, "ring:/x")
    commit_output(peer, "out", b"1\n")
    with pytest.raises(CallerError, match="ring:/x is a file"):
        fs.put(text, "ring:/x/y")
    with pytest.raises(CallerError, match="ring:/out is the output of a job"):
        fs.put(text, "ring:/out/y")


def test_put_of_a_missing_file_changes_nothing(fs: RingFiles, tmp_path: Path, peer: Any) -> None:
    with pytest.raises(CallerError, match="does not exist"):
        fs.put(tmp_path / "nowhere", "ring:/x")
    assert not peer.keys


def test_put_of_two_files_to_one_path_is_refused(fs: RingFiles, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same").touch()
    with pytest.raises(CallerError, match="two files"):
        fs.put([tmp_path / "a" / "same", tmp_path / "b" / "same"], "ring:/d/")


def test_manifest_is_written_only_after_all_chunks_are_kept(fs: RingFiles, text: Path, peer: Any) -> None:
    fs.put(text, "ring:/x", chunk_size=1000)
    kinds = [type(request) for request in peer.asked if isinstance(request, OfferChunk | PutKey)]
    assert kinds == [OfferChunk] * 11 + [PutKey]


def test_range_reads_only_the_chunks_it_touches(fs: RingFiles, text: Path, peer: Any) -> None:
    fs.put(text, "ring:/x", chunk_size=1000)
    file = next(iter(fs.walk("ring:/x")))
    for digest in [chunk.digest for chunk in file.chunks][3:]:
        del peer.chunks[digest]
    assert b"".join(fs.cat("ring:/x", 990, 2100)) == TEXT[990:2100]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.integers(-12000, 12000), st.integers(-12000, 12000) | st.none())
def test_range_means_what_a_slice_means(fs: RingFiles, text: Path, begin: int, end: int | None) -> None:
    fs.put(text, "ring:/x", chunk_size=1000, overwrite=True)
    assert b"".join(fs.cat("ring:/x", begin, end)) == TEXT[begin:end]


def test_damaged_copy_is_neither_served_nor_left_half_written(
    fs: RingFiles, text: Path, peer: Any, tmp_path: Path
) -> None:
    fs.put(text, "ring:/x", chunk_size=1000)
    victim = next(iter(fs.walk("ring:/x"))).chunks[5]
    place = peer.chunks[victim.digest]
    place.write_bytes(b"!" + place.read_bytes()[1:])
    (tmp_path / "here").mkdir()
    with pytest.raises(WorldError, match="damaged"):
        fs.get("ring:/x", tmp_path / "here" / "copy")
    assert not list((tmp_path / "here").iterdir())


def test_damaged_copy_is_passed_over_for_a_good_one(fs: RingFiles, text: Path, peer: Any) -> None:
    fs.put(text, "ring:/x")
    chunk = next(iter(fs.walk("ring:/x"))).chunks[0]
    (good,) = peer.places(chunk.digest)
    bad_place = peer.directory / "bad"
    bad_place.write_bytes(bytes(chunk.size))
    bad = msgspec.structs.replace(good, path=str(bad_place))
    peer.places = lambda digest: (bad, good)  # type: ignore[method-assign]
    assert b"".join(fs.cat("ring:/x")) == TEXT


def test_listing_shows_files_outputs_and_implied_directories(fs: RingFiles, text: Path, peer: Any) -> None:
    fs.put(text, "ring:/d/a")
    fs.put(text, "ring:/d/sub/b")
    fs.put(text, "ring:/d/sub/c")
    fs.put(text, "ring:/d/sub-way")
    commit_output(peer, "d/out", b"1\n", b"22\n")
    listed = [(entry.path, entry.directory, entry.size) for entry in fs.ls("ring:/d")]
    assert listed == [
        ("ring:/d/a", False, len(TEXT)),
        ("ring:/d/out", True, 5),
        ("ring:/d/sub", True, 0),
        ("ring:/d/sub-way", False, len(TEXT)),
    ]
    assert [entry.path for entry in fs.ls()] == ["ring:/d"]
    assert [entry.path for entry in fs.ls("ring:/d/out")] == ["ring:/d/out/part-r-00000", "ring:/d/out/part-r-00001"]
    assert [entry.path for entry in fs.ls("ring:/d/a")] == ["ring:/d/a"]


def test_listing_of_many_pages_is_complete(fs: RingFiles, peer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("murmuration.client.store.tree.PAGE", 3)
    for name in ("a", "b/1", "b/2", "b/3", "b/4", "b/5", "c", "d", "e/1"):
        manifest = Manifest(files=(StoredFile(name="", size=0, chunks=()),), directory=False, made_at=1.0)
        peer.answer(PutKey(key=manifest_key(name), value=msgspec.msgpack.encode(manifest)))
    assert [entry.path for entry in fs.ls()] == ["ring:/a", "ring:/b", "ring:/c", "ring:/d", "ring:/e"]
    assert len(list(fs.walk())) == 9


def test_member_of_an_output_reads_as_a_file_and_the_output_as_its_parts(fs: RingFiles, peer: Any) -> None:
    commit_output(peer, "out", b"a\t1\n", b"b\t2\n")
    assert b"".join(fs.cat("ring:/out/part-r-00001")) == b"b\t2\n"
    assert b"".join(fs.cat("ring:/out")) == b"a\t1\nb\t2\n"
    assert fs.stat("ring:/out/part-r-00000").job == "0123456789abcdef"


def test_path_that_is_not_there_is_the_callers_error(fs: RingFiles) -> None:
    for ask in (fs.stat, fs.ls, fs.cat, fs.rm, fs.du):
        with pytest.raises(CallerError, match="ring:/no does not exist"):
            ask("ring:/no")
    assert not fs.exists("ring:/no")


def test_removed_file_is_gone_and_its_path_is_free(fs: RingFiles, text: Path) -> None:
    fs.put(text, "ring:/x")
    assert fs.rm("ring:/x") == ["ring:/x"]
    assert not fs.exists("ring:/x")
    fs.put(text, "ring:/x")
    assert fs.exists("ring:/x")


def test_removal_of_a_directory_must_be_meant(fs: RingFiles, text: Path, peer: Any) -> None:
    fs.put(text, "ring:/d/a")
    commit_output(peer, "d/out", b"1\n")
    with pytest.raises(CallerError, match="--recursive"):
        fs.rm("ring:/d")
    with pytest.raises(CallerError, match="part of a job's output"):
        fs.rm("ring:/d/out/part-r-00000")
    assert fs.rm("ring:/d", recursive=True) == ["ring:/d/a", "ring:/d/out"]
    assert not fs.exists("ring:/d")


def test_get_does_not_touch_what_is_there(fs: RingFiles, text: Path, tmp_path: Path) -> None:
    fs.put(text, "ring:/d/x")
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(CallerError, match="exists"):
        fs.get("ring:/d/x", tmp_path / "taken")
    with pytest.raises(CallerError, match="exists"):
        fs.get("ring:/d", tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"
    fs.get("ring:/d/x", tmp_path / "taken", overwrite=True)
    assert (tmp_path / "taken").read_bytes() == TEXT


def test_siblings_of_one_path_resolve_alike_in_any_order() -> None:
    def manifest(made_at: float, size: int) -> bytes:
        file = StoredFile(name="", size=size, chunks=())
        return msgspec.msgpack.encode(Manifest(files=(file,), directory=False, made_at=made_at))

    values = [manifest(1.0, 1), manifest(2.0, 2), manifest(2.0, 3)]
    chosen = {newest_manifest("x", order) for order in (values, values[::-1], values[1:] + values[:1])}
    assert [one.files[0].size for one in chosen if one] == [3]


def test_key_that_holds_no_manifest_is_the_other_sides_fault() -> None:
    with pytest.raises(RemoteError, match="ring:/x"):
        newest_manifest("x", [b"junk"])


def test_files_are_withdrawn_once_they_are_stored(fs: RingFiles, text: Path, peer: Any) -> None:
    fs.put(text, "ring:/x")
    (offer,) = [request for request in peer.asked if isinstance(request, OfferChunk)]
    with pytest.raises(WorldError, match="nothing is shared"):
        fs._share._files.locate(offer.source.ref)


@pytest.mark.parametrize(("took_s", "offers"), [(1.0, 1), (FRESH_S + 1.0, 2)])
def test_chunks_that_were_long_in_being_named_are_stored_once_more(
    connection: Any, share: Any, peer: Any, text: Path, took_s: float, offers: int
) -> None:
    times = iter((0.0, took_s))
    uploader = Uploader(connection, share, clock=lambda: next(times))
    list(uploader.put([Upload(local=text, path="text")], Silence()))
    kinds = [type(request) for request in peer.asked if isinstance(request, OfferChunk | PutKey)]
    assert kinds == [OfferChunk, PutKey, OfferChunk][: offers + 1]
