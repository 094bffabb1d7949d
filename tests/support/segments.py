"""Read one partition of a run whole, as tests may: the rows of all its blocks, one after the other."""

from murmuration.node.executor.shuffle.runs import Columns, decoded, segment_bodies


def read_segment(path: str, partition: int, digest: bytes) -> Columns:
    """Give keys and lists of values, a key of several blocks as often as it comes."""
    keys, lists = [], []
    for block_keys, values in map(decoded, segment_bodies(path, partition, digest)):
        keys += block_keys
        lists += [[value] for value in values] if isinstance(values, tuple) else values
    return keys, lists
