"""Ask peers questions and get answers, from whichever peer answers: a silent one is left for the next known one.

A question keeps its request id when it is asked again, and every question is harmless to ask twice (the client chooses
the ids of jobs, chunks are named by content, a write is known by its request id), so a doubt is settled by asking.
Waiting long for an answer does not make a peer silent: it is greeted meanwhile, and it is silent only if it does not
greet back.

Not for use by several threads at once.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Self, TypeVar

from ..node.wire.codec import decode_reply, encode_request
from ..node.wire.replies import ClientReply, KeyConflict, Refused, Welcome
from ..node.wire.requests import ClientRequest, Hello
from ..ring.errors import (
    CallerError,
    Conflict,
    Corrupt,
    MurmurationError,
    RemoteError,
    Unknown,
    Unreachable,
    WorldError,
)
from .addresses import WAY_OUT
from .dealers import Carrier, Dealers

SILENCE_S = 1.0
"""A peer that has said nothing for this long after a question is left; doubles after each round of all known ones."""

SILENCE_S_MAX = 8.0

PATIENCE_S = 15.0
"""Time without a word of any peer, after some had answered, before they count as gone: longer than a failover."""

FIRST_PATIENCE_S = 5.0
"""The same where none has ever answered: most often nothing runs at the address, and the user should hear that soon."""

ANSWER_GRACE_S = 5.0
"""A peer may answer this much later than the question's own patience, before the answer is held to be lost."""

GREETING_EVERY_S = 30.0
"""How often the peer in use is asked which others it knows."""

TICK_S = 0.1
"""Longest wait between two looks at the clock."""

IN_FLIGHT_MAX = 32

TRIES = 3
"""How often to ask for something harmless to repeat when a quorum is missed, as while a death is being noticed."""

QUORUM_MISSED = ("quorum", "unknown")
"""The kinds of refusal that say: too few copies answered in time; of the second, a write may have taken effect."""

_CONFLICT_WITH_WHOM = (
    "unknown whether it was written: the first peer asked fell silent, and what is there now may be this very write; "
    "read the key and decide anew"
)
"""What is said of a conditional put that was asked for twice."""

R = TypeVar("R", bound=ClientReply)


@dataclass(slots=True)
class _Question:
    """A question on its way; `asked_at` is when it was last sent."""

    request: ClientRequest
    frame: bytes
    answer_within_s: float
    asked_at: float
    reply: ClientReply | None = None
    is_repeated: bool = False
    """Whether another peer, or the same one before, may have done what it asks for."""


class Connection:
    """A client's way to the cluster."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        carrier: Carrier | None = None,
        patience_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not urls:
            raise CallerError(f"no address of a peer is given: {WAY_OUT}")
        self._given = tuple(urls)
        self._learned: tuple[str, ...] = ()
        self._carrier = carrier if carrier is not None else Dealers()
        self._first_patience_s = FIRST_PATIENCE_S if patience_s is None else patience_s
        self._patience_s = PATIENCE_S if patience_s is None else patience_s
        self._was_answered = False
        self._clock = clock
        self._names = (f"{root}.{number}" for root in (secrets.token_hex(8),) for number in count(1))
        self._questions: dict[str, _Question] = {}
        self._url = self._given[0]
        self._silence_s = SILENCE_S
        self._left_in_a_row = 0
        self._quiet_since = self._answered_at = self._greeted_at = clock() - GREETING_EVERY_S

    @property
    def url(self) -> str:
        """The address of the peer in use."""
        return self._url

    @property
    def urls(self) -> tuple[str, ...]:
        """All addresses known: those given, then those that peers told of."""
        return tuple(dict.fromkeys((*self._given, *self._learned)))

    def ask(self, request: ClientRequest, expected: type[R], *, tries: int = 1) -> R:
        """Ask one question and wait for its answer, which is of the kind `expected`.

        With `tries` above 1 a missed quorum is tried again, as another request.

        Raises:
            Unreachable: no known peer answers.
            Unknown: too few copies of a write were acknowledged in time; it may take effect all the same.
            Conflict: a conditional put was not written, for something else is there.
            WorldError: the peer could not do it, as when a quorum is missed; nothing was written.
            CallerError: the peer refuses because it was asked for something wrong.
            RemoteError: the peer breaks the protocol.
        """
        return next(reply for _, reply in self.ask_all((request,), expected, tries=tries))

    def ask_all(
        self,
        requests: Iterable[ClientRequest],
        expected: type[R],
        *,
        tries: int = 1,
        in_flight: int = IN_FLIGHT_MAX,
    ) -> Iterator[tuple[int, R]]:
        """Ask many questions, several at a time, and give each answer with its question's number as it comes.

        Requests are taken from the iterable only as fast as answers come. Raises as `ask`; the other questions are
        then given up.
        """
        waiting: dict[str, tuple[int, int]] = {}
        numbered = enumerate(requests)
        more = True
        try:
            while more or waiting:
                while more and len(waiting) < in_flight:
                    number, request = next(numbered, (-1, None))
                    more = request is not None
                    if request is not None:
                        waiting[self._send(request)] = number, tries
                for name in [name for name in waiting if self._questions[name].reply is not None]:
                    number, left = waiting.pop(name)
                    question = self._questions.pop(name)
                    if left > 1 and isinstance(question.reply, Refused) and question.reply.kind in QUORUM_MISSED:
                        waiting[self._send(question.request)] = number, left - 1
                    else:
                        is_repeated = question.is_repeated or left < tries
                        yield number, _checked(question.reply, expected, is_repeated=is_repeated)
                if waiting:
                    self._turn()
        finally:
            for name in waiting:
                self._questions.pop(name, None)

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0:
            arrival = self._carrier.receive(left)
            if arrival is not None:
                self._take(self._clock(), *arrival)

    def move_on(self) -> None:
        """Go on to the next known peer, because the one in use does not know what others may know."""
        self._leave(self._clock())

    def close(self) -> None:
        """Free the sockets."""
        self._carrier.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, request: ClientRequest) -> str:
        now = self._clock()
        if not self._questions:
            self._quiet_since = self._answered_at = now  # nobody owed an answer while nothing was asked
        name = next(self._names)
        frame = encode_request(name, request)
        patience_s = getattr(request, "patience_s", SILENCE_S_MAX)
        self._questions[name] = _Question(
            request=request, frame=frame, answer_within_s=patience_s + ANSWER_GRACE_S, asked_at=now
        )
        if now - self._greeted_at >= GREETING_EVERY_S:
            self._greet(now)
        self._carrier.send(self._url, frame)
        return name

    def _greet(self, now: float) -> None:
        self._greeted_at = now
        self._carrier.send(self._url, encode_request(next(self._names), Hello()))

    def _turn(self) -> None:
        """Take one frame, if one comes soon, and then see who has been silent for too long."""
        arrival = self._carrier.receive(TICK_S)
        now = self._clock()
        if arrival is not None:
            self._take(now, *arrival)
        patience_s = self._patience_s if self._was_answered else self._first_patience_s
        if now - self._answered_at > patience_s:
            raise Unreachable(f"no peer answers within {patience_s:g} s at {_listed(self.urls)}: {WAY_OUT}")
        quiet_s = now - self._quiet_since
        if quiet_s > self._silence_s or any(
            question.reply is None and now - question.asked_at > question.answer_within_s
            for question in self._questions.values()
        ):
            self._leave(now)
        elif quiet_s > self._silence_s / 2 and self._greeted_at < self._quiet_since + self._silence_s / 2:
            self._greet(now)

    def _take(self, now: float, url: str, frame: bytes) -> None:
        """Take in a reply; one that comes late from a peer left before is as good as any."""
        name, reply = decode_reply(frame)
        self._answered_at, self._was_answered = now, True
        if url == self._url:
            self._quiet_since = now
            self._silence_s, self._left_in_a_row = SILENCE_S, 0
        question = self._questions.get(name)
        if question is not None:
            question.reply = question.reply or reply
        elif isinstance(reply, Welcome):
            self._learned = (reply.member.url, *reply.urls)

    def _leave(self, now: float) -> None:
        """Go on to the next known peer and ask it everything that is still open."""
        known = self.urls
        at = known.index(self._url) if self._url in known else -1
        self._url = known[(at + 1) % len(known)]
        self._left_in_a_row += 1
        if self._left_in_a_row % len(known) == 0:
            self._silence_s = min(2 * self._silence_s, SILENCE_S_MAX)
        self._quiet_since = now
        self._greet(now)
        for question in self._questions.values():
            if question.reply is None:
                question.asked_at, question.is_repeated = now, True
                self._carrier.send(self._url, question.frame)


def _checked(reply: ClientReply | None, expected: type[R], *, is_repeated: bool = False) -> R:
    if isinstance(reply, expected):
        return reply
    if isinstance(reply, Refused):
        raise _error_of(reply)
    if isinstance(reply, KeyConflict) and is_repeated:
        raise Unknown(_CONFLICT_WITH_WHOM)
    if isinstance(reply, KeyConflict):
        raise Conflict(_conflict_text(reply), tuple(dict.fromkeys(reply.values)), reply.context)
    raise RemoteError(f"a peer answered with {type(reply).__name__} in place of {expected.__name__}: versions differ?")


def _error_of(refused: Refused) -> MurmurationError:
    """Turn a refusal into the error of whoever is at fault."""
    match refused.kind:
        case "caller":
            return CallerError(refused.reason)
        case "internal" | "protocol":
            return RemoteError(f"the peer failed: {refused.reason}")
        case "unknown":
            return Unknown(refused.reason)
        case "corrupt":
            return Corrupt(refused.reason)
        case _:
            return WorldError(refused.reason)


def _conflict_text(found: KeyConflict) -> str:
    there = f"{len(found.values)} other values are" if len(found.values) > 1 else "another value is"
    return f"not written: {there if found.values else 'a newer delete is'} there; read the key and decide anew"


def _listed(urls: Sequence[str]) -> str:
    return ", ".join(urls[:5]) + (f" and {len(urls) - 5} more" if len(urls) > 5 else "")
