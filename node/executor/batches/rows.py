"""Say what all records have in common that are held many at a time, whether as rows of bytes or as Arrow tables."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, Self, TypeVar


class Rows(Protocol):
    """Some records in a row, each under a key, which can be cut, sorted and searched without making objects of them."""

    def __len__(self) -> int: ...

    @property
    def nbytes(self) -> int:
        """Count the bytes that they take."""

    def part(self, begin: int, end: int) -> Self:
        """Give some adjoining ones."""

    def sorted(self) -> Self:
        """Give all of them in the order of their keys; equal keys keep theirs."""

    def key(self, place: int) -> Any:
        """Give what one is sorted by."""

    def before(self, key: Any, begin: int) -> int:
        """Tell where, from `begin` on, the first key of ascending ones is that is not below this one."""

    def up_to(self, key: Any, begin: int) -> int:
        """Tell where, from `begin` on, the first key of ascending ones is that is above this one."""

    def pairs(self) -> Iterator[tuple[Any, Any]]:
        """Walk through them one by one, as pairs of key and value."""


R = TypeVar("R", bound=Rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowKind(Generic[R]):
    """How rows of a kind lie in a run: `bodies` makes blocks of about so many bytes, each with its number of rows."""

    bodies: Callable[[Iterable[R], int], Iterator[tuple[bytes, int]]]
    of_body: Callable[[bytes], R]
    joined: Callable[[Sequence[R]], R]
    """Puts some that are alike, at least one, into one."""
