"""Real peers that join, leave, are replaced, come back, or only stop: what each moves, and what it says."""

import io
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gated_peers import until
from sound_cluster import MURMUR

from murmuration.client.api import Client
from murmuration.client.cluster import LocalCluster
from murmuration.client.commands.main import run_command
from murmuration.ring.errors import WorldError
from murmuration.ring.facts import Liveness, Standing
from murmuration.ring.terms import Quorum

pytestmark = [pytest.mark.live, pytest.mark.timeout(90), pytest.mark.xdist_group("leaving-peers")]

KEYS = [b"key%d" % number for number in range(40)]
ALL = Quorum(replicas=3, reads_required=3, writes_required=3, strict=True)
CONTENT = os.urandom(300_000)
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Ran:
    """What a command has said."""

    stdout: str
    stderr: str


class Flock:
    """A cluster, peers that come to it later, and the command line as its users have it."""

    def __init__(self, cluster: LocalCluster, client: Client, folder: Path, stack: ExitStack) -> None:
        self.cluster = cluster
        self.client = client
        self.folder = folder
        self._stack = stack

    def murmur(self, *words: str, code: int = 0) -> Ran:
        """Run a command to its end, which must be the expected one."""
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as told:
            ended_with = run_command([*words, *self.peer_words()])
        assert ended_with == code, told.getvalue()
        return Ran(out.getvalue(), told.getvalue())

    def document(self, *words: str) -> Any:
        return json.loads(self.murmur(*words, "--json").stdout)

    def peer_words(self) -> list[str]:
        return [word for url in self.cluster.urls for word in ("--peer", url)]

    def comer(self, name: str, *options: str) -> subprocess.Popen[str]:
        """Start a peer at a new address, which ends with this block."""
        command = self.peer_command(name, *options)
        process = self._stack.enter_context(
            subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        )
        self._stack.callback(process.kill)
        return process

    def peer_command(self, name: str, *options: str) -> list[str]:
        seeds = [word for url in self.cluster.urls for word in ("--join", url)]
        return [*MURMUR, "peer", "--data", str(self.folder / name), "--name", name, "--workers", "0", *seeds, *options]

    def states(self) -> dict[tuple[str, str], str]:
        """Tell of each peer, by its name and the beginning of its id, what the listing shows."""
        shown = self.document("peers")
        return {(peer["name"], peer["id"][:8]): f"{peer['state']} {peer['standing']}" for peer in shown}

    def is_seen(self, name: str, state: str) -> bool:
        return any(seen == state for (known, _), seen in self.states().items() if known == name)

    def all_are_there(self) -> bool:
        """Read every key at all its homes; one that just came may not answer for a moment."""
        try:
            found = [self.client.kv.get(key, quorum=ALL).values for key in KEYS]
        except WorldError:
            return False
        assert found == [(key * 2,) for key in KEYS]
        assert b"".join(self.client.fs.cat("ring:/file")) == CONTENT
        return True


@pytest.fixture(scope="module")
def flock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flock]:
    folder = tmp_path_factory.mktemp("flock")
    with ExitStack() as stack:
        cluster = stack.enter_context(LocalCluster(4, workers=0, directory=folder))
        client = stack.enter_context(Client(cluster.urls))
        for key in KEYS:
            client.kv.put(key, key * 2, quorum=ALL)
        (folder / "file").write_bytes(CONTENT)
        client.fs.put(folder / "file", "ring:/file", chunk_size=100_000)
        yield Flock(cluster, client, folder, stack)


def ended(cluster: LocalCluster, name: str) -> int:
    return cluster._peers[name].process.wait(PATIENCE_S)


def test_join_is_foretold_without_being_done_and_then_done_and_shown(flock: Flock) -> None:
    foretold = subprocess.run(flock.peer_command("comer", "--dry-run"), capture_output=True, text=True, check=True)
    assert "to this peer there move about" in foretold.stdout
    assert not (flock.folder / "comer").exists()
    comer = flock.comer("comer")
    assert comer.stderr is not None
    assert "was empty: peer comer joins as a new member" in comer.stderr.readline()
    until(lambda: flock.is_seen("comer", "alive valid"), PATIENCE_S)
    assert flock.document("ring")["copies"]["comer"] > 0
    until(flock.all_are_there, PATIENCE_S)


def test_leave_goes_on_when_its_watcher_is_interrupted_and_may_be_watched_again(flock: Flock) -> None:
    foretold = flock.document("leave", "peer-2", "--dry-run")
    assert foretold["vnodes"] > 0 < foretold["keys"]
    assert foretold["chunks"] > 0 < foretold["bytes"]
    assert flock.is_seen("peer-2", "alive valid")
    # nobody works here, so the job stays, and peer-2 has a vote on it
    job = flock.client.submit("wordcount", flock.folder / "file", output="ring:/counts")
    with watching_a_leave(flock) as watcher:
        watcher.send_signal(signal.SIGINT)
        _, told = watcher.communicate(timeout=PATIENCE_S)
        assert watcher.returncode == 130
    assert "moves on all the same: watch it by `murmur leave peer-2`" in told
    (moving,) = flock.document("ring")["moving"]["members"]
    assert (moving["name"], moving["standing"]) == ("peer-2", "leaving")
    with watching_a_leave(flock) as watcher:
        job.kill()
        shown, _ = watcher.communicate(timeout=PATIENCE_S)
        assert (watcher.returncode, shown[:27]) == (0, "peer peer-2 has left, and o")
    assert ended(flock.cluster, "peer-2") == 0
    assert flock.is_seen("peer-2", "left removed")
    assert "is no member any more" in flock.murmur("leave", "peer-2", code=2).stderr
    until(flock.all_are_there, PATIENCE_S)


@contextmanager
def watching_a_leave(flock: Flock) -> Iterator[subprocess.Popen[str]]:
    """Run `murmur leave peer-2`, which waits for a job to end."""
    command = [*MURMUR, "leave", "peer-2", *flock.peer_words()]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background ignore it
    ) as watcher:
        assert watcher.stderr is not None
        assert "peer peer-2 leaves once the 1 jobs that count on its vote have ended" in watcher.stderr.readline()
        yield watcher


def test_terminated_peer_leaves_and_an_interrupted_one_keeps_its_place(flock: Flock) -> None:
    cluster = flock.cluster
    cluster.kill("peer-3", signal.SIGINT)
    assert ended(cluster, "peer-3") == 0
    until(lambda: flock.is_seen("peer-3", "left valid"))
    cluster.restart("peer-3")
    until(lambda: flock.is_seen("peer-3", "alive valid"), PATIENCE_S)
    cluster.kill("peer-3", signal.SIGTERM)
    assert ended(cluster, "peer-3") == 0
    assert flock.is_seen("peer-3", "left removed")
    until(flock.all_are_there, PATIENCE_S)


def test_dead_peer_is_replaced_and_comes_back_only_as_a_new_one(flock: Flock) -> None:
    heir = flock.comer("heir")
    until(lambda: flock.is_seen("heir", "alive valid"), PATIENCE_S)
    assert heir.poll() is None
    flock.cluster.kill("peer-4")
    until(lambda: not flock.is_seen("peer-4", "alive valid"))
    assert flock.document("replace", "peer-4", "heir", "--dry-run")["keys"] > 0
    assert "peer peer-4 is removed for ever" in flock.murmur("replace", "peer-4", "heir").stdout
    assert flock.is_seen("peer-4", "left removed")
    until(flock.all_are_there, PATIENCE_S)
    told = [refusal(flock, "peer-4") for _ in range(2)]  # first by the others, then by what it has noted itself
    assert all("start it with --rejoin-as-new" in line for line in told)
    again = flock.comer("peer-4", "--rejoin-as-new")
    assert again.stderr is not None
    assert "this peer joins as a new one; what it kept before lies in" in again.stderr.readline()
    until(lambda: flock.is_seen("peer-4", "alive valid"), PATIENCE_S)
    assert len([name for name, _ in flock.states() if name == "peer-4"]) == 2
    until(flock.all_are_there, PATIENCE_S)


def refusal(flock: Flock, name: str) -> str:
    """Start a peer, which must end by itself with an error, and give its last line."""
    ran = subprocess.run(flock.peer_command(name), capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert ran.returncode in (1, 2)
    return ran.stderr.splitlines()[-1]


def test_peer_that_is_removed_by_force_ends_and_says_why(flock: Flock) -> None:
    victim = flock.comer("victim")
    until(lambda: flock.is_seen("victim", "alive valid"), PATIENCE_S)
    assert "have it leave by `murmur leave victim`, or use --force" in flock.murmur("remove", "victim", code=2).stderr
    assert "did you mean victim" in flock.murmur("remove", "victin", code=2).stderr
    flock.murmur("remove", "victim", "--force")
    assert victim.wait(PATIENCE_S) == 1
    assert victim.stderr is not None
    assert "has left its cluster or was removed from it" in victim.stderr.read()
    until(flock.all_are_there, PATIENCE_S)


def test_last_peer_that_is_terminated_stops_and_keeps_its_place(tmp_path: Path) -> None:
    with LocalCluster(1, workers=0, directory=tmp_path) as cluster:
        with Client(cluster.urls) as client:
            client.kv.put(b"key", b"value")
        cluster.kill("peer-1", signal.SIGTERM)
        assert ended(cluster, "peer-1") == 0
        cluster.restart("peer-1")
        with Client(cluster.urls) as client:
            (view,) = client.peers()
            assert (view.liveness, view.standing) == (Liveness.ALIVE, Standing.VALID)
            assert client.kv.get(b"key").values == (b"value",)
