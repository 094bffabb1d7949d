"""Play the client of values that end and of conditional puts; what it was promised is judged as S8 and S9."""

import random

from ...node.wire.replies import KeyConflict, KeyGot, KeyPut
from ...node.wire.requests import GetKey, PutKey
from ...ring.facts import Context
from ...ring.terms import Condition, Quorum
from .check_endings import Put, unseen, unsettled
from .cluster import Cluster
from .times import unix_ms
from .workload import Workload

BEGINS_S = 1.0
STEP_EVERY_S = 0.7
KEYS = 2
READ_SHARE = 0.4
CONDITION_SHARE = 0.6
LIVES_S = (0.5, 8.0)
"""The shortest and the longest life of a value."""


class EndingWorkload(Workload):
    """Puts of values that end, some of them only if what was read is still current, and reads."""

    def __init__(self, cluster: Cluster, rng: random.Random, over_s: float, *, is_static: bool = False) -> None:
        """Take the cluster; where it `is_static`, conditions are held to all that W primaries had acknowledged."""
        self._cluster = cluster
        self._rng = rng
        self._over_s = over_s
        self._is_static = is_static
        self._asked: dict[str, tuple[PutKey | GetKey, float, bool]] = {}
        self._puts: list[Put] = []
        self._contexts: dict[bytes, Context] = {}
        self._written = 0
        self._is_founded = False
        """Whether all members of the new cluster have become homes: it was so, or not, when a question was asked."""

    def begin(self) -> None:
        """Have the client step now and then."""
        self._cluster.repeat(self._step, BEGINS_S, STEP_EVERY_S, until=lambda: self.ended)

    @property
    def ended(self) -> bool:
        """Tell whether its time is over."""
        return self._cluster.timeline.now > self._over_s

    @property
    def settled(self) -> bool:
        """Tell whether all ends are set down."""
        return not any(unsettled(self._cluster, self._keys))

    def judge_at_rest(self) -> list[str]:
        """Check S8 and S9 at rest."""
        ignorant = unseen(self._cluster, self._puts) if self._is_static else ()
        return [*unsettled(self._cluster, self._keys), *ignorant]

    def _put(self, question: PutKey, asked_at: float, reply: KeyPut, *, homes_stay: bool) -> Put:
        return Put(
            key=question.key,
            value=question.value,
            asked_at=asked_at,
            known_at=self._cluster.timeline.now,
            is_conditional=question.condition is not Condition.NONE,
            is_at_primaries=homes_stay and reply.primaries >= Quorum().writes_required,
        )

    @property
    def _keys(self) -> list[bytes]:
        return [b"ending/%d" % number for number in range(KEYS)]

    def _step(self) -> None:
        self._take_replies()
        key = self._rng.choice(self._keys)
        if self._rng.random() < READ_SHARE:
            self._ask(GetKey(key=key))
        else:
            self._ask(self._some_put(key))

    def _some_put(self, key: bytes) -> PutKey:
        self._written += 1
        condition = Condition.NONE
        if self._rng.random() < CONDITION_SHARE:
            condition = self._rng.choice((Condition.IF_CURRENT, Condition.IF_ABSENT))
        end = unix_ms(self._cluster.timeline.now + self._rng.uniform(*LIVES_S))
        context = {} if condition is Condition.IF_ABSENT else self._contexts.get(key, {})
        return PutKey(key=key, value=b"ending-%d" % self._written, context=context, expires_at=end, condition=condition)

    def _ask(self, question: PutKey | GetKey) -> None:
        peer = self._rng.choice(sorted(self._cluster.disks))
        self._is_founded = self._is_founded or self._all_are_homes()
        self._asked[self._cluster.ask(peer, question)] = question, self._cluster.timeline.now, self._is_founded

    def _all_are_homes(self) -> bool:
        names = self._cluster.disks.keys()
        views = [process.node.ring.placement.homes for process in self._cluster.running.values()]
        return self._cluster.running.keys() == names and all(len(homes) == len(names) for homes in views)

    def _take_replies(self) -> None:
        for request, (question, asked_at, homes_stay) in list(self._asked.items()):
            reply = self._cluster.replies.pop(request, None)
            if reply is None:
                continue
            del self._asked[request]
            key = question.key
            match reply:
                case KeyPut(context=context) if isinstance(question, PutKey):
                    self._contexts[key] = context
                    self._puts.append(self._put(question, asked_at, reply, homes_stay=homes_stay))
                case KeyConflict(context=context):
                    self._contexts[key] = context
                    self._cluster.witness.note("condition failed")
                case KeyGot(context=context, values=values):
                    self._contexts[key] = context
                    if context and not values:
                        self._cluster.witness.note("value ended")
                case _:
                    pass
