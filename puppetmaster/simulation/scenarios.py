"""Find the scenarios that ship, and play one on the simulated stage."""

from dataclasses import dataclass
from importlib.resources import files

from ..language.script import parse_script
from .stage import Stage

SUFFIX = ".txt"


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a scenario showed; `held` tells whether every assertion and promise did."""

    text: str
    held: bool


def scenario_names() -> list[str]:
    """List the scenarios by name."""
    folder = files(__package__ or "").joinpath("..", "scenarios")
    entries = folder.iterdir() if folder.is_dir() else iter(())
    return sorted(entry.name.removesuffix(SUFFIX) for entry in entries if entry.name.endswith(SUFFIX))


def play_scenario(name: str, seed: int = 0) -> Transcript:
    """Play a scenario; equal seeds give equal transcripts."""
    script = parse_script(files(__package__ or "").joinpath("..", "scenarios", name + SUFFIX).read_bytes())
    stage = Stage(script, seed)
    stage.play()
    return Transcript("".join(f"{line}\n" for line in stage.transcript), stage.held)
