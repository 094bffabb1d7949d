"""Sort keys that come in order of the keys into pages of one vnode each, in bounded memory."""

from collections import Counter, defaultdict
from pathlib import Path
from typing import Final

from ....ring.placement.rendezvous import vnode_of
from ....ring.terms import Vnode
from .layout import KeptKey, Page, write_page

PAGE_BYTES: Final = 8 << 20
HELD_BYTES: Final = 64 << 20
"""What is held of all vnodes together; beyond it the fullest one is written early."""


class Pager:
    """Holds the keys of each vnode until they fill a page, and writes it."""

    def __init__(
        self, directory: Path, vnodes: int, *, page_bytes: int = PAGE_BYTES, held_bytes: int = HELD_BYTES
    ) -> None:
        self._directory = directory
        self._vnodes = vnodes
        self._page_bytes = page_bytes
        self._held_bytes = held_bytes
        self._held: defaultdict[Vnode, list[KeptKey]] = defaultdict(list)
        self._sizes: Counter[Vnode] = Counter()
        self._size = 0
        self._pages: defaultdict[Vnode, list[Page]] = defaultdict(list)

    def add(self, kept: KeptKey) -> None:
        """Take a key; keys of one vnode must come in order."""
        vnode, size = vnode_of(kept.key, self._vnodes), len(kept.key) + sum(map(len, kept.values))
        self._held[vnode].append(kept)
        self._sizes[vnode] += size
        self._size += size
        if self._sizes[vnode] >= self._page_bytes:
            self._write(vnode)
        elif self._size >= self._held_bytes:
            self._write(max(self._sizes, key=self._sizes.__getitem__))

    def finish(self) -> tuple[Page, ...]:
        """Write what is held, and list all pages, vnode by vnode."""
        for vnode in list(self._held):
            self._write(vnode)
        return tuple(page for vnode in sorted(self._pages) for page in self._pages[vnode])

    def _write(self, vnode: Vnode) -> None:
        pages = self._pages[vnode]
        pages.append(write_page(self._directory, vnode, len(pages), self._held.pop(vnode)))
        self._size -= self._sizes.pop(vnode)
