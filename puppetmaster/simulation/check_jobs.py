"""Decide whether a job kept its promises; the letters are those of the invariants in the documentation.

J1  the output is the sequential one, byte for byte
J2  the sealed splits tile the input, and their records and the ending's totals add up to it
J3  the job ends within a bound after the last fault if a majority of its electorate runs, and ends alike at all peers
J4  a register has one value, ever (the witness sees to that while the schedule runs)
J5  only user code fails a job, with its error, split and line, and only at the fourth time; a record that takes its
    process along is left out or fails the job
J6  an epoch never falls (the witness); no done split is done again while its run is within reach (`job_watches`)
J7  soon after an acknowledged kill nothing of the job runs at a peer in touch (`job_watches`)

J10 the client of some jobs dies: the job ends all the same, and another client that knows its id fetches the output;
    a job that is not to outlive its client is killed (`job_watches`), and only if that is silent

J9  a program that goes by chance is reported wherever two of its attempts are known, and the seal decides

Part of J2 stands in `check_reads`, of J3 in `check_electorates`, of J6 in `check_stops`; J8 is `check_hygiene`. The
table of all of them, with what is not promised, is in `docs/proofs.md`.
"""

from bisect import bisect_right
from collections.abc import Iterator

import msgspec

from ...ring.facts import Versions
from ...ring.terms import RECORD_QUORUM
from ...scheduling.jobs import SKIPPED, JobEnding, JobRecord, JobState, Manifest, Phase, StoredFile, UserError
from ...scheduling.messages import MapSeal
from ...scheduling.replica.decisions import decode_decision
from ...scheduling.replica.verdicts import NONDETERMINISTIC
from ...scheduling.status import JobStatus
from ...scheduling.tracker.tracking import output_key
from .cluster import Cluster
from .job_workload import JobWorkload
from .user_faults import CHANCY, parts_by
from .wordcount import POISON, WRITES_SIDE_FILES, map_split, reduce_partition, sequential, side_content, without_poison


def job_violations(cluster: Cluster, workload: JobWorkload, text: bytes, expected: UserError | None) -> list[str]:
    """Check J1 to J5 on a job that had its time; `expected` is the error that user code raises, if it does."""
    if not workload.accepted:
        return []
    if not workload.ended:
        if not (workload.is_decidable and _is_storable(cluster, workload.record)):
            cluster.witness.note("electorate lost")
            return []
        state = workload.status.state.title if workload.status else "unknown"
        waits = workload.status.waiting_for if workload.status else ""
        return [f"J3: the job has not ended; it is {state}, waits for {waits or 'nothing'}"]
    status = workload.statuses_ended[0]
    assert status.ending is not None
    violations = list(_tiles(workload.record, text))
    match status.ending.state:
        case JobState.DONE:
            violations += [*_done(cluster, workload, text, status.ending), *_sealed_records(cluster, workload, text)]
            if expected is not None:
                violations.append("J5: the job is done although user code raised")
        case JobState.KILLED:
            if workload.kill_at is None and not _may_be_missed(workload):
                violations.append("J10: the job was killed, but nobody asked for that, and its client was there")
        case _:
            violations += _failed(workload, status, text, expected)
    return [*violations, *_in_silence(cluster, workload.record)]


def _may_be_missed(workload: JobWorkload) -> bool:
    """Tell whether a job's client was silent for so long that it may be taken for gone, and the job for its own."""
    patience_s = workload.record.spec.client_patience_s
    return 0 < patience_s <= 2 * workload.silence_s


def _is_storable(cluster: Cluster, record: JobRecord) -> bool:
    """Tell whether a majority of the homes of the output's manifest runs: who still joins is none of them yet."""
    key = output_key(record.spec.output)
    if key is None or not cluster.running:
        return True
    homes = next(iter(cluster.running.values())).node.ring.preference(key)[: RECORD_QUORUM.replicas]
    running = {process.id for process in cluster.running.values()}
    return 2 * sum(peer in running for peer in homes) > len(homes)


def _tiles(record: JobRecord, text: bytes) -> Iterator[str]:
    position = 0
    for number, split in enumerate(record.splits):
        if split.begin != position:
            yield f"J2: split {number} begins at {split.begin}, the one before ends at {position}"
        position = split.end
    if position != len(text):
        yield f"J2: the splits end at {position} of {len(text)}"


def _done(cluster: Cluster, workload: JobWorkload, text: bytes, ending: JobEnding) -> Iterator[str]:
    expected = _oracle(cluster, workload.record, text)
    if len(ending.parts) != len(expected):
        yield f"J1: {len(ending.parts)} parts instead of {len(expected)}"
        return
    for part, content in zip(ending.parts, expected, strict=True):
        if content_of(cluster, part) != content:
            yield f"J1: {part.name} is not what a sequential run gives"
    skipped = workload.record.spec.skip_bad_records and text.count(POISON)
    if workload.record.partitions and ending.counters.get(SKIPPED, 0) != skipped:
        yield f"J5: {ending.counters} tells of lines set aside; there is {skipped} to set aside"
    elif skipped:
        cluster.witness.note("record set aside")
    yield from _side_files(cluster, workload.record, text, ending)
    yield from _ordered(cluster, workload.record, text, ending)
    if (ending.records, ending.bytes) != (text.count(b"\n"), len(text)):
        yield f"J2: the ending tells of {ending.records} records and {ending.bytes} bytes; that is not the input"


def _oracle(cluster: Cluster, record: JobRecord, text: bytes) -> tuple[bytes, ...]:
    """Give the parts that the job should have: those of a sequential run, or what the seal has made of chance."""
    values = cluster.witness.decided[record.id, "map"]
    if CHANCY not in record.spec.params or not values:
        return sequential(text, record)
    return parts_by(text, record, decode_decision(min(values), MapSeal).winners)


def _in_silence(cluster: Cluster, record: JobRecord) -> Iterator[str]:
    """Look whether every peer that knows two unlike outcomes of a task says so (J9)."""
    for name, process in cluster.running.items():
        job = process.node.scheduling.jobs.get(record.id)
        if job is None:
            continue
        rows = (job.table.row(phase, task) for phase in Phase for task in range(record.tasks(phase)))
        is_unlike = any(len({account.report.digest for account in row.values() if account.report}) > 1 for row in rows)
        if is_unlike is not job.goes_by_chance and job.retired is None:
            yield f"J9: {name} {'says nothing of' if is_unlike else 'makes up'} outcomes that differ"
        if job.goes_by_chance:
            cluster.witness.note("chance reported")
            if CHANCY not in record.spec.params:
                yield f"J9: {name} says that a program goes by chance which does not"


def _side_files(cluster: Cluster, record: JobRecord, text: bytes, ending: JobEnding) -> Iterator[str]:
    """Look whether what attempts wrote beside their runs is there once for each split, and whole."""
    wanted = []
    if WRITES_SIDE_FILES in record.spec.params:
        pieces = (text[split.begin : split.end] for split in record.splits)
        wanted = [side_content(piece, split) for split, piece in enumerate(pieces)]
        cluster.witness.note("side files kept")
    if [content_of(cluster, file) for file in ending.side] != wanted:
        yield f"J1: the side files {[file.name for file in ending.side]} are not those of the splits"


def _ordered(cluster: Cluster, record: JobRecord, text: bytes, ending: JobEnding) -> Iterator[str]:
    """Hold a total order to what one reducer gives, which knows nothing of ranges."""
    if record.spec.cuts is None:
        return
    joined = b"".join(content_of(cluster, part) or b"" for part in ending.parts)
    if joined != reduce_partition([map_split(without_poison(text), 1)], 0):
        yield "J1: the parts in a row are not in one order"
    else:
        cluster.witness.note("sorted in total")


def content_of(cluster: Cluster, part: StoredFile) -> bytes | None:
    """Read a part of the output from the running peers; None if a chunk is nowhere."""
    content = b""
    for chunk in part.chunks:
        copies = (process.disk.chunk(chunk.digest) for process in cluster.running.values())
        copy = next((copy for copy in copies if copy is not None), None)
        if copy is None:
            return None
        content += copy
    return content


def _sealed_records(cluster: Cluster, workload: JobWorkload, text: bytes) -> Iterator[str]:
    """Add up the records of the attempts that the seal names."""
    values = cluster.witness.decided[workload.record.id, "map"]
    if not workload.record.partitions or not values:
        return
    winners = decode_decision(min(values), MapSeal).winners
    records = 0
    for split, winner in enumerate(winners):
        mapped = cluster.witness.mapped_by.get(winner.attempt)
        if mapped is None or mapped.split != split or mapped.report.digest != winner.digest:
            yield f"J2: split {split} is sealed by {winner.attempt.title}, which did not make that run"
        else:
            records += mapped.report.records_in
    lines = text.count(b"\n")
    if records != lines:
        yield f"J2: the sealed runs hold {records} records, the input {lines}"


def _failed(workload: JobWorkload, status: JobStatus, text: bytes, expected: UserError | None) -> Iterator[str]:
    error = status.error
    if CHANCY in workload.record.spec.params and error is not None and error.kind == NONDETERMINISTIC:
        return
    if expected is None or error is None:
        yield f"J5: the job failed, and not by user code: {error}"
        return
    if (error.kind, error.message, error.line) != (expected.kind, expected.message, expected.line):
        yield f"J5: the job failed by {error.kind}:{error.line}, user code by {expected.kind}:{expected.line}"
    begins = [split.begin for split in workload.record.splits]
    if status.error_split != bisect_right(begins, text.index(POISON)) - 1:
        yield f"J5: split {status.error_split} is blamed, which does not hold what user code fails at"


def ending_violations(cluster: Cluster, workload: JobWorkload) -> list[str]:
    """Check after quiescence that all peers know one ending, and that a manifest tells of the same output."""
    job = workload.record.id
    for process in cluster.running.values():
        known = process.node.scheduling.jobs.get(job)
        if known is not None:
            cluster.witness.decides(job, "end", known.ending_value)
            cluster.witness.decides(job, "map", known.seal_value)
    endings = cluster.witness.decided[job, "end"]
    key = output_key(workload.record.spec.output)
    if not workload.ended or key is None or not endings:
        return []
    ending = decode_decision(min(endings), JobEnding)
    return list(_manifest(cluster, key, ending)) if ending.state is JobState.DONE else []


def _manifest(cluster: Cluster, key: bytes, ending: JobEnding) -> Iterator[str]:
    found = set()
    for disk in cluster.disks.values():
        raw = disk.rows.get(b"v/" + key)
        if raw is not None:
            versions = msgspec.msgpack.decode(raw, type=Versions)
            found |= {sibling.value for sibling in versions.siblings if sibling.value is not None}
    if len(found) != 1:
        yield f"J1: the output's directory has {len(found)} manifests"
    elif msgspec.msgpack.decode(found.pop(), type=Manifest).files != ending.files:
        yield "J1: the output's manifest is not that of the ending"
    else:
        cluster.witness.note("manifest stored")
