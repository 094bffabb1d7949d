"""Open the door of the library: a client submits jobs, finds them again, and reaches files, keys and peers."""

from collections.abc import Callable, Collection, Sequence
from os import PathLike, fspath
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self, Unpack

from msgspec.structs import replace

from ..node.executor.programs.aggregations import NAMES, aggregation
from ..node.wire.replies import JobPrepared, JobTaken, MetricsShown, PeersShown, PeerView, RingShown, Welcome
from ..node.wire.requests import DescribeRing, Hello, ListPeers, PrepareJob, ShowMetrics, SubmitJob
from ..ring.errors import CallerError
from ..ring.facts import Liveness
from ..scheduling.jobs import JobRecord, Program, job_key
from ..scheduling.status import JobStatus
from .addresses import find_urls
from .connection import Connection
from .jobs.chain import Chain
from .jobs.functions import pack_functions
from .jobs.history import Removed, age_s, all_jobs, check_ended, jobs_in_mind, remove_job
from .jobs.inputs import find_inputs
from .jobs.job import Job
from .jobs.options import JobChoices, options_of
from .jobs.output import Delivery, check_output, output_place
from .jobs.planning import Planner
from .jobs.programs import find_program, step_names
from .jobs.rehearsing import prepare_rehearsal
from .jobs.sampling import in_total_order
from .measuring import metrics_of_all, with_load_and_disk
from .moves import Moves
from .progress import Progress, Silence
from .store.backup.layout import BackupManifest
from .store.backup.restoring import Restore, Restored
from .store.backup.taking import Backup
from .store.chunks import ChunkReader
from .store.files import RingFiles
from .store.kv import KeyValueStore
from .store.paths import is_ring_path
from .store.share import Share

Words = str | PathLike[str] | Sequence[str | PathLike[str]]

NEWEST = "@"
"""The JOB word for the job submitted last."""


class Cluster(Protocol):
    """Something that knows where its peers listen, as `LocalCluster` does."""

    @property
    def urls(self) -> tuple[str, ...]:
        """The control addresses of its peers."""


class Client:
    """A client of one cluster, for one thread at a time; close it, or use it in a `with` block.

    Peers read files that only this machine has from this client, so it must stay open until the jobs that it
    submitted have read their input.
    """

    def __init__(
        self, cluster: Cluster | str | Sequence[str] | None = None, *, patience_s: float | None = None
    ) -> None:
        """Take a cluster's addresses, else those in `MURMUR_PEERS`, else those of the last `murmur up`.

        Raises:
            CallerError: an address is none.
            Unreachable: no address is known.
        """
        self._connection = Connection(find_urls(_urls_of(cluster)), patience_s=patience_s)
        self._share = Share()
        self._reader = ChunkReader(self._connection)
        self.fs = RingFiles(self._connection, self._share)
        self.kv = KeyValueStore(self._connection)

    def submit(
        self,
        program: str | PathLike[str] | Program,
        inputs: Words,
        output: str | PathLike[str] = "",
        *,
        overwrite: bool = False,
        progress: Progress | None = None,
        stdout: BinaryIO | None = None,
        **choices: Unpack[JobChoices],
    ) -> Job:
        """Start a job and give it at once; `Job.wait` waits for it and receives its output.

        `program` is a path of a Python file or the name of an example. `inputs` are local paths, globs, directories
        and `ring:/` paths. `output` is a local directory, `ring:/DIR`, `-` for standard output (or `stdout`), or
        nothing, if the results are only read by `Job.results`.

        Raises:
            CallerError: the program, an input, the output or a choice is not as it must be; nothing was started.
            WorldError: too few peers took the job.
        """
        place = output_place(fspath(output))
        check_output(place, self.fs, overwrite=overwrite)
        code = program if isinstance(program, Program) else find_program(fspath(program))
        if (steps := step_names(code)) and "::" not in code.name:
            raise CallerError(f"{code.name} has {len(steps)} steps, each a job of its own: use submit_steps")
        self._check_alone(place)
        record = self.plan(code, inputs, place, progress=progress, **choices)
        options = options_of(choices)
        if options.total_order:
            record = in_total_order(record, options, self._start)
        delivery = Delivery(place, self.fs, overwrite=overwrite, stdout=stdout)
        return self._start(record, delivery)

    def _start(self, record: JobRecord, delivery: Delivery | None = None) -> Job:
        prepared = self._connection.ask(PrepareJob(job=record.id), JobPrepared)
        self._connection.ask(SubmitJob(record=replace(record, electorate=prepared.electorate)), JobTaken)
        return Job(self._connection, self.fs, record.id, delivery=delivery)

    def submit_steps(
        self,
        program: str | PathLike[str] | Program,
        inputs: Words,
        output: str | PathLike[str] = "",
        *,
        overwrite: bool = False,
        progress: Progress | None = None,
        stdout: BinaryIO | None = None,
        resume: str = "",
        **choices: Unpack[JobChoices],
    ) -> Chain:
        """Give the jobs of a program with `steps`, of which each is submitted once the one before is done.

        A program without steps makes a chain of one job. `resume` names a job that an earlier chain of the same
        program began with: what that chain has done is not done again.

        Raises:
            CallerError: as `submit`, or there is nothing to resume.
        """
        place = output_place(fspath(output))
        check_output(place, self.fs, overwrite=overwrite)
        code = program if isinstance(program, Program) else find_program(fspath(program))
        chain = Chain(self, code, _words(inputs), place, choices, overwrite=overwrite, progress=progress, stdout=stdout)
        if resume:
            chain.take_up(self.job(resume).spec)
        return chain

    def _check_alone(self, place: str) -> None:
        """Refuse an output in the ring that a job still running is going to write, for one of the two would be lost."""
        if not is_ring_path(place):
            return
        for status in self.jobs():
            if status.output == place and not status.state.ended:
                raise CallerError(f"job {status.name} ({status.id}) is writing {place}; wait for it, or choose another")

    def map_reduce(
        self,
        map: Callable[..., Any],  # the word that everybody knows
        reduce: Callable[..., Any] | str | None = None,
        inputs: Words = (),
        output: str | PathLike[str] = "",
        *,
        combiner: Callable[..., Any] | str | None = None,
        overwrite: bool = False,
        progress: Progress | None = None,
        **choices: Unpack[JobChoices],
    ) -> Job:
        """Start a job of plain functions; they and what they close over travel by value.

        `reduce` is a function of a key and its values, the name of an aggregation (`sum`, `count`, `min`, `max`,
        `mean`, `list`, `set`, `first`, `top_k`), or nothing: then the pairs of `map` are the output.

        Raises:
            CallerError: as `submit`, or the functions cannot be sent.
            WorldError: too few peers took the job.
        """
        for word in (reduce, combiner):
            if isinstance(word, str) and aggregation(word) is None:
                raise CallerError(f"{word!r} is no aggregation; there are {', '.join(NAMES)}")
        if reduce is None:
            choices.setdefault("reducers", 0)
        program = pack_functions(map, reduce, combiner)
        return self.submit(program, inputs, output, overwrite=overwrite, progress=progress, **choices)

    def plan(
        self,
        program: Program,
        inputs: Words,
        place: str = "",
        *,
        progress: Progress | None = None,
        **choices: Unpack[JobChoices],
    ) -> JobRecord:
        """Find and cut the input of a job and describe it, without starting it; raises as `submit`."""
        options = options_of(choices)
        found = find_inputs(_words(inputs), self.fs)
        planner = Planner(self._reader, self._share.session(), self._slots(), progress or Silence())
        return planner.plan(program, found, place, options)

    def job(self, ref: str) -> Job:
        """Find a job by its id, the unique beginning of one, a unique name, or `@` for the newest.

        Raises:
            CallerError: there is none, or several.
            WorldError: the answering peer has none in mind, and so many homes are silent that they may hide its record.
        """
        try:
            name = find_job(ref, self.jobs())
        except CallerError:
            name = find_job(ref, self.history())
        return Job(self._connection, self.fs, name)

    def attach(self, ref: str, *, overwrite: bool = False, stdout: BinaryIO | None = None) -> Job:
        """Find a job as `job` does; its `wait` receives the output to where the submitter wanted it.

        Raises:
            CallerError: there is no such job, or several.
        """
        job = self.job(ref)
        place = job.status.output
        job.deliver_to(Delivery(place, self.fs, overwrite=overwrite, stdout=stdout))
        return job

    def rehearsal(self, job: Job, split: int) -> list[str]:
        """Fetch one split of a job, and give the command that runs it again here; raises as `prepare_rehearsal`."""
        return prepare_rehearsal(job.record, split, self._reader)

    def jobs(self) -> tuple[JobStatus, ...]:
        """List the jobs that the answering peer knows, the newest first."""
        return jobs_in_mind(self._connection)

    def history(self) -> tuple[JobStatus, ...]:
        """List the jobs that the ring has a record of, the newest first, however often its peers have died since.

        Raises:
            WorldError: so many homes are silent that they may hide records.
        """
        return all_jobs(self._connection, self.kv.keys(job_key("")))

    def ended_jobs(self, names: Sequence[str], older_than_s: float | None = None) -> tuple[JobStatus, ...]:
        """Choose ended jobs: those named, as `job` finds them, and all that ended longer ago than `older_than_s`.

        Raises:
            CallerError: there is no job of a name, or several, or it has not ended.
            WorldError: as `history`.
        """
        every = self.history()
        named = {find_job(name, every) for name in names}
        for status in every:
            if status.id in named:
                check_ended(status)
        return tuple(
            status
            for status in every
            if status.id in named or (older_than_s is not None and status.state.ended and age_s(status) > older_than_s)
        )

    def remove_job(self, status: JobStatus) -> Removed:
        """Remove an ended job from the history; raises as `remove_job` of `jobs.history`."""
        return remove_job(self._connection, status)

    def peers(self, *, measured: bool = False) -> tuple[PeerView, ...]:
        """List the members of the cluster, as the answering peer sees them.

        When `measured`, each live one is asked itself for its load and the bytes on its disk.
        """
        views = self._connection.ask(ListPeers(), PeersShown).peers
        if not measured:
            return views
        metrics = metrics_of_all(views)
        return tuple(with_load_and_disk(view, metrics) for view in views)

    def ring(self, key: bytes = b"") -> RingShown:
        """Describe the placement, and with a key that key's homes."""
        return self._connection.ask(DescribeRing(key=key), RingShown)

    def moves(self) -> Moves:
        """Give access to who the members are: have them leave, remove them, and plan both."""
        return Moves(self._connection)

    def backup(
        self, directory: str | PathLike[str], *, overwrite: bool = False, progress: Progress | None = None
    ) -> BackupManifest:
        """Copy all keys and files into a local directory; raises as `Backup.take`."""
        return Backup(self._connection).take(Path(directory), overwrite=overwrite, progress=progress)

    def restore(
        self,
        directory: str | PathLike[str],
        *,
        overwrite: bool = False,
        vnodes: Collection[int] = (),
        progress: Progress | None = None,
    ) -> Restored:
        """Bring a backup back, or only what it keeps of some vnodes; raises as `Restore.run`."""
        restore = Restore(self._connection, self._share, overwrite=overwrite)
        return restore.run(Path(directory), progress, vnodes=vnodes)

    def metrics(self) -> MetricsShown:
        """Ask the answering peer what its mechanisms have done and have still to do."""
        return self._connection.ask(ShowMetrics(), MetricsShown)

    def hello(self) -> Welcome:
        """Ask the answering peer who it is."""
        return self._connection.ask(Hello(), Welcome)

    def close(self) -> None:
        """Stop serving local files and free the sockets."""
        self._share.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _slots(self) -> int:
        return sum(view.member.workers for view in self.peers() if view.liveness is Liveness.ALIVE)


def find_job(ref: str, statuses: Sequence[JobStatus]) -> str:
    """Choose the id of the job that a JOB word means, among `statuses`, the newest first.

    Raises:
        CallerError: none is meant, or several.
    """
    if ref == NEWEST:
        if not statuses:
            raise CallerError("there is no job yet; submit one with `murmur submit`")
        return statuses[0].id
    exact = [status.id for status in statuses if status.id == ref]
    named = [status.id for status in statuses if status.name == ref]
    begun = [status.id for status in statuses if ref and status.id.startswith(ref)]
    for found in (exact, named, begun):
        if len(found) == 1:
            return found[0]
        if found:
            raise CallerError(f"{ref!r} means {len(found)} jobs: {', '.join(found[:5])}; give more of the id")
    raise CallerError(f"no job {ref!r}; see `murmur jobs`")


def _urls_of(cluster: Cluster | str | Sequence[str] | None) -> Sequence[str]:
    if cluster is None:
        return ()
    if isinstance(cluster, str):
        return tuple(word for word in cluster.split(",") if word)
    return cluster if isinstance(cluster, Sequence) else cluster.urls


def _words(inputs: Words) -> list[str]:
    return [fspath(inputs)] if isinstance(inputs, str | PathLike) else [fspath(word) for word in inputs]
