"""Tell a failing schedule in short: shrink it, play it again with its history kept, and draw it as a ladder."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from .cluster import names_of
from .history import History, Kind, Line
from .ladder import ladder
from .plan import Plan, plan_of
from .schedule import Verdict, perform
from .shrinking import TRIES_MAX, promise_of, shrink

LINES_SHOWN_MAX = 60
_BELIEFS = ("Ping", "Ack", "Gossip", "PushPull")
_KEYS = "key/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A failing seed, told: the smaller plan, its verdict, and its ladder."""

    plan: Plan
    verdict: Verdict
    ladder: str

    def __str__(self) -> str:
        """Tell it as a report shows it."""
        plan = self.plan
        size = f"{plan.peers} peers, {plan.splits} splits, {plan.partitions} partitions, {plan.puts} writes"
        return "\n".join([f"shrunk to {size}", *self.verdict.violations, *self.verdict.faults, "", self.ladder])


def tell(seed: int, peers: int = 5, tries: int = TRIES_MAX) -> Story:
    """Shrink a failing seed and draw its story."""
    plan = plan_of(seed, peers)
    promise = promise_of(perform(plan).violations)
    small = shrink(plan, lambda candidate: promise_of(perform(candidate).violations) == promise, tries)
    history = History()
    verdict = perform(small, history)
    text = " ".join(verdict.violations)
    lines = relevant(history.lines, text)
    return Story(plan=small, verdict=verdict, ladder=ladder(lines, names_of(small.peers)))


def relevant(lines: Iterable[Line], violations: str) -> list[Line]:
    """Choose the lines that matter: all faults, and the last messages about what broke."""
    keys = frozenset(line.about for line in lines if line.about and line.about in violations)
    chosen = [line for line in lines if line.kind is not Kind.FAULT and _matters(line, violations[:1], keys)]
    faults = [line for line in lines if line.kind is Kind.FAULT]
    last = list(islice(reversed(chosen), LINES_SHOWN_MAX))
    return sorted([*faults, *last], key=lambda line: line.at)


def _matters(line: Line, letter: str, keys: frozenset[str]) -> bool:
    """Tell whether a line is about what broke: a key for S, the job for J, the beliefs for M."""
    if letter == "M":
        return line.text.startswith(_BELIEFS)
    if letter == "S" and keys:
        return line.about in keys
    return bool(line.about) and not line.about.startswith(_KEYS)
