"""Tell which host this is: processes with one host id see one file system."""

from functools import cache
from hashlib import blake2b
from pathlib import Path

FACTS = (Path("/etc/machine-id"), Path("/proc/sys/kernel/random/boot_id"))
MOUNTS = Path("/proc/self/ns/mnt")


@cache
def host_id() -> str:
    """Give 32 hexadecimal digits: equal in processes of one boot of one machine that share its mounts.

    Two containers on one machine see different files under one path; their mount namespaces tell them apart.
    """
    facts = [_content(path) for path in FACTS] + [_target(MOUNTS)]
    return blake2b("\n".join(facts).encode(), digest_size=16).hexdigest()


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""  # a fact that this system does not state tells nothing; the others must do


def _target(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""
