"""Learn which chunks are named by anybody: ask every member for the names in its own copies, and miss none.

    AskNames ──> every member, page by page ──> NamesTold

A chunk is unnamed only if nobody names it. So every member that was not removed must answer, the dead ones too: they
may hold the only copies of a manifest that was written while others were away. And all must mean the same homes, with
nobody joining or leaving meanwhile, for records on the move may be missed at either end. Else the answer is that it
cannot be told.

What an ended job has decided counts as named while its record is kept. A job is open whose record somebody keeps, and
of which nobody has accepted an ending.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..effects import RingEffect, Send
from ..facts import Standing, Update
from ..messages import AskNames, NamesTold
from ..namespaces import RECORD_PREFIX, REGISTER_PREFIX, ending_register
from ..placement.roster import Roster
from ..terms import Instant, PeerId
from .settings import CollectSettings

_NAMED_MAX = 5


@dataclass(slots=True, kw_only=True)
class _Telling:
    """What a member has told so far: up to the row `after`; and when it last did."""

    heard_at: Instant
    after: bytes = b""
    is_over: bool = False


@dataclass(slots=True, kw_only=True)
class Naming:
    """One survey of all names; `failure` says why it cannot be completed."""

    id: str
    roster: Roster
    members: Mapping[PeerId, Update]
    settings: CollectSettings
    failure: str = ""
    _tellings: dict[PeerId, _Telling] = field(default_factory=dict)
    _names: set[bytes] = field(default_factory=set)
    _decided: dict[bytes, set[bytes]] = field(default_factory=dict)
    """What each ending names, by its register."""
    _records: set[bytes] = field(default_factory=set)
    _homes: bytes = b""
    _asked_at: Instant | None = None

    @property
    def is_over(self) -> bool:
        """Tell whether all have told everything, or it has failed."""
        return bool(self.failure) or all(telling.is_over for telling in self._tellings.values())

    @property
    def next_due(self) -> Instant:
        """Tell when to `wake` it."""
        return Instant((self._asked_at or 0.0) + self.settings.patience_s)

    def begin(self, now: Instant) -> list[RingEffect]:
        """Ask every member for its first page."""
        self._homes = self.roster.homes_print
        members = [peer for peer, held in self.members.items() if held.standing is not Standing.REMOVED]
        self._tellings = {peer: _Telling(heard_at=now) for peer in sorted(members)}
        self._doubt()
        return self._ask_all(now)

    def take(self, now: Instant, sender: PeerId, message: NamesTold) -> list[RingEffect]:
        """Take in a page, and ask for the next one; a page that comes twice counts once."""
        telling = self._tellings.get(sender)
        if self.failure or telling is None or telling.is_over or telling.after != message.after:
            return []
        if message.unreadable:
            self.failure = f"{self._name(sender)} cannot tell what it keeps: {message.unreadable}"
        elif message.homes != self._homes:
            self.failure = "peers do not agree yet on who keeps what: try again in a minute"
        telling.heard_at, telling.after = now, message.next_after
        telling.is_over = not message.next_after
        for key, names in message.entries:
            self._enter(key, names)
        if self.is_over:
            self._doubt()
        return [] if telling.is_over or self.failure else [self._ask(sender, telling)]

    def wake(self, now: Instant) -> list[RingEffect]:
        """Ask those again who were silent, for messages get lost; give up on who is silent for too long."""
        silent = [peer for peer, telling in self._tellings.items() if not telling.is_over]
        late = [peer for peer in silent if now >= self._tellings[peer].heard_at + self.settings.silence_s]
        self._doubt()
        if late and not self.failure:
            self.failure = f"{self._named(late)} did not tell in time what is named there: try again"
        return self._ask_all(now)

    def names(self) -> frozenset[bytes]:
        """Give all names; those of an ending as long as anybody keeps the record of its job."""
        kept = (self._decided.get(ending_register(record), set()) for record in self._records)
        return frozenset(self._names.union(*kept))

    def open_jobs(self) -> frozenset[bytes]:
        """Give the keys of the records of jobs that may still name chunks."""
        return frozenset(record for record in self._records if ending_register(record) not in self._decided)

    def _enter(self, key: bytes, names: tuple[bytes, ...]) -> None:
        if key.startswith(REGISTER_PREFIX):
            self._decided.setdefault(key, set()).update(names)
            return
        self._names.update(names)
        if key.startswith(RECORD_PREFIX):
            self._records.add(key)

    def _doubt(self) -> None:
        """Fail where not all can be asked, or what they say may not be all."""
        away = [peer for peer in self._tellings if not self.roster.alive(peer)]
        if self.failure:
            return
        if away:
            self.failure = (
                f"cannot tell which chunks are named: {self._named(away)} may hold the only copies of some names and "
                "cannot be asked: start them again, or `murmur remove` those that are gone for good"
            )
        elif self.roster.moves or self._homes != self.roster.homes_print:
            self.failure = "peers join or leave just now: try again when they have, see `murmur ring`"

    def _ask_all(self, now: Instant) -> list[RingEffect]:
        self._asked_at = now
        open_ = [] if self.failure else [item for item in self._tellings.items() if not item[1].is_over]
        return [self._ask(peer, telling) for peer, telling in open_]

    def _ask(self, peer: PeerId, telling: _Telling) -> Send:
        return Send(to=peer, message=AskNames(request=self.id, after=telling.after))

    def _named(self, peers: list[PeerId]) -> str:
        return ", ".join(map(self._name, peers[:_NAMED_MAX])) + (" and more" if len(peers) > _NAMED_MAX else "")

    def _name(self, peer: PeerId) -> str:
        return self.members[peer].member.name
