"""Make text to count: the Python sources of this machine's standard library, over and over, to a size."""

import sysconfig
from pathlib import Path


def write_corpus(path: Path, size: int) -> None:
    """Write `size` bytes of source lines to `path`, unless it has them already."""
    if path.exists() and path.stat().st_size == size:
        return
    library = Path(sysconfig.get_path("stdlib"))
    sources = sorted(each for each in library.rglob("*.py") if "site-packages" not in each.parts)
    text = b"\n".join(each.read_bytes() for each in sources).decode("utf-8", "replace").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        left = size - 1
        while left > 0:
            left -= file.write(text[:left])
        file.write(b"\n")
