"""Put what went wrong in user code or user data into words for the user: their frames, their record, the way out."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from ....scheduling.jobs import UserError

OWN_FRAMES = __file__.rsplit("/", 2)[0] + "/"
"""Frames of files of the executor are ours; none of them is shown to the user."""

OWN_COLUMN = 0
"""So is a frame that is at nothing from this column to this column: there `inlining` put a statement of ours."""

KIND_MAX = 256
MESSAGE_MAX = 16_384
TRACEBACK_MAX = 32_768
RECORD_MAX = 400
HINT_MAX = 1024

NO_PAIR = "no pair of key and value"
NOT_PAIRS = "map and reduce give pairs of key and value: `yield key, value`, or return a list of such pairs"
NOT_HASHABLE = "a key must be None, a number, a string, bytes or a tuple of these: make it a tuple"


class UserFault(Exception):
    """User code or user data is at fault; `error` says it all."""

    def __init__(self, error: UserError) -> None:
        super().__init__(error.message)
        self.error = error


class BadRecord(Exception):
    """A record does not have the form that the input format promises; `hint` is the way out."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class BadTable(Exception):
    """An Arrow table cannot be used as it is; `hint` is the way out."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class InputUnreadable(Exception):
    """Input or runs are missing, damaged or out of reach, or the disk fails: nobody's fault.

    `splits` are those whose runs are to blame.
    """

    def __init__(self, reason: str, splits: tuple[int, ...] = ()) -> None:
        super().__init__(reason)
        self.splits = splits


def fault(kind: str, message: str, *, hint: str = "", file: str = "", line: int = 0, record: object = "") -> UserFault:
    """Make a fault that comes from no exception of user code."""
    return UserFault(
        UserError(
            kind=printable(kind, KIND_MAX),
            message=printable(message, MESSAGE_MAX),
            file=printable(file, RECORD_MAX),
            line=line,
            record=shorten(record),
            hint=printable(hint, HINT_MAX),
        )
    )


def fault_of(error: BaseException, *, file: str = "", line: int = 0, record: object = "") -> UserFault:
    """Describe an exception that left user code, with the frames of user code only."""
    if isinstance(error, UserFault):
        return error
    told = traceback.TracebackException.from_exception(error)
    frames = _drop_own_frames(told)
    summary = "".join(told.format_exception_only()).strip()
    kind = type(error).__name__
    return UserFault(
        UserError(
            kind=printable(kind, KIND_MAX),
            message=printable(summary.removeprefix(f"{kind}: "), MESSAGE_MAX),
            traceback=printable("".join(told.format()), TRACEBACK_MAX) if frames else "",
            file=printable(file, RECORD_MAX),
            line=line,
            record=shorten(record),
            hint=_hint_for(error, summary, in_user_code=bool(frames)),
        )
    )


@contextmanager
def blaming_user(record: object = "") -> Iterator[None]:
    """Run user code: whatever it raises, SystemExit and KeyboardInterrupt too, becomes a `UserFault`.

    An `InputUnreadable` passes: the values that user code goes through may come from a spill.
    """
    try:
        yield
    except InputUnreadable:
        raise
    except BaseException as error:
        raise fault_of(error, record=record) from error


def printable(text: str, length_max: int) -> str:
    """Make text fit for a frame: no lone surrogates, and the middle left out where it is too long."""
    clean = text.encode("utf-8", "backslashreplace").decode()
    if len(clean) <= length_max:
        return clean
    half = (length_max - 7) // 2
    return f"{clean[:half]}\n[...]\n{clean[-half:]}"


def shorten(record: object) -> str:
    """Show a record or a key in at most 400 characters."""
    if isinstance(record, (str, bytes)):
        record = record[: 2 * RECORD_MAX]
    try:
        text = record if isinstance(record, str) else repr(record)
    except Exception as error:  # noqa: BLE001 - a user's __repr__ may raise anything, and this is said
        text = f"<a {type(record).__name__} whose repr raised {type(error).__name__}>"
    return printable(text[: 2 * RECORD_MAX], RECORD_MAX)


def _drop_own_frames(told: traceback.TracebackException) -> int:
    """Leave our frames out, in the exception's causes too; count those that stay in the exception itself."""
    kept = [frame for frame in told.stack if not _own(frame)]
    told.stack = traceback.StackSummary.from_list(kept)
    for other in (told.__cause__, told.__context__):
        if other is not None:
            _drop_own_frames(other)
    return len(kept)


def _own(frame: traceback.FrameSummary) -> bool:
    return frame.filename.startswith(OWN_FRAMES) or frame.colno == frame.end_colno == OWN_COLUMN


def _hint_for(error: BaseException, summary: str, *, in_user_code: bool) -> str:
    if isinstance(error, (BadRecord, BadTable)):
        return printable(error.hint, HINT_MAX)
    if in_user_code:
        return ""
    if isinstance(error, TypeError) and "unhashable" in summary:
        return NOT_HASHABLE
    if isinstance(error, (TypeError, ValueError)) and "unpack" in summary:
        return NOT_PAIRS
    words = ("not iterable", NO_PAIR)
    return NOT_PAIRS if isinstance(error, TypeError) and any(word in summary for word in words) else ""
