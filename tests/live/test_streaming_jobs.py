"""Commands and chains of jobs on real peers: right answers, plain failures, and nothing left behind."""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from gated_peers import until
from sound_cluster import PATIENCE_S, TEXT, SoundCluster, is_alive, noted

from murmuration.client.api import Client
from murmuration.client.cluster import LocalCluster
from murmuration.client.jobs.chain import BETWEEN
from murmuration.client.jobs.failures import JobFailed, JobKilled
from murmuration.client.jobs.streaming import pack_commands
from murmuration.ring.errors import CallerError

pytestmark = [pytest.mark.live, pytest.mark.timeout(90)]

KILL_S = 2.0
"""How long after the acknowledgement of a kill a command may still run."""

FAIL_ONCE = """
from pathlib import Path
from murmuration import Mapper

class Count:
    def map(number, line):
        for word in line.split():
            yield word, 1
    reducer = "sum"

class Swap:
    class Swapper(Mapper):
        def map(self, word, count):
            if not Path(self.context.params["allowed"]).exists():
                raise ValueError("not yet")
            yield int(count), word
    reducer = "count"

steps = [Count, Swap]
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundCluster]:
    with LocalCluster(peers=2, workers=2) as cluster, Client(cluster) as client:
        stage = SoundCluster(tmp_path_factory.mktemp("jobs"), cluster, client)
        yield stage
        stage.assert_sound()


def test_word_count_of_shipped_and_other_commands_is_that_of_a_counter(stage: SoundCluster) -> None:
    script = stage.file(
        "import sys\n"
        "for line in sys.stdin:\n"
        "    for word in line.split():\n"
        "        print(word, 1, sep='\\t')\n"
        "        print('reporter:counter:text,words,1', file=sys.stderr)\n",
        ".py",
    )
    add = "awk -F'\\t' '{n[$1] += $2} END {for (w in n) print w \"\\t\" n[w]}'"
    mapper = f"{sys.executable} {Path(script).name}"
    program = pack_commands(mapper, add, f"{add} | cat", files=[script])
    job = stage.client.submit(program, stage.file(TEXT), splits=3, reducers=2)
    assert {word: int(count) for word, count in job.result(PATIENCE_S)} == Counter(TEXT.split())
    assert job.counters == {"text.words": len(TEXT.split())}


def test_failed_command_is_told_with_its_code_its_last_lines_and_its_input(stage: SoundCluster) -> None:
    program = pack_commands("sh -c 'echo what is this >&2; exit 7'", "cat")
    path = stage.file(TEXT)
    with pytest.raises(JobFailed) as caught:
        stage.client.submit(program, path, max_attempts=1).wait(PATIENCE_S)
    told = str(caught.value)
    assert "ended with code 7; its last lines on stderr:\nwhat is this" in told
    assert f"at {path}" in told


def test_kill_ends_commands_with_all_that_they_have_started(stage: SoundCluster) -> None:
    notes = stage.notes()
    nap = f"sh -c 'touch {notes}/$$; while :; do sleep 60; done'"
    program = pack_commands(f"{nap} & touch {notes}/$$; cat; wait")
    job = stage.client.submit(program, stage.file(TEXT), splits=1)
    pids = noted(notes, 2)
    job.kill()
    acknowledged = time.monotonic()
    until(lambda: not any(map(is_alive, pids)), PATIENCE_S)
    assert time.monotonic() - acknowledged < KILL_S
    with pytest.raises(JobKilled):
        job.wait(PATIENCE_S)


def test_steps_end_with_the_right_answer_and_leave_nothing_between(stage: SoundCluster, tmp_path: Path) -> None:
    chain = stage.client.submit_steps("top-words", stage.file(TEXT), tmp_path / "out", params={"top": "3"})
    chain.wait()
    (part,) = (tmp_path / "out").iterdir()
    counts = Counter(TEXT.split())
    wanted = sorted(counts, key=lambda word: (-counts[word], word))[:3]
    assert part.read_text() == "".join(f"{word}\t{counts[word]}\n" for word in wanted)
    assert not stage.client.fs.exists(BETWEEN)


def test_steps_go_on_from_the_job_at_which_they_were_left(stage: SoundCluster) -> None:
    source, text, allowed = stage.file(FAIL_ONCE, ".py"), stage.file(TEXT), stage.notes() / "allowed"
    chosen = {"params": {"allowed": str(allowed)}, "max_attempts": 1, "reducers": 1}
    chain = stage.client.submit_steps(source, text, **chosen)
    jobs = []
    with pytest.raises(JobFailed, match="not yet"):
        for job in chain:
            jobs.append(job)
            job.wait(PATIENCE_S)
    allowed.touch()
    again = stage.client.submit_steps(source, text, resume=jobs[0].id, **chosen)
    (last,) = [job for job in again if job.wait(PATIENCE_S)]
    counts = Counter(Counter(TEXT.split()).values())
    assert {int(count): int(words) for count, words in last.result()} == counts
    assert len(jobs) == 2
    assert not stage.client.fs.exists(BETWEEN)


def test_program_with_steps_is_no_single_job(stage: SoundCluster) -> None:
    with pytest.raises(CallerError, match="2 steps"):
        stage.client.submit("top-words", stage.file(TEXT))
