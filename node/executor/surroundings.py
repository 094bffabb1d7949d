"""Put back what user code has changed in its process, so that every attempt begins as the first one did."""

import builtins
import os
import signal
import sys


class Surroundings:
    """What the process was like when this was made; the program's own settings, made while it was loaded, stay."""

    def __init__(self) -> None:
        self._directory = os.getcwd()  # noqa: PTH109 - spares the import of pathlib
        self._mask = os.umask(0o077)
        os.umask(self._mask)
        self._blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._environment = dict(os.environ)
        self._environment_bytes = dict(_environment_bytes())
        self._path = list(sys.path)
        self._streams = sys.stdout, sys.stderr
        self._builtins = dict(vars(builtins))

    def restore(self) -> None:
        """Make the process as it was: working directory, masks, environment, search path, streams and builtins."""
        names = vars(builtins)
        if names != self._builtins:
            for added in names.keys() - self._builtins.keys():
                del names[added]
            names.update(self._builtins)
        sys.stdout, sys.stderr = self._streams
        sys.path = list(self._path)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._blocked)
        os.umask(self._mask)
        try:
            os.chdir(self._directory)
        except FileNotFoundError:
            os.makedirs(self._directory)  # noqa: PTH103 - spares the import of pathlib
            os.chdir(self._directory)
        if _environment_bytes() != self._environment_bytes:
            os.environ.clear()
            os.environ.update(self._environment)


def _environment_bytes() -> dict[bytes, bytes]:
    """Give the environment as it lies there: to compare it in text takes longer than a short split."""
    held: dict[bytes, bytes] = vars(os.environ)["_data"]
    return held
