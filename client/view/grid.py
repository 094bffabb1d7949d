"""Draw the tasks of one phase as cells: a letter and a colour each, so that it reads without colour too."""

from typing import Final

from rich.text import Text

from ...scheduling.status import TaskState
from .fold import count_states

LETTERS: Final = {
    TaskState.WAITING: ".",
    TaskState.CLAIMED: "c",
    TaskState.RUNNING: "r",
    TaskState.SPECULATIVE: "s",
    TaskState.FAILED: "!",
    TaskState.DONE: "#",
}

STYLES: Final = {
    TaskState.WAITING: "dim",
    TaskState.CLAIMED: "yellow",
    TaskState.RUNNING: "blue",
    TaskState.SPECULATIVE: "magenta",
    TaskState.FAILED: "bold red",
    TaskState.DONE: "green",
}

URGENCY: Final = (TaskState.FAILED, TaskState.SPECULATIVE, TaskState.RUNNING, TaskState.CLAIMED)
"""Of several tasks in one cell, the first of these states gives the colour."""


def grid(label: str, states: bytes, width: int, rows: int) -> list[Text]:
    """Draw a phase in at most `rows` lines; tasks that outnumber the cells share them."""
    cells = max(1, width - len(label))
    shared_by = tasks_per_cell(len(states), cells * rows)
    groups = [states[begin : begin + shared_by] for begin in range(0, len(states), shared_by)]
    lines = []
    for begin in range(0, len(groups), cells):
        line = Text(label if begin == 0 else " " * len(label))
        for group in groups[begin : begin + cells]:
            line.append(*_cell(group))
        lines.append(line)
    return lines


def tasks_per_cell(tasks: int, cells: int) -> int:
    """Tell how many tasks share one cell."""
    return max(1, -(-tasks // max(1, cells)))


def rows_wanted(tasks: int, cells: int) -> int:
    """Tell how many lines it takes to give each task a cell."""
    return -(-tasks // max(1, cells))


def legend(states: bytes, shared_by: int) -> Text:
    """Explain the letters, with the number of tasks in each state, and that `shared_by` tasks share a cell."""
    line = Text()
    if shared_by > 1:
        line.append(f"a cell = {shared_by} tasks, 1-9 tenths done  ", "dim")
    for state, count in reversed(count_states(states).items()):
        if count or state is TaskState.DONE:
            line.append(LETTERS[state], STYLES[state])
            line.append(f" {count} {state.name.lower()}  ")
    line.rstrip()
    return line


def _cell(group: bytes) -> tuple[str, str]:
    """Choose letter and style of a cell: a state that all share, or any failure, or the tenths that are done."""
    state = TaskState(group[0])
    if group.count(group[0]) == len(group):
        return LETTERS[state], STYLES[state]
    urgent = next((state for state in URGENCY if state in group), TaskState.WAITING)
    if urgent is TaskState.FAILED:
        return LETTERS[urgent], STYLES[urgent]
    tenths = 10 * group.count(TaskState.DONE) // len(group)
    return (str(tenths) if tenths else LETTERS[urgent]), STYLES[urgent]
