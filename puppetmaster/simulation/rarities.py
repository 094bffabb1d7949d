"""Name the rare states that schedules ought to reach: what was never reached was never tested."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

RARITIES: Final = {
    "takeover": "a successor took the tracker role",
    "two trackers": "two peers held the tracker role of one job at one epoch",
    "stale tracker": "a peer spoke of an epoch below one that another had reached",
    "seal proposed twice": "two peers proposed for one register",
    "ballot conflict": "an acceptor refused a ballot for a higher one",
    "duplicate claims": "two live peers worked at one task at once",
    "claimed ahead": "a peer claimed its next task while it was nearly done with another",
    "claimed by the handful": "a peer claimed several short tasks at once",
    "slow task begun once more": "an idle peer speculated on a slow attempt",
    "second attempt overtook": "a speculative attempt at a split was done",
    "three jobs at once": "a peer knew three live jobs at once",
    "attempt stopped": "a peer stopped an attempt that had become useless",
    "run made again": "a split was mapped again after the seal",
    "runs out of reach": "a reducer could not read a sealed run",
    "input out of reach": "a mapper could not read its split",
    "attempts died": "a peer crashed amid its attempts",
    "tracker crashed": "the tracker of a live job crashed",
    "tracker frozen": "the tracker of a live job stood still",
    "electorate cut": "fewer than a majority of the peers were up at once",
    "newcomer votes": "a peer that was still joining was to decide a job",
    "electorate lost": "a job of four electors lost two of them for good",
    "hint written": "a write was kept for an absent primary",
    "hint delivered": "a hint was dropped because its target had acknowledged it",
    "stray given up": "a copy out of place was handed to its homes",
    "tombstone reaped": "a delete was forgotten",
    "chunk kept": "a home took a chunk",
    "chunk hinted": "a chunk was kept for an absent primary",
    "siblings read": "a client read concurrent values",
    "key deleted": "a client's delete was acknowledged",
    "write unknown": "a client was told that its write may or may not have happened",
    "read failed": "a client could not read for want of copies",
    "refutation": "a peer refuted the news of its own death",
    "false death": "a live peer was believed dead",
    "burst after thaw": "a thawed peer found ten things or more waiting",
    "crash amid write": "a crash cut off a store operation before it was durable",
    "crash before acknowledgement": "a crash hid the outcome of a store operation that was durable",
    "disk refused": "a disk refused a write",
    "foretold write failed": "a disk refused a write whose copies were on their way",
    "empty restart": "a peer came back with an empty disk",
    "old disk recognised": "a peer found that its disk was an old copy, and became a new one",
    "dead peer removed": "a dead peer was taken out for ever",
    "peer removed": "a peer learned that it had been removed, and ended",
    "another's disk refused": "a peer did not start on another one's disk",
    "all down": "no peer was up",
    "job failed": "user code failed a job",
    "job killed": "a user killed a job",
    "kill too late": "a job was done although a kill was acknowledged",
    "manifest stored": "a job's output went into the ring",
    "sorted in total": "the parts of an output followed each other in order",
    "side files kept": "a job was done whose attempts wrote files beside their runs",
    "output by chance": "a job was done whose map attempts give something else each time",
    "chance reported": "a peer told that two attempts at one task came out differently",
    "failed for a while": "a job was done although user code had failed three times at one split",
    "process killed by a record": "a job ended whose user code ended its process at a record",
    "record set aside": "a job was done but for a line at which user code raises",
    "map only": "a job without reducers was done",
    "message doubled": "a message arrived twice",
    "link jammed": "a message waited for a second or longer behind others, on a narrow link",
    "address used again": "a message came to another peer than it was meant for, at that one's old address",
    "peer left": "a peer left in good order",
    "tracker left": "the tracker of a live job left in good order",
    "peer joined late": "a new peer joined amid the work",
    "clock ran on": "a clock was set forward",
    "clock ran back": "a clock was set back",
    "tracker silent": "a silenced tracker role had something to say",
    "tracker spoke late": "a tracker role said late what it would have said",
    "spoke after its time": "a tracker role spoke late after another had taken it over",
    "thawed to a lost role": "a thawed tracker found its role taken over",
    "two jobs at once": "a peer knew two live jobs at once",
    "split mapped twice": "a second run of one split was made",
    "attempt refused by its disk": "a disk took no output of an attempt",
    "client vanished": "the client of a job died",
    "killed with its client": "a job was killed because its client was gone",
    "ended without its client": "a job ended while no client asked for it",
    "job's files given back": "a peer had time to drop what it kept of an ended job",
    "corrupt row met": "a peer found that a row of its own was damaged",
    "corrupt copy replaced": "a damaged copy was replaced by that of another peer",
    "minted under a new name": "a peer wrote over a copy that it had had to replace",
    "damaged file met": "a chunk, run or part was wanted, and was damaged",
    "three siblings read": "a client read three or more concurrent values",
    "condition failed": "a conditional put was not written, for something else was there",
    "value ended": "a client read a key whose value had ended",
    "leave completed": "a peer handed over all that it kept, and went",
    "chunks stored once more": "a client stored chunks again, for naming them had taken long",
    "upload broken off": "a client stored chunks and never named them",
    "chunk collected": "a peer removed a chunk that nobody named",
    "chunk held for a job": "a chunk that nobody named waited, for it might be of an open job",
    "collection refused": "a peer could not tell which chunks are named, and removed none",
    "strict read": "a client of strict quorums read a register",
}


class Rarities:
    """Counts in how many schedules each rare state was reached."""

    def __init__(self) -> None:
        self.reached: Counter[str] = Counter()

    def add(self, names: Iterable[str]) -> None:
        """Take in what one schedule has reached."""
        self.reached.update(set(names))

    @property
    def missing(self) -> list[str]:
        """List what no schedule has reached."""
        return [name for name in RARITIES if not self.reached[name]]
