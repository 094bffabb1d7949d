"""Decide whether a finished schedule kept the promises; the letters are those of the invariants in the docs."""

from ...scheduling.decisions import encode_decision
from ...scheduling.jobs import JobState, StoredFile
from .cluster import Cluster
from .workloads import JobWorkload, StoreWorkload
from .wordcount import sequential


def job_violations(cluster: Cluster, workload: JobWorkload, text: bytes) -> list[str]:
    """Check J1 (the output is the sequential one), J2 (every record counted once), J3 (it ends, alike everywhere)."""
    if not workload.accepted:
        return []
    if not workload.ended:
        state = workload.status.state.title if workload.status else "unknown"
        return [f"J3: the job has not ended; it is {state}: {workload.status}"]
    status = workload.statuses_ended[0]
    if status.state is not JobState.DONE or status.ending is None:
        return [f"J3: the job ended as {status.state.title}: {status.error}"]
    violations = []
    expected = sequential(text, workload.record.partitions)
    for part, content in zip(status.ending.parts, expected, strict=True):
        if _content(cluster, part) != content:
            violations.append(f"J1: {part.name} is not what a sequential run gives")
    lines = text.count(b"\n")
    if status.records != lines:
        violations.append(f"J2: {status.records} records counted, {lines} in the input")
    endings = {encode_decision(other.ending) for other in workload.statuses_ended if other.ending is not None}
    if len(endings) > 1:
        violations.append("J4: two peers know two endings")
    return violations


def _content(cluster: Cluster, part: StoredFile) -> bytes | None:
    content = b""
    for chunk in part.chunks:
        copies = [process.disk.chunks.get(chunk.digest) for process in cluster.running.values()]
        copy = next((copy for copy in copies if copy is not None), None)
        if copy is None:
            return None
        content += copy
    return content


def store_violations(workload: StoreWorkload, final: dict[bytes, dict[str, int]], values: set[bytes]) -> list[str]:
    """Check S1 (what was acknowledged is still covered) and S3 (nothing is read that was not put)."""
    violations = []
    for written in workload.acknowledged:
        seen = final.get(written.key, {})
        assert written.context is not None
        if any(seen.get(actor, 0) < counter for actor, counter in written.context.items()):
            violations.append(f"S1: {written.value!r} at {written.key!r} was acknowledged and is gone")
    put = {written.value for written in workload.written.values()}
    read = {value for _, got in workload.read for value in got.values} | values
    violations.extend(f"S3: {value!r} was read but never put" for value in sorted(read - put))
    return violations
