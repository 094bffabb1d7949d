"""What attempts write beside their output is in the output of the job, once, and only if the attempt counts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sound_cluster import PATIENCE_S, SoundCluster

from murmuration.client.api import Client
from murmuration.client.cluster import LocalCluster

pytestmark = [pytest.mark.live, pytest.mark.timeout(90)]

SIFT = """
from pathlib import Path
from murmuration import Mapper

class Sift(Mapper):
    def setup(self):
        self.rejects = self.context.open("rejects.txt")

    def map(self, key, value):
        if value.isdigit():
            yield int(value), 1
            return
        print(key, value, file=self.rejects)
        once = Path(self.context.params["notes"], str(key))
        if not once.exists():
            once.touch()
            raise ValueError("this attempt does not count")

reducer = "count"
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundCluster]:
    with LocalCluster(peers=2, workers=2) as cluster, Client(cluster) as client:
        stage = SoundCluster(tmp_path_factory.mktemp("jobs"), cluster, client)
        yield stage
        stage.assert_sound()


def test_side_files_of_attempts_that_count_are_in_the_output_and_no_others(stage: SoundCluster, tmp_path: Path) -> None:
    content = "".join(f"{number}\n" if number % 25 else "bad\n" for number in range(100))
    params = {"notes": str(stage.notes())}
    job = stage.submit(SIFT, content, output=str(tmp_path / "out"), splits=4, reducers=1, params=params)
    job.wait(PATIENCE_S)
    found = {path.name: path.read_text() for path in (tmp_path / "out").glob("_*")}
    assert found.keys() == {f"_rejects-m-{split:05}.txt" for split in range(4)}
    assert sorted("".join(found.values()).splitlines()) == sorted(f"{line} bad" for line in (1, 26, 51, 76))
    assert len(list(job.results())) == 96


def test_side_files_of_an_output_in_the_ring_are_no_input_of_the_next_job(stage: SoundCluster) -> None:
    params = {"notes": str(stage.notes())}
    stage.submit(SIFT, "1\nbad\n2\n", output="ring:/sifted", reducers=1, params=params).wait(PATIENCE_S)
    names = {entry.path.rpartition("/")[2] for entry in stage.client.fs.ls("ring:/sifted")}
    assert names == {"_rejects-m-00000.txt", "part-r-00000"}
    lines = "def map(number, line):\n    yield line, 1\n"
    job = stage.client.submit(stage.file(lines, ".py"), "ring:/sifted", reducers=0)
    assert len(job.result(PATIENCE_S)) == 2
