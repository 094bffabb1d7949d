"""Collect, when a live test has failed, what one needs to know: how its jobs stand, and what its peers said last."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from gated_peers import GatedFlock, GatedPeer
from sound_cluster import SoundCluster

from murmuration.client.cluster import LocalCluster
from murmuration.puppetmaster.live.session import Session
from murmuration.puppetmaster.live.sightings import look_through

Section = tuple[str, str]

TAILS = {"*.log": 40, "events.jsonl": 60, "status-*.json": 300}
"""Which files tell something, and how many of their last lines do."""

FILES_MAX = 40


def last_words(fixtures: Mapping[str, object]) -> list[Section]:
    """Ask the peers among the values of a test's fixtures, and read the files in the folders among them."""
    return list(dict.fromkeys(section for value in fixtures.values() for section in _of(value)))


def _of(value: object) -> Iterator[Section]:
    match value:
        case Path() if value.is_dir():
            yield from _tails(value)
        case Session():
            value.set_down()
            yield from _tails(value.journal.directory)
        case SoundCluster():
            yield from _of(value.cluster)
        case LocalCluster():
            urls = zip(value.processes, value.urls, strict=True)
            yield from (_standing(name, url) for name, url in urls if name in value.running())
            yield from _tails(value.directory)
        case GatedFlock():
            for peer in value.peers:
                yield from _of(peer)
        case GatedPeer():
            yield _standing(value.name, value.url)
            yield from _tails(value.log.parent)
        case list() | tuple():
            for each in value:
                yield from _of(each)


def _tails(folder: Path) -> Iterator[Section]:
    found = [(path, lines) for pattern, lines in TAILS.items() for path in sorted(folder.rglob(pattern))]
    for path, lines in found[:FILES_MAX]:
        said = path.read_text(errors="replace").splitlines()[-lines:]
        if said:
            yield f"{path.relative_to(folder)}, its end", "\n".join(said)


def _standing(name: str, url: str) -> Section:
    seen = look_through(name, url)
    members = [f"{view.member.name}: {view.liveness.name}, {view.standing.name}" for view in seen.members]
    jobs = [
        f"{job.name} ({job.id}): {job.state.title}, tracked by {job.tracker or 'nobody'} at epoch {job.epoch}"
        f"{job.waiting_for and f', waits for {job.waiting_for}'}; "
        + "; ".join(f"{event.at:.2f} s {event.text}" for event in job.events[-12:])
        for job in seen.jobs
    ]
    return f"what {name} says", "\n".join([seen.error, *members, *jobs]).strip()
