"""Count keys with concurrent values, as clients meet them: many are the sign of a writer that does not read first."""

from ..ring.effects import Answer, GetDone, PutDone


class Siblings:
    """The answers to clients that told of more than one value, and the most values of one key among them."""

    def __init__(self) -> None:
        self._met = 0
        self._most = 0

    def note(self, answer: Answer) -> None:
        """Take note of what a client is told; only answers about one key count."""
        match answer:
            case GetDone(siblings=siblings):
                count = sum(sibling.value is not None for sibling in siblings)
            case PutDone(siblings=count):
                pass
            case _:
                return
        self._met += count > 1
        self._most = max(self._most, count)

    def metrics(self) -> dict[str, float]:
        """Give both counts."""
        return {"siblings.met": self._met, "siblings.most": self._most}
