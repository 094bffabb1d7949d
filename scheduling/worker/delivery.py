"""Replicate a finished attempt's output in the ring, piece by piece, before the attempt counts as done."""

from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from ...ring.terms import Instant
from ..claims.slots import Delivery, Running
from ..desk import Desk
from ..effects import OUTPUT_COPIES, PlaceChunk
from ..events import AttemptFinished, ChunkSettled, LocalOutput
from ..jobs import ChunkRef, StoredFile, TaskReport
from ..replica.verdicts import part_name, side_name

PART = ""
"""What the part is called among the files of an attempt."""


class Deliveries:
    """Places outputs, and makes the report whole when all of one attempt's are placed."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._placed = 0

    def begin(self, running: Running, event: AttemptFinished) -> TaskReport | None:
        """Begin to place an attempt's outputs; give the whole report if there are none."""
        files = [(PART, _filled(event.outputs)), *((side.name, _filled(side.pieces)) for side in event.side)]
        outputs = tuple(output for _, some in files for output in some)
        named = tuple((name, len(some)) for name, some in files)
        running.delivery = Delivery(report=event.report, outputs=outputs, files=named)
        for place in range(len(outputs)):
            self._place(running, running.delivery, place)
        return self._report(running, running.delivery)

    def _place(self, running: Running, delivery: Delivery, place: int) -> None:
        self._placed += 1
        request = f"{running.attempt.title}/{self._placed}"
        delivery.waiting[request] = place
        output = delivery.outputs[place]
        self._desk.emit(
            PlaceChunk(
                request=request,
                digest=output.digest,
                size=output.size,
                source=output.source,
                copies=self._copies(running, delivery, place),
            )
        )

    def settled(self, running: Running, event: ChunkSettled) -> TaskReport | None:
        """Note how one placing ended; give the whole report if it was the last."""
        delivery = running.delivery
        if delivery is None:
            return None
        place = delivery.waiting.pop(event.request)
        if event.error:
            delivery.failed.append(place)
            delivery.error = event.error
        return self._report(running, delivery)

    def retry(self, running: Running) -> bool:
        """Place again what failed, after ever longer rests; tell False once that was tried too often.

        Full disks refuse at once, so without rests all tries would be over before anybody could make room.
        """
        delivery, settings = running.delivery, self._desk.settings
        if delivery is None or not delivery.failed or self._desk.now < delivery.rests_until:
            return True
        delivery.tries += 1
        if delivery.tries >= settings.placement_tries_max:
            return False
        rest_s = min(settings.backoff_max_s, settings.track_interval_s * 2**delivery.tries)
        delivery.rests_until = Instant(self._desk.now + rest_s)
        failed, delivery.failed = delivery.failed, []
        for place in failed:
            self._place(running, delivery, place)
        return True

    def _report(self, running: Running, delivery: Delivery) -> TaskReport | None:
        if delivery.waiting or delivery.failed:
            return None
        part, *side = self._files(running, delivery)
        has_part = self._is_final(running) or part.chunks
        return msgspec.structs.replace(delivery.report, part=part if has_part else None, side=tuple(side))

    def _files(self, running: Running, delivery: Delivery) -> Iterator[StoredFile]:
        """Put the chunks together to files, of which the part is the first."""
        outputs = iter(delivery.outputs)
        for name, count in delivery.files:
            chunks = tuple(ChunkRef(each.digest, each.size, each.newlines) for each in islice(outputs, count))
            yield StoredFile(self._name(running, name), sum(chunk.size for chunk in chunks), chunks)

    def _name(self, running: Running, name: str) -> str:
        if name == PART and not self._is_final(running):
            return ""
        if name == PART:
            return part_name(self._desk.jobs[running.job].record, running.phase, running.task)
        return side_name(running.phase, running.task, name)

    def _is_final(self, running: Running) -> bool:
        return running.phase is self._desk.jobs[running.job].final

    def _copies(self, running: Running, delivery: Delivery, place: int) -> int:
        """Tell how many copies an output needs: a run as many as the job wants, all else as every output."""
        (_, pieces_of_part), *_ = delivery.files
        if self._is_final(running) or place >= pieces_of_part:
            return OUTPUT_COPIES
        return running.start.record.spec.intermediate_replicas


def _filled(outputs: Iterable[LocalOutput]) -> list[LocalOutput]:
    return [output for output in outputs if output.size > 0]
