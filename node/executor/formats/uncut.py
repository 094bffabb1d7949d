"""Refuse pieces of a file whose format can only be read from its beginning."""

from ..faults.wording import fault
from ..tasks import MapTask


def check_uncut(task: MapTask, name: str) -> None:
    """Raise `UserFault` if a split is not a whole file, as the planner makes them for such formats."""
    if task.first_byte:
        raise fault(
            "InputChanged",
            f"{task.file} was cut into splits, but {name} can only be read from the beginning of a file",
            hint="submit the job again",
            file=task.file,
        )
