"""Kill one of three peers under load, let it come back, and time how long the others need to bring it up to date.

Convergence is read from the disks, not asked of the peers: every peer holds equal rows, and no hint is left.
"""

import sqlite3
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path

from store_clients import WARM_UP_S, Clients, Fill, Open, Operation

import murmuration as mm
from murmuration.ring.facts import Liveness

SIZE = 100
NAME = "failing"
VICTIM = "peer-3"
ALL_PEERS = ("peer-1", "peer-2", "peer-3")
NOTICE_PATIENCE_S = 30.0
CONVERGE_PATIENCE_S = 120.0
LOOK_EVERY_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One kill and one return; rates in requests a second, times in seconds, `converged_s` None if never."""

    healthy: dict[Operation, float]
    degraded: dict[Operation, float]
    noticed_s: float
    failures_before: int
    failures_after: int
    reasons: tuple[str, ...]
    missed: int
    converged_s: float | None


def play_failures(clients: Clients, count: int, rounds: int, seconds: float, missed: int) -> list[Failure]:
    """Kill and revive the same peer, `rounds` times over, on a cluster of its own."""
    with mm.LocalCluster(peers=len(ALL_PEERS), workers=1) as cluster:
        clients.order(Open(name=NAME, kind="murmuration", addresses=cluster.urls, sizes=(SIZE,)))
        return [_play(cluster, clients, count, seconds, missed, number) for number in range(rounds)]


def _play(cluster: mm.LocalCluster, clients: Clients, count: int, seconds: float, missed: int, number: int) -> Failure:
    healthy, _ = _rates(clients, count, seconds)
    cluster.kill(VICTIM)
    begin = time.monotonic()
    _, before = _rates(clients, count, WARM_UP_S)  # under load, as a user would meet it
    _await_notice(cluster)
    noticed = time.monotonic() - begin
    degraded, after = _rates(clients, count, seconds)
    prefix = b"missed/%d/" % number
    filled = clients.order(Fill(name=NAME, prefix=prefix, count=-(-missed // count), size=SIZE))
    late = [reason for account in filled for reason in account.reasons]
    cluster.restart(VICTIM)
    return Failure(
        healthy=healthy,
        degraded=degraded,
        noticed_s=noticed,
        failures_before=len(before),
        failures_after=len(after) + sum(account.failures for account in filled),
        reasons=tuple(dict.fromkeys([*after, *late, *before]))[:5],
        missed=sum(len(account.waits) for account in filled),
        converged_s=_await_convergence(cluster),
    )


def _rates(clients: Clients, count: int, seconds: float) -> tuple[dict[Operation, float], list[str]]:
    """Measure puts and gets; gives their rates, and a reason for each failure."""
    rates: dict[Operation, float] = {}
    reasons: list[str] = []
    for operation in ("put", "get"):
        accounts = clients.run(NAME, operation, SIZE, count, seconds)
        rates[operation] = sum(len(account.waits) for account in accounts) / seconds
        for account in accounts:
            reasons += (account.reasons * account.failures)[: account.failures]
    return rates, reasons


def _await_notice(cluster: mm.LocalCluster) -> None:
    """Wait until each living peer has taken the victim for dead."""
    for url in cluster.urls[:-1]:
        with mm.Client([url]) as client:
            if not _await(partial(_believes_dead, client), NOTICE_PATIENCE_S):
                raise TimeoutError(f"{url} has not noticed a death within {NOTICE_PATIENCE_S:g} s")


def _believes_dead(client: mm.Client) -> bool:
    return all(view.liveness is not Liveness.ALIVE for view in client.peers() if view.member.name == VICTIM)


def _await_convergence(cluster: mm.LocalCluster) -> float | None:
    """Give the seconds until all disks agree, counted from the moment the peer said that it is ready again."""
    begin = time.monotonic()
    databases = [cluster.directory / name / "store" / "cache.db" for name in ALL_PEERS]
    if not _await(lambda: not any(map(_hints, databases)), CONVERGE_PATIENCE_S):
        return None
    if not _await(lambda: len({_print_of(each) for each in databases}) == 1, CONVERGE_PATIENCE_S):
        return None
    return time.monotonic() - begin


def _hints(database: Path) -> int:
    return int(_read(database, "SELECT count(*) FROM Cache WHERE key >= x'682f' AND key < x'6830'")[0][0])  # h/ to h0


def _print_of(database: Path) -> bytes:
    """Digest all copies of keys: the rows whose keys begin with v/."""
    digest = blake2b()
    for key, value in _read(database, "SELECT key, value FROM Cache WHERE key >= x'762f' AND key < x'7630' ORDER BY 1"):
        digest.update(key)
        digest.update(value or b"")
    return digest.digest()


def _read(database: Path, query: str) -> list[tuple[bytes, ...]]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def _await(is_so: Callable[[], bool], patience_s: float) -> bool:
    deadline, pause = time.monotonic() + patience_s, threading.Event()
    while not is_so():
        if time.monotonic() > deadline:
            return False
        pause.wait(LOOK_EVERY_S)
    return True


def median_ratio(failures: list[Failure], operation: Operation) -> float:
    """Give the median over the rounds of degraded to healthy throughput."""
    return statistics.median(each.degraded[operation] / each.healthy[operation] for each in failures)
