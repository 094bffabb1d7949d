"""Judge from a job's replica what a tracker may propose: the seal of the map phase, and how the job ended."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ..claims.board import Board
from ..claims.lots import attempt_lot
from ..claims.table import Row
from ..jobs import JobEnding, JobRecord, JobState, Phase, TaskReport, UserError
from ..messages import Attempt, MapSeal, Stage, Winner
from .skipping import charged, errors_of

COUNTERS_MAX = 128
SIDE_FILES_MAX = 5000
"""Side files of a job: the ending that lists them is one value of at most 1 MiB."""
_INT64 = (1 << 63) - 1

LOAD_ERRORS = frozenset(
    {
        "SyntaxError",
        "IndentationError",
        "TabError",
        "ImportError",
        "ModuleNotFoundError",
        "BadProgram",
        "UnknownFormat",
    }
)
"""Errors of the program as a whole, where no record is to blame: another attempt would meet them again."""

NONDETERMINISTIC = "NonDeterministicProgram"
NONDETERMINISM_HINT = (
    "map must give the same pairs for the same input every time: "
    "no clock, no chance, no order of a set, no state from outside"
)


def user_fault(record: JobRecord, row: Row) -> UserError | None:
    """Give the error that fails the job for one task: the budget of attempts is used up, or no attempt can succeed."""
    errors = errors_of(row)
    hopeless = [error for error in errors if is_load_error(error)]
    if hopeless:
        return hopeless[0]
    return errors[-1] if errors and len(charged(record, errors)) >= record.spec.max_attempts else None


def is_load_error(error: UserError) -> bool:
    """Tell whether user code could not even be loaded."""
    return error.kind in LOAD_ERRORS and not error.record


def nondeterminism(task: int, row: Row, sealed: Winner) -> UserError | None:
    """Tell that a split which had to be made again came out otherwise than it was sealed."""
    if all(account.stage is not Stage.DONE for account in row.values()):
        return None
    name = sealed.digest.hex()[:12]
    message = f"split {task} was sealed as {name}, its output is lost, and made again it came out different"
    return UserError(kind=NONDETERMINISTIC, message=message, hint=NONDETERMINISM_HINT)


def unlike(row: Row) -> tuple[Attempt, Attempt] | None:
    """Find two attempts at a task that came out differently: the program goes by chance."""
    done = sorted(attempt for attempt in row if row[attempt].report is not None)
    digests = {attempt: report.digest for attempt in done if (report := row[attempt].report) is not None}
    return next(((done[0], other) for other in done if digests[other] != digests[done[0]]), None)


def best_attempt(job: str, phase: Phase, task: int, standing: Sequence[Attempt]) -> Attempt | None:
    """Choose among attempts whose output stands the one that every peer would choose."""
    if len(standing) < 2:  # as a rule; drawing lots takes longer than all else that a claim brings about
        return standing[0] if standing else None
    return min(standing, key=lambda attempt: attempt_lot(job, phase, task, attempt))


def seal_of(board: Board) -> MapSeal | None:
    """Seal the map phase: for each split the attempt that counts; None while a split is not done."""
    winners = []
    for split in range(len(board.cells)):
        result = board.results.get(split)
        if result is None or result.report is None:
            return None
        winners.append(Winner(result.attempt, result.report.digest))
    return MapSeal(tuple(winners))


def success_of(reports: Sequence[TaskReport | None], tasks: int) -> JobEnding | None:
    """End the job well, given its counted reports, those of the final `tasks` first; None while one is to come."""
    known = [report for report in reports if report is not None]
    parts = tuple(report.part for report in known[:tasks] if report.part is not None)
    if len(known) != len(reports) or len(parts) != tasks:
        return None
    maps = known[tasks:] or known
    side = tuple(file for report in known for file in report.side)
    if len(side) > SIDE_FILES_MAX:
        message = f"the job's attempts have written {len(side)} side files; at most {SIDE_FILES_MAX} can be kept"
        return JobEnding(JobState.FAILED, error=UserError(kind="TooManySideFiles", message=message))
    return JobEnding(
        JobState.DONE,
        parts=parts,
        side=side,
        counters=summed_counters(known),
        records=sum(report.records_in for report in maps),
        bytes=sum(report.bytes_in for report in maps),
    )


def summed_counters(reports: Iterable[TaskReport]) -> dict[str, int]:
    """Add up counters, by name, kept within what a message may carry."""
    total: Counter[str] = Counter()
    for report in reports:
        total.update(report.counters)
    return bounded(total)


def bounded(counters: Mapping[str, int]) -> dict[str, int]:
    """Keep counters within what a message may carry."""
    return {name: max(-_INT64, min(_INT64, counters[name])) for name in sorted(counters)[:COUNTERS_MAX]}


def side_name(phase: Phase, task: int, name: str) -> str:
    """Name a side file in the output: hidden, so that who reads the directory as input reads the parts alone."""
    stem, dot, suffix = name.partition(".")
    return f"_{stem}-{_letter(phase)}-{task:05d}{dot}{suffix}"


def part_name(record: JobRecord, phase: Phase, task: int) -> str:
    """Name a part of the output."""
    if record.spec.output_names == "padi":
        return f"{task + 1}.out"
    return f"part-{_letter(phase)}-{task:05d}"


def _letter(phase: Phase) -> str:
    return "m" if phase is Phase.MAP else "r"
