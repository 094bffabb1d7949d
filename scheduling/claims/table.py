"""Keep a job's claim table: a join-semilattice, so that peers agree in whatever order and however often news comes.

The table maps each task to its attempts, and each attempt to the account that is furthest on. Accounts are totally
ordered by stage, then fraction, then the encoded report, error and time; the join of two is the greater (Shapiro 2011,
state-based CRDTs). Nothing is ever taken out.
"""

from collections.abc import Iterator, Mapping
from enum import IntEnum
from hashlib import blake2b
from types import MappingProxyType

import msgspec

from ..jobs import Phase, TaskReport
from ..messages import Account, Attempt, Claim, Stage

BUCKETS_MIN, BUCKETS_MAX = 16, 1024
TASKS_PER_BUCKET = 8
"""Tables are compared by digests of so many tasks each, as far as `BUCKETS_MAX` goes. While a job is under way, two
tables always differ by what is on its way: the finer the digests, the less travels for each such claim."""

_ENCODER = msgspec.msgpack.Encoder(order="deterministic")

Row = Mapping[Attempt, Account]

_NO_ROW: Row = MappingProxyType({})


class Change(IntEnum):
    """How much a join has changed: nothing, only how far an attempt is, or its stage."""

    NOTHING = 0
    FRACTION = 1
    STAGE = 2


def joined(one: Account, other: Account) -> Account:
    """Join two accounts of one attempt: the one that is further on."""
    if (one.stage, one.fraction) != (other.stage, other.fraction):
        return max(one, other, key=lambda account: (account.stage, account.fraction))
    return max(one, other, key=lambda account: _ENCODER.encode((account.report, account.error, account.ran_ms)))


def report_of(account: Account | None) -> TaskReport | None:
    """Give the report of an attempt that is done and whose output can still be had."""
    return account.report if account is not None and account.stage is Stage.DONE else None


def buckets_of(tasks: int) -> int:
    """Tell into how many pieces a table of so many tasks is cut to be compared: a power of two, alike at all peers."""
    wanted = max(1, -(-tasks // TASKS_PER_BUCKET))
    return min(BUCKETS_MAX, max(BUCKETS_MIN, 1 << (wanted - 1).bit_length()))


class ClaimTable:
    """All that is known of all attempts at one job's tasks."""

    def __init__(self, tasks: int = 0) -> None:
        """Begin with nothing; a phase has `tasks` at the most."""
        self._rows: dict[Phase, dict[int, dict[Attempt, Account]]] = {phase: {} for phase in Phase}
        self._buckets = [0] * buckets_of(tasks)
        self._undigested: dict[tuple[Phase, int, Attempt], Account | None] = {}
        """The accounts that are in the digests of attempts which are further on now; digests are asked for seldom."""
        self.attempts = 0
        self.speculative = 0
        """How many of the attempts are speculative."""

    def join(self, claim: Claim) -> Change:
        """Join one claim into the table."""
        rows = self._rows[claim.phase]
        row = rows.get(claim.task)
        if row is None:
            row = rows[claim.task] = {}
        old = row.get(claim.attempt)
        if old is None:
            self.attempts += 1
            self.speculative += claim.attempt.speculative
            row[claim.attempt] = claim.account
            self._undigested[claim.phase, claim.task, claim.attempt] = None
            return Change.STAGE
        new = old if claim.account == old else joined(old, claim.account)
        if new == old:
            return Change.NOTHING
        row[claim.attempt] = new
        if new.stage is old.stage and new.stage <= Stage.RUNNING:
            return Change.FRACTION
        self._undigested.setdefault((claim.phase, claim.task, claim.attempt), old)
        return Change.STAGE

    def row(self, phase: Phase, task: int) -> Row:
        """Give the attempts at a task with their accounts."""
        return self._rows[phase].get(task, _NO_ROW)

    def account(self, phase: Phase, task: int, attempt: Attempt) -> Account | None:
        """Give the account of one attempt, None if it is not known."""
        return self.row(phase, task).get(attempt)

    def buckets(self) -> tuple[bytes, ...]:
        """Digest the table in pieces; equal digests are equal pieces but for how far running attempts are."""
        for (phase, task, attempt), digested in self._undigested.items():
            entry = _digest(phase, task, attempt, self._rows[phase][task][attempt])
            if digested is not None:
                entry ^= _digest(phase, task, attempt, digested)
            self._buckets[task % len(self._buckets)] ^= entry
        self._undigested.clear()
        return tuple(bucket.to_bytes(8) for bucket in self._buckets)

    def differing(self, theirs: tuple[bytes, ...]) -> Iterator[Claim]:
        """Give the claims in all buckets whose digests are not `theirs`; all claims if there are none to compare."""
        mine = self.buckets()
        count = len(mine)
        wanted = {at for at in range(count) if len(theirs) != count or theirs[at] != mine[at]}
        for phase, rows in self._rows.items():
            for task, row in rows.items():
                if task % count in wanted:
                    for attempt, account in row.items():
                        yield Claim(phase, task, attempt, account)


def _digest(phase: Phase, task: int, attempt: Attempt, account: Account) -> int:
    # All that is under way counts as one, however far it is: else busy tables would never be equal.
    final = account if account.stage > Stage.RUNNING else None
    entry = _ENCODER.encode((phase, task, attempt, final))
    return int.from_bytes(blake2b(entry, digest_size=8).digest())
