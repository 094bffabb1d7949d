"""Measure what a peer keeps on its disk, and what room is left there."""

import shutil
from pathlib import Path
from typing import Final

from .chunks import ChunkStore

FOLDERS: Final = ("store", "runs", "parts", "logs")
"""What is measured file by file, beside the chunks, whose bytes are counted as they come."""


def disk_metrics(directory: Path, chunks: ChunkStore) -> dict[str, float]:
    """Count the bytes of each folder, and those that are free on the disk; what cannot be read counts as nothing."""
    kept = {name: float(_bytes_in(directory / name)) for name in FOLDERS}
    values = {f"disk.{name}_bytes": size for name, size in kept.items()}
    values["disk.chunks_bytes"] = float(chunks.size_bytes())
    values["disk.bytes"] = sum(values.values())
    try:
        values["disk.free_bytes"] = float(shutil.disk_usage(directory).free)
    except OSError:
        values["disk.free_bytes"] = 0.0
    return values


def _bytes_in(folder: Path) -> int:
    """Add up the files in a folder; they may come and go meanwhile."""
    return sum(_size(path) for path in folder.rglob("*"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0
