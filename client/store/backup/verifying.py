"""Read a whole backup and tell what of it is damaged: no cluster is needed for that."""

from pathlib import Path

from ....ring.errors import WorldError
from ...progress import Progress, Silence
from .layout import BackupManifest, chunks_of, holds_chunk, read_manifest, read_page


def verify_backup(directory: Path, progress: Progress | None = None) -> tuple[BackupManifest, list[str]]:
    """Read a whole backup, and list in words what of it is damaged or missing.

    Raises:
        CallerError: there is no finished backup.
    """
    manifest, told = read_manifest(directory), progress or Silence()
    faults = [f"chunk {name} was lost before the backup" for name in manifest.lost]
    seen: set[bytes] = set(map(bytes.fromhex, manifest.lost))
    done = 0
    for page in manifest.pages:
        try:
            kept = read_page(directory, page)
        except WorldError as error:
            faults.append(str(error))
            continue
        for chunk in chunks_of(kept):
            if chunk.digest not in seen:
                seen.add(chunk.digest)
                done += chunk.size
                faults += [] if holds_chunk(directory, chunk) else [f"chunk {chunk.digest.hex()} is missing or damaged"]
                told.advance("bytes of chunks", done, manifest.chunk_bytes)
    return manifest, faults
