"""Decide a write-once register for good among a fixed set of acceptors: single-decree Paxos (Lamport 2001; CASPaxos).

    phase 1   Prepare(ballot)        ──> acceptors ──> Promised, with what each accepted before
    phase 2   Accept(ballot, value)  ──> acceptors ──> Accepted; the value is that of the highest ballot in phase 1
    refused, or no majority in time  ──> a higher round after a random pause, for ever: a minority waits
    phase 0   Prepare(round 0), by who has no value: promises nothing, and only asks what was accepted

A value that a majority has accepted is chosen: any two majorities share an acceptor, so every later phase 1 sees it.
What an acceptor promises and accepts is the meaning of `PromiseBallot` and `AcceptBallot` in `replica`, durable before
it is answered. No two proposals may ever share a ballot, not even those of one peer before and after a restart, so
each takes its own random name beside the peer's.

Who only asks learns from a majority that nothing was chosen before it asked, or finds what may have been chosen and
proposes that. So the question disturbs no rival, and leaves nothing behind where nothing was there.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import assert_never

from ..effects import Completed, Decided, Operate, RingEffect, Send, WakeAt
from ..errors import InvariantBroken
from ..events import DecisionRequested, MessageReceived, OperationDone, RequestDue
from ..facts import Ballot
from ..messages import Accept, Accepted, Prepare, Promised, RingMessage
from ..operations import AcceptBallot, PromiseBallot
from ..outcomes import AcceptorState, StoreFailed, StoreOutcome
from ..terms import Instant, PeerId

RegisterEvent = DecisionRequested | MessageReceived | OperationDone | RequestDue

DOUBLINGS_MAX = 16
"""Attempts after which a wait grows no more; by then it has long reached its cap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterSettings:
    """Set how long a proposer waits; each wait doubles with every attempt up to `wait_max_s`.

    `patience_s` is how long a phase may last: above a round trip and a durable write, or no round ever ends.
    `backoff_s` is the longest first pause before a new round: pauses are random, so that rivals do not keep meeting.
    """

    patience_s: float = 0.5
    backoff_s: float = 0.1
    wait_max_s: float = 2.0

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: a wait is not positive, or the cap is below the first wait.
        """
        if not all(0.0 < wait_s <= self.wait_max_s for wait_s in (self.patience_s, self.backoff_s)):
            raise ValueError(f"waits must be positive and at most wait_max_s: {self}")


class Phase(Enum):
    """Where a proposal stands."""

    ASKING = auto()
    PREPARING = auto()
    ACCEPTING = auto()
    PAUSING = auto()


@dataclass(slots=True, kw_only=True)
class Proposal:
    """One request on its way to a decision; `value` is the one asked for until a phase finds another."""

    request: str
    key: bytes
    value: bytes | None
    acceptors: tuple[PeerId, ...]
    ballot: Ballot
    phase: Phase = Phase.PAUSING
    attempts: int = 0
    steps: int = 0
    granted: dict[PeerId, Promised | Accepted] = field(default_factory=dict)

    @property
    def step(self) -> str:
        """Name this phase of this round, so that late answers and old timers are told apart from its own."""
        return f"{self.ballot.proposer}.{self.steps}"

    @property
    def majority(self) -> int:
        """Count the acceptors that must grant a phase."""
        return len(self.acceptors) // 2 + 1

    def expects(self, message: Promised | Accepted) -> bool:
        """Tell if an answer is of the kind and the ballot that this phase asked for."""
        kind = Accepted if self.phase is Phase.ACCEPTING else Promised
        return isinstance(message, kind) and message.ballot == self.ballot

    def enter(self, phase: Phase) -> None:
        """Begin a phase with no answers yet."""
        self.phase = phase
        self.steps += 1
        self.granted = {}


class Registers:
    """Proposes values for registers on behalf of this peer, and answers as an acceptor for the proposals of all."""

    def __init__(self, me: PeerId, tickets: Iterator[int], settings: RegisterSettings, rng: random.Random) -> None:
        self._me = me
        self._tickets = tickets
        self._settings = settings
        self._rng = rng
        self._proposals: dict[str, Proposal] = {}
        self._asked: dict[int, tuple[PeerId, Prepare | Accept]] = {}
        self.may_vote = True
        """Whether this peer acts as an acceptor: not while its disk may have lost what it has promised."""

    def handle(self, now: Instant, event: RegisterEvent) -> list[RingEffect]:
        """Take one event, and return what is to be done about it.

        Messages, tickets and timers that are not of a register, or no longer of use, have no effect.

        Raises:
            InvariantBroken: The acceptors of a request are none, or one of them comes twice.
        """
        match event:
            case DecisionRequested():
                return self._begin(now, self._open(event))
            case MessageReceived(sender=sender, message=message):
                return self._receive(now, sender, message)
            case OperationDone(ticket=ticket, outcome=outcome):
                return self._answer(now, ticket, outcome)
            case RequestDue(request=step):
                return self._wake(now, step)
            case _:
                assert_never(event)

    def check(self) -> None:
        """Assert what must always hold.

        Raises:
            InvariantBroken: It does not; the message tells of the proposal.
        """
        for step, proposal in self._proposals.items():
            rules = {
                "a proposal is filed under its step": step == proposal.step,
                "only acceptors grant": proposal.granted.keys() <= set(proposal.acceptors),
                "a majority ends the phase": len(proposal.granted) < proposal.majority,
                "nothing is granted in a pause": proposal.phase is not Phase.PAUSING or not proposal.granted,
            }
            broken = [rule for rule, holds in rules.items() if not holds]
            if broken:
                raise InvariantBroken(f"{'; '.join(broken)}: {proposal}")

    # --- proposer ---

    def _open(self, event: DecisionRequested) -> Proposal:
        if not event.acceptors or len(set(event.acceptors)) < len(event.acceptors):
            raise InvariantBroken(f"register {event.key!r} needs distinct acceptors, not {event.acceptors}")
        name = f"{self._me}.{self._rng.getrandbits(64):016x}"
        return Proposal(
            request=event.request,
            key=event.key,
            value=event.value,
            acceptors=event.acceptors,
            ballot=Ballot(round=0, proposer=name),
        )

    def _begin(self, now: Instant, proposal: Proposal) -> list[RingEffect]:
        if proposal.value is not None:
            return self._prepare(now, proposal)
        proposal.enter(Phase.ASKING)
        return self._ask(now, proposal, Prepare(request=proposal.step, key=proposal.key, ballot=proposal.ballot))

    def _prepare(self, now: Instant, proposal: Proposal) -> list[RingEffect]:
        proposal.ballot = Ballot(round=proposal.ballot.round + 1, proposer=proposal.ballot.proposer)
        proposal.enter(Phase.PREPARING)
        return self._ask(now, proposal, Prepare(request=proposal.step, key=proposal.key, ballot=proposal.ballot))

    def _propose(self, now: Instant, proposal: Proposal, found: list[tuple[Ballot, bytes]]) -> list[RingEffect]:
        """Ask for the acceptance of what may be chosen already, or else of the own value."""
        if found:
            _, proposal.value = max(found)
        if proposal.value is None:
            raise InvariantBroken(f"nothing to propose: {proposal}")
        proposal.enter(Phase.ACCEPTING)
        message = Accept(request=proposal.step, key=proposal.key, ballot=proposal.ballot, value=proposal.value)
        return self._ask(now, proposal, message)

    def _ask(self, now: Instant, proposal: Proposal, message: Prepare | Accept) -> list[RingEffect]:
        effects: list[RingEffect] = []
        for acceptor in proposal.acceptors:
            if acceptor == self._me:
                effects += self._operate(self._me, message)
            else:
                effects.append(Send(to=acceptor, message=message))
        patience_s = self._stretched(self._settings.patience_s, proposal)
        return [*effects, self._file(proposal, Instant(now + patience_s))]

    def _pause(self, now: Instant, proposal: Proposal) -> list[RingEffect]:
        longest_s = self._stretched(self._settings.backoff_s, proposal)
        proposal.attempts += 1
        proposal.enter(Phase.PAUSING)
        return [self._file(proposal, Instant(now + self._rng.uniform(0.0, longest_s)))]

    def _file(self, proposal: Proposal, due: Instant) -> WakeAt:
        self._proposals[proposal.step] = proposal
        return WakeAt(at=due, event=RequestDue(request=proposal.step))

    def _stretched(self, wait_s: float, proposal: Proposal) -> float:
        return min(self._settings.wait_max_s, wait_s * 2.0 ** min(proposal.attempts, DOUBLINGS_MAX))

    def _wake(self, now: Instant, step: str) -> list[RingEffect]:
        proposal = self._proposals.pop(step, None)
        if proposal is None:
            return []
        return self._begin(now, proposal) if proposal.phase is Phase.PAUSING else self._pause(now, proposal)

    def _count(self, now: Instant, sender: PeerId, message: Promised | Accepted) -> list[RingEffect]:
        """Take an acceptor's answer: a refusal ends the round, and a majority ends the phase."""
        proposal = self._proposals.get(message.request)
        if proposal is None or sender not in proposal.acceptors or not proposal.expects(message):
            return []
        if message.promised != proposal.ballot and proposal.phase is not Phase.ASKING:
            del self._proposals[message.request]
            highest = max(message.promised.round, proposal.ballot.round)
            proposal.ballot = Ballot(round=highest, proposer=proposal.ballot.proposer)
            return self._pause(now, proposal)
        proposal.granted[sender] = message
        if len(proposal.granted) < proposal.majority:
            return []
        del self._proposals[message.request]
        return self._advance(now, proposal)

    def _advance(self, now: Instant, proposal: Proposal) -> list[RingEffect]:
        if proposal.phase is Phase.ACCEPTING:
            return [Completed(request=proposal.request, answer=Decided(value=proposal.value))]
        found = [
            (answer.accepted, answer.value)
            for answer in proposal.granted.values()
            if isinstance(answer, Promised) and answer.accepted is not None and answer.value is not None
        ]
        if proposal.phase is not Phase.ASKING:
            return self._propose(now, proposal, found)
        if not found:
            return [Completed(request=proposal.request, answer=Decided(value=None))]
        ballot, proposal.value = max(found)
        proposal.ballot = Ballot(round=ballot.round, proposer=proposal.ballot.proposer)
        return self._prepare(now, proposal)

    # --- acceptor ---

    def _receive(self, now: Instant, sender: PeerId, message: RingMessage) -> list[RingEffect]:
        match message:
            case Prepare() | Accept():
                return self._operate(sender, message)
            case Promised() | Accepted():
                return self._count(now, sender, message)
            case _:
                return []

    def _operate(self, sender: PeerId, message: Prepare | Accept) -> list[RingEffect]:
        if not self.may_vote:
            return []
        ticket = next(self._tickets)
        self._asked[ticket] = (sender, message)
        if isinstance(message, Prepare):
            return [Operate(ticket=ticket, operation=PromiseBallot(key=message.key, ballot=message.ballot))]
        operation = AcceptBallot(key=message.key, ballot=message.ballot, value=message.value)
        return [Operate(ticket=ticket, operation=operation)]

    def _answer(self, now: Instant, ticket: int, outcome: StoreOutcome) -> list[RingEffect]:
        """Answer the proposer; an acceptor whose disk fails stays silent, for it can vouch for nothing."""
        sender, message = self._asked.pop(ticket, (None, None))
        if sender is None or message is None or isinstance(outcome, StoreFailed):
            return []
        if not isinstance(outcome, AcceptorState):
            raise InvariantBroken(f"{message} was answered by {outcome}: an acceptor's step ends in its state")
        answer = _answer_to(message, outcome)
        return self._count(now, sender, answer) if sender == self._me else [Send(to=sender, message=answer)]


def _answer_to(message: Prepare | Accept, state: AcceptorState) -> Promised | Accepted:
    if isinstance(message, Accept):
        return Accepted(request=message.request, ballot=message.ballot, promised=state.promised)
    return Promised(
        request=message.request,
        ballot=message.ballot,
        promised=state.promised,
        accepted=state.accepted,
        value=state.value,
    )
