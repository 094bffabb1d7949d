"""Run MapReduce over a flock of equal peers: no head node, and any of them may die.

The names below load on first use, so that a peer does not import the client, nor a script the live view.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .client.api import Client
    from .client.cluster import LocalCluster
    from .client.jobs.failures import JobFailed
    from .client.jobs.job import Job
    from .client.jobs.streaming import pack_commands
    from .node.executor.programs.program_api import Mapper, Reducer
    from .ring.errors import Conflict, Unknown
    from .ring.terms import Quorum

    __version__: str

__all__ = [
    "Client",
    "Conflict",
    "Job",
    "JobFailed",
    "LocalCluster",
    "Mapper",
    "Quorum",
    "Reducer",
    "Unknown",
    "__version__",
    "pack_commands",
]

_HOMES = {
    "Client": ".client.api",
    "Conflict": ".ring.errors",
    "Job": ".client.jobs.job",
    "JobFailed": ".client.jobs.failures",
    "LocalCluster": ".client.cluster",
    "Mapper": ".node.executor.programs.program_api",
    "Quorum": ".ring.terms",
    "Reducer": ".node.executor.programs.program_api",
    "Unknown": ".ring.errors",
    "pack_commands": ".client.jobs.streaming",
}


def __getattr__(name: str) -> object:
    """Load a public name from its home.

    Raises:
        AttributeError: the package has no such name.
    """
    if name == "__version__":
        return import_module("importlib.metadata").version("murmuration")  # not at the top: it costs 15 ms a process
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return __all__
