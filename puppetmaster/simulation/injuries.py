"""Inject faults into the simulated cluster: those of peers here, those of links through `weather`."""

from functools import partial
from typing import assert_never

from ...ring.events import LeaveRequested, RemoveRequested, StopRequested
from ...ring.terms import Instant, PeerId, start_of
from ..faults import (
    Crash,
    Fault,
    Freeze,
    FreezeTracker,
    Leave,
    LinkFault,
    PeerFault,
    Remove,
    Restart,
    SetClock,
    SetDisk,
    Slow,
    SlowDisk,
    Snapshot,
    Spoil,
    Swap,
    Thaw,
    ThawTracker,
    title_of,
)
from .cluster import FAREWELL_S, Cluster
from .disk import Disk
from .history import Kind
from .process import Process
from .weather import change

BURST = 10
"""So many things that wait for a thawed peer make a burst."""


def inject(cluster: Cluster, fault: Fault) -> None:
    """Let a fault happen now; one that does not fit the state of its peer, as a crash of the dead, does nothing."""
    title, now = title_of(fault), cluster.timeline.now
    cluster.story.faults.append(f"{now:8.3f} {title}")
    cluster.story.changed_at = now
    cluster.tell(Kind.FAULT, getattr(fault, "peer", ""), title)
    if isinstance(fault, LinkFault):
        change(cluster.network, fault)
    else:
        _injure(cluster, fault)


def _injure(cluster: Cluster, fault: PeerFault) -> None:
    match fault:
        case Crash(peer=peer):
            _crash(cluster, peer)
        case Remove(peer=peer):
            _remove(cluster, peer)
        case Restart(peer=peer):
            _restart(cluster, fault)
        case Snapshot() | Swap() | Spoil() | SetDisk() | SlowDisk():
            _change_disk(cluster, fault)
        case _:
            process = cluster.running.get(fault.peer)
            if process is not None:
                _disturb(cluster, process, fault)


def _change_disk(cluster: Cluster, fault: Snapshot | Swap | Spoil | SetDisk | SlowDisk) -> None:
    """Let a fault happen to a disk; some are possible only while nobody works on it."""
    disks, running = cluster.disks, cluster.running
    match fault:
        case Snapshot(peer=peer):
            cluster.backups[peer] = disks[peer].copy()
        case Swap(peer=peer, other=other):
            if peer not in running and other not in running and disks[peer].owner and disks[other].owner:
                mine, theirs = disks[peer], disks[other]
                disks[peer], disks[other] = theirs.in_place_of(mine), mine.in_place_of(theirs)
        case Spoil(peer=peer, share=share):
            if peer not in running or running[peer].frozen:
                disks[peer].spoil(share, cluster.rng)
        case SetDisk(peer=peer, state=state):
            disks[peer].state = state
        case SlowDisk(peer=peer, delay_s=delay_s):
            disks[peer].delay_s = delay_s
        case _:
            assert_never(fault)


def _disturb(
    cluster: Cluster,
    process: Process,
    fault: Leave | Freeze | Thaw | FreezeTracker | ThawTracker | SetClock | Slow,
) -> None:
    """Let a fault happen to a process that runs."""
    now = cluster.timeline.now
    match fault:
        case Leave():
            cluster.witness.note("tracker left" if process.tracks else "peer left")
            process.has_leave = True
            cluster.feed(process, LeaveRequested())
            cluster.at(now + cluster.leave_patience_s, partial(_stop, cluster, process))
        case Freeze():
            process.frozen = True
            if process.tracks:
                cluster.witness.note("tracker frozen")
        case Thaw():
            _thaw(cluster, process)
        case FreezeTracker():
            process.silence.frozen = True
        case ThawTracker():
            _let_speak(cluster, process)
        case SetClock(offset_s=offset_s):
            cluster.witness.note("clock ran on" if offset_s > process.clock_offset_s else "clock ran back")
            process.clock_offset_s, process.clock_was_set = offset_s, True
        case Slow(pause_s=pause_s):
            process.paused_until = Instant(max(process.paused_until, now) + pause_s)
        case _:
            assert_never(fault)


def _stop(cluster: Cluster, process: Process) -> None:
    """Have a process say farewell, unless it has ended before and another has its name."""
    if cluster.running.get(process.name) is process and not process.frozen:
        cluster.feed(process, StopRequested())
        cluster.at(cluster.timeline.now + FAREWELL_S, partial(cluster.end, process))


def _crash(cluster: Cluster, peer: str) -> None:
    process = cluster.running.pop(peer, None)
    if process is None:
        return
    note = cluster.witness.note
    for rarity, reached in (
        ("attempts died", bool(process.attempts)),
        ("crash amid write", bool(process.queue)),
        ("crash before acknowledgement", process.unreported > 0),
        ("tracker crashed", process.tracks),
        ("electorate cut", 2 * len(cluster.live()) < len(cluster.disks)),
        ("all down", not cluster.running),
    ):
        if reached:
            note(rarity)


def _remove(cluster: Cluster, peer: str) -> None:
    """Have a live peer that knows a dead one take it out, as somebody would who has looked at the list of members."""
    gone = PeerId(cluster.member(peer).id)
    knowing = (cluster.running[name] for name in sorted(cluster.live()))
    process = next((each for each in knowing if gone in each.node.ring.members), None)
    if peer in cluster.running or process is None or process.is_going:
        return
    cluster.witness.note("dead peer removed")
    cluster.feed(process, RemoveRequested(request="", peer=gone))


def _restart(cluster: Cluster, fault: Restart) -> None:
    peer = fault.peer
    running = cluster.running.get(peer)
    if running is not None and not running.is_going:
        return
    if running is not None:
        cluster.end(running)
    if not fault.empty and cluster.disks[peer].owner not in ("", peer):
        cluster.witness.note("another's disk refused")
        return
    if fault.empty or cluster.disks[peer].is_given_up:
        cluster.disks[peer] = Disk(number=cluster.disks[peer].number + 1, vnodes=cluster.settings.ring.vnodes)
        cluster.witness.note("empty restart")
    elif fault.old and peer in cluster.backups:
        cluster.disks[peer] = cluster.backups[peer].copy().in_place_of(cluster.disks[peer])
        cluster.disks[peer].is_restored = True
        _note_old_disk(cluster, peer)
    elif not cluster.disks[peer].starts:
        cluster.witness.note("peer joined late")
    cluster.boot(peer)


def _note_old_disk(cluster: Cluster, peer: str) -> None:
    """Have the witness know if others are ahead of a disk that was put back."""
    id_ = PeerId(cluster.member(peer).id)
    beliefs = (process.node.ring.members.get(id_) for process in cluster.running.values())
    known = max((start_of(update.incarnation) for update in beliefs if update is not None), default=0)
    if known > cluster.disks[peer].starts:
        cluster.witness.old_disks.add(id_)


def _thaw(cluster: Cluster, process: Process) -> None:
    process.frozen = False
    if len(process.late) >= BURST:
        cluster.witness.note("burst after thaw")
    if _is_succeeded(cluster, process):
        cluster.witness.note("thawed to a lost role")
    for due in process.late:
        cluster.timeline.after(0.0, due)
    process.late.clear()


def _let_speak(cluster: Cluster, process: Process) -> None:
    if len(process.silence):
        cluster.witness.note("tracker spoke late")
        if any(cluster.witness.has_passed(job, 1) for job in process.node.scheduling.jobs):
            cluster.witness.note("spoke after its time")
    for outgoing in process.let_tracker_speak(cluster.timeline.now):
        cluster.let_go(outgoing)


def _is_succeeded(cluster: Cluster, process: Process) -> bool:
    """Tell whether another peer has taken over a role that was this one's, in a job that it still takes for live."""
    tracked = (job for job in process.node.scheduling.jobs.values() if job.live and job.tracker == process.id)
    return any(cluster.witness.has_passed(job.id, job.epoch) for job in tracked)
