"""A register promises one value for ever, whatever is lost, doubled, late or dead, and that a minority waits."""

import heapq
import itertools
import random
from collections import defaultdict
from collections.abc import Callable

import pytest

from murmuration.ring.copies.replica import apply
from murmuration.ring.effects import Completed, Decided, Operate, RingEffect, Send, WakeAt
from murmuration.ring.errors import InvariantBroken
from murmuration.ring.events import DecisionRequested, MessageReceived, OperationDone, RequestDue
from murmuration.ring.facts import Ballot
from murmuration.ring.messages import Accept, Accepted, FetchVersions, Prepare, Promised
from murmuration.ring.operations import AcceptBallot, Operation, PromiseBallot
from murmuration.ring.outcomes import AcceptorState, Noted, StoreFailed
from murmuration.ring.requests.registers import RegisterEvent, Registers, RegisterSettings
from murmuration.ring.terms import Instant, PeerId

KEY = b"job/1/seal"
SETTINGS = RegisterSettings()


def peer(number: int) -> PeerId:
    return PeerId(f"{number:032x}")


class World:
    """Peers with durable stores on a bad network in virtual time; it notes every value that a majority accepts."""

    def __init__(self, seed: int, peers: int, acceptors: int) -> None:
        self.chance = random.Random(seed)
        self.loss = self.doubling = self.straggling = 0.0
        self.delay_s = 0.05
        self.now = 0.0
        self.acceptors = tuple(peer(number) for number in range(acceptors))
        self.stores: dict[PeerId, dict[bytes, bytes]] = {peer(number): {} for number in range(peers)}
        self.machines: dict[PeerId, Registers] = {}
        self.lives = dict.fromkeys(self.stores, 0)
        self.decided: dict[str, bytes | None] = {}
        self.votes: dict[tuple[bytes, Ballot, bytes], set[PeerId]] = defaultdict(set)
        self.chosen: dict[bytes, set[bytes]] = defaultdict(set)
        self._queue: list[tuple[float, int, PeerId, int | None, RegisterEvent | Operate]] = []
        self._order = itertools.count()
        self._tickets = itertools.count()
        for each in self.stores:
            self.start(each)

    def start(self, who: PeerId) -> None:
        self.lives[who] += 1
        rng = random.Random(self.chance.getrandbits(64))
        self.machines[who] = Registers(who, self._tickets, SETTINGS, rng)

    def crash(self, who: PeerId) -> None:
        self.machines.pop(who, None)

    def propose(self, who: PeerId, request: str, value: bytes, key: bytes = KEY) -> None:
        event = DecisionRequested(request=request, key=key, value=value, acceptors=self.acceptors)
        self._happen(who, event)

    def ask(self, who: PeerId, request: str, key: bytes = KEY) -> None:
        self._happen(who, DecisionRequested(request=request, key=key, value=None, acceptors=self.acceptors))

    def run(self, until: Callable[[], bool], limit_s: float) -> bool:
        """Play events until the condition holds, for at most so many seconds of virtual time."""
        deadline = self.now + limit_s
        while not until():
            if not self._queue or self._queue[0][0] > deadline:
                self.now = deadline
                return False
            self.now, _, who, life, event = heapq.heappop(self._queue)
            if who in self.machines and life in (None, self.lives[who]):
                self._happen(who, event)
        return True

    def rest(self, seconds: float) -> None:
        """Play all events of so many seconds."""
        self.run(lambda: False, limit_s=seconds)

    def decides(self, *requests: str, limit_s: float = 300.0) -> bool:
        """Play events until all these requests have their answer."""
        return self.run(lambda: self.decided.keys() >= set(requests), limit_s)

    def _happen(self, who: PeerId, event: RegisterEvent | Operate) -> None:
        if isinstance(event, Operate):
            outcome = self._store(who, event.operation)
            self._later(0.01, who, self.lives[who], OperationDone(ticket=event.ticket, outcome=outcome))
            return
        machine = self.machines[who]
        for effect in machine.handle(Instant(self.now), event):
            self._perform(who, effect)
        machine.check()

    def _perform(self, who: PeerId, effect: RingEffect) -> None:
        match effect:
            case Send(to=to, message=message):
                assert to != who
                for _ in range(1 + (self.chance.random() < self.doubling)):
                    if self.chance.random() >= self.loss:
                        slowness = 10 if self.chance.random() < self.straggling else 1
                        self._later(slowness * self.delay_s, to, None, MessageReceived(sender=who, message=message))
            case WakeAt(at=at, event=RequestDue() as event):
                assert self.now <= at <= self.now + SETTINGS.wait_max_s
                heapq.heappush(self._queue, (at, next(self._order), who, self.lives[who], event))
            case Operate():
                self._later(0.01, who, self.lives[who], effect)
            case Completed(request=request, answer=Decided(value=value)):
                assert request not in self.decided
                self.decided[request] = value
            case _:
                raise AssertionError(effect)

    def _later(self, within_s: float, who: PeerId, life: int | None, event: RegisterEvent | Operate) -> None:
        at = self.now + self.chance.uniform(0.0, within_s)
        heapq.heappush(self._queue, (at, next(self._order), who, life, event))

    def _store(self, who: PeerId, operation: Operation) -> object:
        store = self.stores[who]
        writes, outcome = apply(operation, store.get, lambda *_: [])
        store.update(writes)
        if isinstance(operation, AcceptBallot) and outcome.accepted == operation.ballot:
            voters = self.votes[operation.key, operation.ballot, outcome.value]
            voters.add(who)
            if len(voters) > len(self.acceptors) // 2:
                self.chosen[operation.key].add(outcome.value)
                assert len(self.chosen[operation.key]) == 1, f"two values chosen: {self.chosen}"
        return outcome


def shake(world: World, seconds: int) -> None:
    """Crash and restart acceptors and proposers at random, never ending with one down."""
    for _ in range(seconds * 2):
        world.rest(0.5)
        victim = world.chance.choice(list(world.stores))
        if victim in world.machines and world.chance.random() < 0.4:
            world.crash(victim)
        elif victim not in world.machines:
            world.start(victim)
    for each in world.stores:
        if each not in world.machines:
            world.start(each)


@pytest.mark.parametrize("start", range(0, 300, 50))
def test_proposers_on_a_bad_network_all_decide_one_of_their_values(start):
    for seed in range(start, start + 50):
        world = World(seed, peers=6, acceptors=world_size(seed))
        world.loss, world.doubling, world.delay_s = (seed % 4) * 0.1, 0.2, 0.02 + (seed % 5) * 0.1
        proposers = world.chance.sample(list(world.stores), 2 + seed % 2)
        for each in proposers:
            world.propose(each, each, b"value " + each[-1:].encode())
            world.rest(world.chance.uniform(0.0, 0.3))
        assert world.decides(*proposers), seed
        assert set(world.decided.values()) == world.chosen[KEY], seed
        assert world.chosen[KEY] <= {b"value " + each[-1:].encode() for each in proposers}, seed


@pytest.mark.parametrize("start", range(0, 200, 50))
def test_register_keeps_its_value_through_crashes_and_restarts_of_everybody(start):
    for seed in range(start, start + 50):
        world = World(1_000 + seed, peers=6, acceptors=world_size(seed))
        world.loss, world.doubling, world.delay_s = (seed % 3) * 0.1, 0.2, 0.3
        for number, each in enumerate(world.chance.sample(list(world.stores), 3)):
            world.propose(each, f"early {number}", b"early %d" % number)
        shake(world, seconds=6)
        for number, each in enumerate(world.chance.sample(list(world.stores), 2)):
            world.propose(each, f"late {number}", b"late %d" % number)
        assert world.decides("late 0", "late 1"), seed
        assert set(world.decided.values()) == world.chosen[KEY], seed


def world_size(seed: int) -> int:
    return (3, 5, 1, 4)[seed % 4]


@pytest.mark.parametrize("seed", range(20))
def test_minority_decides_nothing_until_the_majority_is_back(seed):
    world = World(seed, peers=3, acceptors=3)
    world.crash(peer(1))
    world.crash(peer(2))
    world.propose(peer(0), "request", b"value")
    assert not world.decides("request", limit_s=600)
    assert not world.chosen
    world.start(peer(1))
    assert world.decides("request", limit_s=5)
    assert world.decided == {"request": b"value"}


@pytest.mark.parametrize("seed", range(100))
def test_value_chosen_by_a_majority_survives_its_proposer(seed):
    world = World(seed, peers=5, acceptors=5)
    world.propose(peer(0), "first", b"first")
    assert world.run(lambda: bool(world.chosen), limit_s=60)
    world.crash(peer(0))
    world.propose(peer(4), "second", b"second")
    assert world.decides("second", limit_s=60)
    assert world.decided["second"] == b"first"


@pytest.mark.parametrize("start", range(0, 400, 100))
def test_proposer_that_restarts_and_asks_for_another_value_never_shares_a_ballot_with_its_past(start):
    for seed in range(start, start + 100):
        world = World(seed, peers=5, acceptors=3)
        world.delay_s, world.straggling = 0.1, 0.3
        world.propose(peer(4), "before", b"before")
        world.rest(world.chance.uniform(0.0, 0.5))
        world.crash(peer(4))
        world.start(peer(4))
        world.propose(peer(4), "after", b"after")
        assert world.decides("after"), seed
        world.rest(2)
        world.propose(peer(3), "witness", b"witness")
        assert world.decides("witness"), seed
        assert set(world.decided.values()) == world.chosen[KEY], seed


def test_requests_of_one_peer_for_one_key_agree_and_for_other_keys_stay_apart():
    world = World(1, peers=3, acceptors=3)
    world.propose(peer(0), "one", b"1")
    world.propose(peer(0), "two", b"2")
    world.propose(peer(0), "other", b"3", key=b"job/1/end")
    assert world.decides("one", "two", "other", limit_s=60)
    assert world.decided["one"] == world.decided["two"]
    assert world.decided["other"] == b"3"


def test_single_acceptor_decides_for_itself_without_a_message():
    world = World(1, peers=1, acceptors=1)
    world.propose(peer(0), "request", b"value")
    assert world.decides("request", limit_s=1)
    assert world.decided == {"request": b"value"}


# --- one machine, step by step ---


def machine(number: int = 0) -> Registers:
    return Registers(peer(number), itertools.count(), SETTINGS, random.Random(1))


def ask(registers: Registers, acceptors: tuple[int, ...] = (1, 2, 3)) -> list[RingEffect]:
    homes = tuple(map(peer, acceptors))
    event = DecisionRequested(request="r", key=KEY, value=b"mine", acceptors=homes)
    return registers.handle(Instant(0.0), event)


def sent(effects: list[RingEffect]) -> Prepare | Accept:
    """Give the one message that all acceptors were sent."""
    messages = {id(effect.message): effect.message for effect in effects if isinstance(effect, Send)}
    (message,) = messages.values()
    return message


def timer(effects: list[RingEffect]) -> WakeAt:
    (wake,) = (effect for effect in effects if isinstance(effect, WakeAt))
    return wake


def answer(registers: Registers, sender: int, message: Promised | Accepted, now: float = 0.1) -> list[RingEffect]:
    return registers.handle(Instant(now), MessageReceived(sender=peer(sender), message=message))


def promise(asked: Prepare, accepted: Ballot | None = None, value: bytes | None = None) -> Promised:
    return Promised(request=asked.request, ballot=asked.ballot, promised=asked.ballot, accepted=accepted, value=value)


def test_proposer_asks_all_acceptors_and_does_its_own_part_without_sending_to_itself():
    effects = ask(machine(), (0, 1, 2))
    assert [effect.to for effect in effects if isinstance(effect, Send)] == [peer(1), peer(2)]
    (own,) = (effect.operation for effect in effects if isinstance(effect, Operate))
    assert own == PromiseBallot(key=KEY, ballot=sent(effects).ballot)
    assert timer(effects).at == SETTINGS.patience_s


def test_proposer_adopts_the_value_of_the_highest_ballot_and_completes_at_the_majority():
    registers = machine()
    asked = sent(ask(registers))
    assert answer(registers, 1, promise(asked, Ballot(round=0, proposer="p"), b"lower")) == []
    accept = sent(answer(registers, 2, promise(asked, Ballot(round=0, proposer="q"), b"higher")))
    assert accept == Accept(request=accept.request, key=KEY, ballot=asked.ballot, value=b"higher")
    granted = Accepted(request=accept.request, ballot=accept.ballot, promised=accept.ballot)
    assert answer(registers, 1, granted) == []
    done = [Completed(request="r", answer=Decided(value=b"higher"))]
    assert answer(registers, 2, granted) == done
    assert answer(registers, 3, granted) == []


def test_doubled_answers_and_answers_of_strangers_make_no_majority():
    registers = machine()
    asked = sent(ask(registers))
    assert answer(registers, 1, promise(asked)) == []
    assert answer(registers, 1, promise(asked)) == []
    assert answer(registers, 4, promise(asked)) == []
    assert sent(answer(registers, 3, promise(asked))).value == b"mine"


def test_answers_of_the_first_phase_count_for_nothing_in_the_second():
    registers = machine()
    asked = sent(ask(registers))
    answer(registers, 1, promise(asked))
    accept = sent(answer(registers, 2, promise(asked)))
    assert answer(registers, 3, promise(asked)) == []
    forged = Promised(request=accept.request, ballot=accept.ballot, promised=accept.ballot, accepted=None, value=None)
    assert answer(registers, 1, forged) == answer(registers, 2, forged) == answer(registers, 3, forged) == []


def test_refused_proposer_pauses_then_goes_above_the_ballot_that_refused_it():
    registers = machine()
    asked = sent(ask(registers))
    higher = Ballot(round=7, proposer="q")
    refused = Promised(request=asked.request, ballot=asked.ballot, promised=higher, accepted=None, value=None)
    pause = timer(answer(registers, 1, refused))
    assert 0.1 <= pause.at <= 0.1 + SETTINGS.backoff_s
    assert answer(registers, 2, promise(asked)) == []
    again = sent(registers.handle(pause.at, pause.event))
    assert again.ballot.round == 8
    assert again.request != asked.request


def test_unanswered_proposer_asks_all_again_for_ever_with_waits_that_stay_capped():
    registers = machine()
    effects, rounds = ask(registers), []
    for _ in range(2_000):
        rounds.append(sent(effects).ballot.round)
        assert len([effect for effect in effects if isinstance(effect, Send)]) == 3
        late = timer(effects)
        pause = timer(registers.handle(late.at, late.event))
        effects = registers.handle(pause.at, pause.event)
        assert late.at <= pause.at <= late.at + SETTINGS.wait_max_s
        assert pause.at < timer(effects).at <= pause.at + SETTINGS.wait_max_s
        registers.check()
    assert rounds == list(range(1, 2_001))


def test_timers_of_finished_steps_and_of_other_requests_do_nothing():
    registers = machine()
    effects = ask(registers)
    answer(registers, 1, promise(sent(effects)))
    answer(registers, 2, promise(sent(effects)))
    assert registers.handle(Instant(0.5), timer(effects).event) == []
    assert registers.handle(Instant(0.5), RequestDue(request="r")) == []


def test_acceptor_answers_the_sender_only_after_its_store_has():
    registers = machine()
    ballot = Ballot(round=3, proposer="p")
    (operate,) = registers.handle(
        Instant(0.0),
        MessageReceived(sender=peer(5), message=Accept(request="x", key=KEY, ballot=ballot, value=b"v")),
    )
    assert operate.operation == AcceptBallot(key=KEY, ballot=ballot, value=b"v")
    state = AcceptorState(promised=ballot, accepted=ballot, value=b"v")
    done = OperationDone(ticket=operate.ticket, outcome=state)
    reply = Accepted(request="x", ballot=ballot, promised=ballot)
    assert registers.handle(Instant(0.1), done) == [Send(to=peer(5), message=reply)]
    assert registers.handle(Instant(0.2), done) == []


def test_acceptor_whose_disk_fails_stays_silent():
    registers = machine()
    prepare = Prepare(request="x", key=KEY, ballot=Ballot(round=1, proposer="p"))
    (operate,) = registers.handle(Instant(0.0), MessageReceived(sender=peer(5), message=prepare))
    failed = OperationDone(ticket=operate.ticket, outcome=StoreFailed(reason="disk full"))
    assert registers.handle(Instant(0.1), failed) == []


def test_tickets_and_messages_of_others_do_nothing():
    registers = machine()
    assert registers.handle(Instant(0.0), OperationDone(ticket=99, outcome=Noted())) == []
    assert answer(registers, 1, FetchVersions(request="f", key=b"k")) == []


def test_outcome_of_the_wrong_kind_for_an_own_ticket_is_a_broken_invariant():
    registers = machine()
    prepare = Prepare(request="x", key=KEY, ballot=Ballot(round=1, proposer="p"))
    (operate,) = registers.handle(Instant(0.0), MessageReceived(sender=peer(5), message=prepare))
    with pytest.raises(InvariantBroken):
        registers.handle(Instant(0.1), OperationDone(ticket=operate.ticket, outcome=Noted()))


@pytest.mark.parametrize("acceptors", [(), (1, 1, 2)])
def test_request_without_distinct_acceptors_is_a_broken_invariant(acceptors):
    with pytest.raises(InvariantBroken, match="distinct"):
        ask(machine(), acceptors)


def test_check_names_the_rule_that_a_damaged_proposal_breaks():
    registers = machine()
    asked = sent(ask(registers))
    registers._proposals[asked.request].granted[peer(9)] = promise(asked)
    with pytest.raises(InvariantBroken, match="only acceptors grant"):
        registers.check()


@pytest.mark.parametrize("waits", [{"patience_s": 0.0}, {"backoff_s": -1.0}, {"wait_max_s": 0.2}])
def test_settings_that_cannot_work_are_refused(waits):
    with pytest.raises(ValueError, match="waits"):
        RegisterSettings(**waits)


# --- asking without a value ---


def test_question_about_a_register_that_nobody_has_decided_finds_nothing_and_leaves_nothing() -> None:
    world = World(1, peers=5, acceptors=5)
    world.ask(peer(0), "question")
    assert world.decides("question", limit_s=5)
    assert world.decided == {"question": None}
    assert not any(world.stores.values())


@pytest.mark.parametrize("seed", range(50))
def test_question_after_a_decision_finds_it_whoever_is_dead(seed: int) -> None:
    world = World(seed, peers=6, acceptors=5)
    world.loss, world.doubling = 0.2, 0.2
    world.propose(peer(0), "first", b"value")
    assert world.run(lambda: bool(world.chosen), limit_s=60)
    for victim in world.chance.sample(world.acceptors, 2):
        world.crash(victim)
    world.ask(peer(5), "question")
    assert world.decides("question", limit_s=600)
    assert world.decided["question"] == b"value"


@pytest.mark.parametrize("seed", range(50))
def test_question_that_finds_a_value_at_a_minority_decides_it_or_says_that_there_is_none(seed: int) -> None:
    """What it says is true for ever: another value can be decided only if it has said that there is none."""
    world = World(seed, peers=5, acceptors=5)
    ballot = Ballot(round=1, proposer="dead")
    majority = world.chance.sample(world.acceptors, 3)
    for each in majority:
        world._store(each, PromiseBallot(key=KEY, ballot=ballot))
    for each in majority[: 1 + seed % 2]:
        world._store(each, AcceptBallot(key=KEY, ballot=ballot, value=b"half done"))
    world.ask(peer(0), "question")
    assert world.decides("question", limit_s=60)
    world.propose(peer(1), "later", b"later")
    assert world.decides("later", limit_s=60)
    assert world.decided["question"] in (None, world.decided["later"])
    if world.decided["question"] is not None:
        assert world.chosen[KEY] == {b"half done"}


@pytest.mark.parametrize("seed", range(30))
def test_question_disturbs_no_proposal_of_others(seed: int) -> None:
    world = World(seed, peers=5, acceptors=3)
    for number in range(5):
        world.ask(peer(4), f"question {number}")
    world.propose(peer(0), "proposal", b"value")
    assert world.decides("proposal", limit_s=5)
    assert {ballot.round for _, ballot, _ in world.votes if (KEY, ballot, b"value") in world.votes} == {1}


def test_question_of_a_minority_waits_for_the_majority() -> None:
    world = World(3, peers=3, acceptors=3)
    world.crash(peer(1))
    world.crash(peer(2))
    world.ask(peer(0), "question")
    assert not world.decides("question", limit_s=120)
    world.start(peer(1))
    assert world.decides("question", limit_s=5)


def test_acceptor_in_doubt_about_its_disk_answers_no_question() -> None:
    registers = Registers(peer(0), itertools.count(), SETTINGS, random.Random(1))
    prepare = Prepare(request="r", key=KEY, ballot=Ballot(round=0, proposer="p"))
    (operate,) = registers.handle(Instant(0.0), MessageReceived(sender=peer(1), message=prepare))
    assert isinstance(operate, Operate)
    failed = OperationDone(ticket=operate.ticket, outcome=StoreFailed(reason="corrupt"))
    assert registers.handle(Instant(0.0), failed) == []
