"""Work out where the input of an attempt lies: which peers hold its chunks or its runs, best place first."""

from collections.abc import Callable, Iterable, Mapping

from ..ring.facts import Update
from ..ring.terms import Member, PeerId, Source
from ..scheduling.effects import StartAttempt
from ..scheduling.jobs import InputFile, Phase, Split
from ..scheduling.messages import Attempt, run_name
from .effects import Piece, RunAttempt, RunPlace
from .executor.shuffle.run_layout import NO_RECORDS

Holders = Callable[[bytes], Iterable[Member]]
"""Gives the members that may hold a chunk, by its digest, best place first."""


def chunk_source(member: Member, digest: bytes) -> Source:
    """Name a chunk at one of its holders."""
    return Source(url=member.bulk_url, ref="chunk/" + digest.hex(), host=member.host)


def run_source(member: Member, job: str, split: int, attempt: Attempt) -> Source:
    """Name a run at the peer that made it; its path serves whoever shares the host, even after the peer's death."""
    name = run_name(job, split, attempt)
    return Source(url=member.bulk_url, ref=name, host=member.host, path=f"{member.directory}/{name}")


def with_inputs(start: StartAttempt, holders: Holders, members: Mapping[PeerId, Update]) -> RunAttempt:
    """Add to an attempt the places of its input."""
    if start.phase is Phase.MAP:
        split = start.record.splits[start.task]
        return RunAttempt(start=start, pieces=tuple(_pieces(start.record.files[split.file], split, holders)))
    return RunAttempt(start=start, runs=tuple(_runs(start, holders, members)))


def in_one_place(run: RunAttempt, splits: Iterable[int]) -> tuple[int, ...]:
    """Choose of splits whose runs could not be read those that are nowhere else: the others are looked for again."""
    places = {place.split: place for place in run.runs}
    return tuple(split for split in splits if split not in places or len(places[split].sources) <= 1)


def _pieces(file: InputFile, split: Split, holders: Holders) -> Iterable[Piece]:
    for begin, end in file.ranges(split):
        yield from _range(file, begin, end, holders)


def _range(file: InputFile, first: int, last: int, holders: Holders) -> Iterable[Piece]:
    if file.source is not None:
        if first < last:
            yield Piece(sources=(file.source,), offset=first, length=last - first)
        return
    position = 0
    for chunk in file.chunks:
        begin, end = max(first, position), min(last, position + chunk.size)
        if begin < end:
            yield Piece(
                sources=tuple(chunk_source(member, chunk.digest) for member in holders(chunk.digest)),
                offset=begin - position,
                length=end - begin,
                digest=chunk.digest,
            )
        position += chunk.size


def _runs(start: StartAttempt, holders: Holders, members: Mapping[PeerId, Update]) -> Iterable[RunPlace]:
    if start.seal is None:
        return
    remade: dict[int, list[Attempt]] = {}
    for split, attempt in start.remade:
        remade.setdefault(split, []).append(attempt)
    copies = dict(start.copies)
    for split, winner in enumerate(start.seal.winners):
        if winner.digest == NO_RECORDS:
            continue
        attempts = [winner.attempt, *remade.get(split, [])]
        known = [(attempt, members.get(PeerId(attempt.peer))) for attempt in attempts]
        yield RunPlace(
            split=split,
            digest=winner.digest,
            sources=(
                *(
                    run_source(update.member, start.record.id, split, attempt)
                    for attempt, update in known
                    if update is not None
                ),
                *(
                    chunk_source(member, copies[split])
                    for member in (holders(copies[split]) if split in copies else ())
                ),
            ),
        )
