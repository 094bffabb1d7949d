"""What link rules do to messages between peers: on their way out, on their way in, and to nobody else's."""

import asyncio
import random
from collections.abc import Mapping

import pytest

from murmuration.node.gate.neighbours import Neighbours
from murmuration.node.gate.orders import Direction, LinkRule
from murmuration.node.gate.rules import read_rules
from murmuration.node.gate.tally import Tally
from murmuration.node.gate.transport import GatedTransport
from murmuration.node.transport.control import ControlTransport
from murmuration.node.wire.codec import decode_peer, encode_peer, encode_request
from murmuration.node.wire.requests import Hello
from murmuration.ring.errors import CallerError
from murmuration.ring.facts import Liveness, Update
from murmuration.ring.messages import Message, Ping, PushPull
from murmuration.ring.terms import Member, PeerId

ANY = "tcp://127.0.0.1:0"
OTHER, ME, STRANGER = PeerId("a" * 32), PeerId("b" * 32), PeerId("c" * 32)


def member(peer: PeerId, url: str) -> Member:
    return Member(id=peer, name=peer[:4], url=url, bulk_url="tcp://127.0.0.1:9", host="h", directory="/d")


def update(peer: PeerId, url: str) -> Update:
    return Update(member=member(peer, url), liveness=Liveness.ALIVE, incarnation=1)


def frame(number: int, sender: PeerId = OTHER) -> bytes:
    return encode_peer(sender, ME, Ping(sequence=number, target=ME))


def number_of(heard: bytes) -> int:
    message = decode_peer(heard)[1]
    assert isinstance(message, Ping)
    return message.sequence


class Ends:
    """A peer behind a gate, and one without, that know each other."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.heard_behind_gate: list[bytes] = []
        self.broken: list[str] = []
        self.tally = Tally()
        self.plain = ControlTransport(ANY, lambda batch: self.heard.extend(f for _, f in batch), lambda _: None)
        neighbours = Neighbours()
        neighbours.meet(self.members)
        self.gated = GatedTransport(
            ANY,
            lambda batch: self.heard_behind_gate.extend(f for _, f in batch),
            self.broken.append,
            neighbours=neighbours,
            tally=self.tally,
            rng=random.Random(1),
        )

    def members(self) -> Mapping[PeerId, Update]:
        return {OTHER: update(OTHER, self.plain.url)}

    def rule(self, direction: Direction = Direction.TO, **what: object) -> None:
        url = self.plain.url.replace("127.0.0.1", "localhost")
        self.gated.order(read_rules([LinkRule(url=url, direction=direction, **what)]))

    def send(self, count: int) -> None:
        for number in range(count):
            self.gated.send(self.plain.url, frame(number))

    @property
    def numbers(self) -> list[int]:
        return [number_of(each) for each in self.heard]


def play(scene) -> None:
    async def run() -> None:
        ends = Ends()
        try:
            await scene(ends)
        finally:
            ends.gated.close()
            ends.plain.close()

    asyncio.run(run())


async def until(condition) -> None:
    async with asyncio.timeout(4):
        while not condition():
            await asyncio.sleep(0.001)


def now() -> float:
    return asyncio.get_running_loop().time()


def test_gate_without_rules_lets_all_through_and_counts():
    async def scene(ends: Ends) -> None:
        ends.send(20)
        await until(lambda: len(ends.heard) == 20)
        assert ends.numbers == list(range(20))
        assert (ends.tally.messages_out, ends.tally.bytes_out) == (20, sum(map(len, ends.heard)))
        ends.plain.send(ends.gated.url, frame(1))
        await until(lambda: ends.tally.messages_in == 1)
        assert (ends.tally.bytes_in, ends.tally.dropped) == (len(frame(1)), 0)

    play(scene)


def test_cut_outward_link_drops_all_until_it_is_lifted():
    async def scene(ends: Ends) -> None:
        ends.rule(cut=True, delay_s=60.0)
        ends.send(10)
        ends.rule(cut=False)
        ends.gated.order({})
        ends.gated.send(ends.plain.url, frame(99))
        await until(lambda: ends.heard)
        assert ends.numbers == [99]
        assert (ends.tally.dropped, ends.tally.messages_out) == (10, 1)

    play(scene)


def test_share_of_loss_is_lost_and_share_of_duplication_comes_twice():
    async def scene(ends: Ends) -> None:
        ends.rule(loss=0.5)
        ends.send(200)
        assert 60 < ends.tally.dropped < 140
        ends.rule(duplication=1.0)
        ends.send(3)
        ends.gated.order({})
        ends.gated.send(ends.plain.url, frame(999))
        await until(lambda: 999 in ends.numbers)
        assert ends.numbers[-7:-1] == [0, 0, 1, 1, 2, 2]

    play(scene)


def test_delay_keeps_the_order_and_jitter_does_not():
    async def scene(ends: Ends) -> None:
        began = now()
        ends.rule(delay_s=0.1)
        ends.send(50)
        await until(lambda: len(ends.heard) == 50)
        assert now() - began >= 0.1
        assert ends.numbers == list(range(50))
        ends.heard.clear()
        ends.rule(jitter_s=0.05)
        ends.send(50)
        await until(lambda: len(ends.heard) == 50)
        assert ends.numbers != sorted(ends.numbers) == list(range(50))

    play(scene)


def test_bandwidth_makes_messages_queue():
    async def scene(ends: Ends) -> None:
        size = len(frame(0))
        began = now()
        ends.rule(bytes_per_s=size * 100)
        ends.send(20)
        await until(lambda: len(ends.heard) == 20)
        assert now() - began >= 0.2
        assert ends.numbers == list(range(20))

    play(scene)


def test_messages_under_way_are_lost_by_a_cut_and_hurried_by_its_lifting():
    async def scene(ends: Ends) -> None:
        ends.rule(delay_s=60.0)
        ends.send(5)
        ends.rule(cut=True)
        assert ends.tally.dropped == 5
        ends.rule(delay_s=60.0)
        ends.send(3)
        ends.gated.order({})
        await until(lambda: len(ends.heard) == 3)

    play(scene)


def test_cut_inward_link_drops_what_that_peer_says_and_nothing_else():
    async def scene(ends: Ends) -> None:
        ends.rule(Direction.FROM, cut=True)
        ends.plain.send(ends.gated.url, frame(1))
        ends.plain.send(ends.gated.url, frame(2, sender=STRANGER))
        ends.plain.send(ends.gated.url, encode_request("r", Hello()))
        ends.plain.send(ends.gated.url, b"nonsense")
        await until(lambda: len(ends.heard_behind_gate) == 3)
        assert number_of(ends.heard_behind_gate[0]) == 2
        assert ends.tally.dropped == 1
        ends.send(1)
        await until(lambda: ends.heard)

    play(scene)


def test_new_peer_at_the_address_of_a_cut_one_cannot_join_through_the_cut():
    async def scene(ends: Ends) -> None:
        ends.rule(Direction.FROM, cut=True)
        table: Message = PushPull(vnodes=8, members=(update(STRANGER, ends.plain.url),), reply_wanted=True)
        ends.plain.send(ends.gated.url, encode_peer(STRANGER, "", table))  # type: ignore[arg-type]
        ends.plain.send(ends.gated.url, encode_request("r", Hello()))
        await until(lambda: ends.heard_behind_gate)
        assert ends.tally.dropped == 1
        assert len(ends.heard_behind_gate) == 1

    play(scene)


def test_rule_for_bulk_only_leaves_messages_alone():
    async def scene(ends: Ends) -> None:
        ends.rule(cut=True, bulk_only=True)
        ends.send(1)
        await until(lambda: ends.heard)

    play(scene)


def test_death_of_the_other_process_is_not_seen_across_a_cut():
    async def scene(ends: Ends) -> None:
        ends.send(1)
        await until(lambda: ends.heard)
        ends.rule(cut=True)
        ends.gated._broken(ends.plain.url)
        assert ends.broken == []
        ends.gated.order({})
        ends.gated._broken(ends.plain.url)
        assert ends.broken == [ends.plain.url]

    play(scene)


def test_two_rules_for_one_link_and_direction_are_refused():
    rules = [LinkRule(url=f"tcp://{host}:5", direction=Direction.TO) for host in ("localhost", "127.0.0.1")]
    with pytest.raises(CallerError, match="two rules"):
        read_rules(rules)
