"""What a job left on the disk of a peer is removed without holding up the peer."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from types import SimpleNamespace

from murmuration.node.attempts import Attempts
from murmuration.ring.terms import Member

JOB, OTHER = "00000000000000aa", "00000000000000bb"


def left_by(directory: Path, job: str) -> list[Path]:
    files = [directory / folder / job / "0" for folder in ("runs", "parts", "logs")]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    return files


def test_files_of_a_forgotten_job_are_removed_in_a_thread_and_those_of_others_stay(tmp_path: Path) -> None:
    async def played() -> None:
        threads, may_remove, forgotten = ThreadPoolExecutor(1), Event(), list[str]()
        me = Member("ab" * 16, "p", "tcp://a", "tcp://b", "host", str(tmp_path), workers=1)
        attempts = Attempts(me, SimpleNamespace(forget=forgotten.append), SimpleNamespace(), threads, print)
        *gone, log = left_by(tmp_path, JOB)
        kept = left_by(tmp_path, OTHER)
        threads.submit(may_remove.wait, 10.0)
        attempts.forget(JOB, with_logs=False)
        assert all(file.exists() for file in gone)
        may_remove.set()
        threads.shutdown()
        assert not any(file.exists() for file in gone)
        assert all(file.exists() for file in (*kept, log))
        assert forgotten == [JOB]

    asyncio.run(played())
