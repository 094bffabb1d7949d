"""Find the program that PROGRAM means, and see what is wrong with it before a cluster is bothered: never running it."""

import ast
from pathlib import Path

from ...ring.errors import CallerError
from ...scheduling.jobs import PROGRAM_BYTES_MAX, Program

EXAMPLES = Path(__file__).parents[2] / "examples"

WAYS_TO_MAP = frozenset({"map", "map_batch", "mapper"})
"""Top-level names that make a program without a `Mapper` subclass."""

WAYS_TO_REDUCE = frozenset({"reduce", "reducer"})
"""Top-level names that give a program a reduce phase without a `Reducer` subclass."""


def find_program(word: str) -> Program:
    """Read the program that a word means: a path of a `.py` file, or else the name of a shipped example.

    `FILE.py::CLASS` chooses one mapper of several.

    Raises:
        CallerError: there is none, it is too large, or it can be seen not to be one.
    """
    file, colons, chosen = word.partition("::")
    path = Path(file).expanduser()
    if not (path.suffix == ".py" or "/" in file):
        path = _example(file)
    try:
        body = path.read_bytes()
    except OSError as error:
        raise CallerError(f"program {word}: {error.strerror or error}") from error
    if len(body) > PROGRAM_BYTES_MAX:
        raise CallerError(f"program {word} has {len(body)} bytes: the most is {PROGRAM_BYTES_MAX}")
    check_source(str(path), body)
    return Program(kind="source", name=f"{path}{colons}{chosen}"[-512:], body=body)


def example_names() -> list[str]:
    """List the shipped examples as people name them."""
    names = sorted(file.stem for file in EXAMPLES.glob("*.py") if not file.stem.startswith("_"))
    return [name.replace("_", "-") for name in names]


def check_source(name: str, body: bytes) -> None:
    """Refuse a source that Python cannot parse, or that plainly has nothing to map with.

    Raises:
        CallerError: the message begins with the file's name and the line.
    """
    try:
        module = ast.parse(body, filename=name)
    except SyntaxError as error:
        raise CallerError(f"{name}:{error.lineno or 1}: {error.msg}") from error
    except ValueError as error:  # null bytes
        raise CallerError(f"{name}:1: {error}") from error
    if not _any_brings(module, "Mapper", WAYS_TO_MAP):
        raise CallerError(f"{name}:1: no subclass of Mapper and no function map(key, value) in it")


def reduces(program: Program) -> bool:
    """Tell whether a program may have a reducer; packed functions and what cannot be told count as yes."""
    match program.kind:
        case "source":
            return _any_brings(scope_of(program), "Reducer", WAYS_TO_REDUCE)
        case "commands":
            from .streaming import command_sorts  # late: only such jobs need what it imports

            return command_sorts(program)
        case _:
            return True


def maps_batches(program: Program) -> bool:
    """Tell whether a source plainly maps many records at once: it writes `map_batch`, and `map` nowhere."""
    if program.kind != "source":
        return False
    written = {node.name for node in ast.walk(scope_of(program)) if isinstance(node, ast.FunctionDef)}
    return "map_batch" in written and "map" not in written


def declared(program: Program, setting: str) -> str | None:
    """Tell what a source sets as text at its top level, such as `output_format = "jsonl"`; None if it does not."""
    value = _constant(program, setting)
    return value if isinstance(value, str) else None


def declared_number(program: Program, setting: str) -> int | None:
    """Tell what a source sets as a number at its top level, such as `reducers = 1`; None if it does not."""
    value = _constant(program, setting)
    return value if type(value) is int else None


def scope_of(program: Program) -> ast.Module | ast.ClassDef:
    """Find what defines a source's parts: the whole file, or in it the class of the step that the name chooses."""
    module = ast.parse(program.body)
    _, _, chosen = program.name.partition("::")
    if not chosen.isdigit():
        return module
    wanted = step_names(program)[int(chosen) - 1]
    return next(each for each in module.body if isinstance(each, ast.ClassDef) and each.name == wanted)


def step_names(program: Program) -> list[str]:
    """List the classes that a source names in `steps = [FIRST, SECOND]`; empty where it has no steps.

    Raises:
        CallerError: the steps are not a list of names of classes in that file.
    """
    if program.kind != "source":
        return []
    module = ast.parse(program.body)
    value = _assigned(module, "steps")
    if value is None:
        return []
    classes = {each.name for each in module.body if isinstance(each, ast.ClassDef)}
    match value:
        case ast.List(elts=[_, *_] as items) | ast.Tuple(elts=[_, *_] as items):
            names = [item.id for item in items if isinstance(item, ast.Name) and item.id in classes]
            if len(names) == len(items):
                return names
        case _:
            pass
    raise CallerError(f"{program.name}:{value.lineno}: steps must be a list of classes of this file: steps = [A, B]")


def _constant(program: Program, setting: str) -> object:
    value = _assigned(scope_of(program), setting) if program.kind == "source" else None
    return value.value if isinstance(value, ast.Constant) else None


def _assigned(scope: ast.Module | ast.ClassDef, wanted: str) -> ast.expr | None:
    for statement in scope.body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if name == wanted:
                return value
            case _:
                continue
    return None


def _example(word: str) -> Path:
    path = EXAMPLES / f"{word.replace('-', '_')}.py"
    if not path.is_file():
        known = ", ".join(example_names()) or "none is installed"
        raise CallerError(f"no program {word!r}: give a .py file, or one of the examples: {known}")
    return path


def _any_brings(scope: ast.Module | ast.ClassDef, base: str, ways: frozenset[str]) -> bool:
    statements = (node for node in ast.walk(scope) if isinstance(node, ast.stmt))
    return any(_brings(statement, base, ways) for statement in statements)


def _brings(statement: ast.stmt, base: str, ways: frozenset[str]) -> bool:
    """Tell whether a statement may bring a subclass of `base` or one of those names; if in doubt, yes."""
    match statement:
        case ast.ClassDef(bases=bases):
            return any(base in ast.unparse(each) for each in bases)
        case ast.FunctionDef(name=name):
            return name in ways
        case ast.Assign(targets=targets):
            return any(isinstance(target, ast.Name) and target.id in ways for target in targets)
        case ast.AnnAssign(target=ast.Name(id=name)):
            return name in ways
        case ast.ImportFrom(module=module, names=names):
            return _is_imported(module or "", names, base, ways)
        case _:
            return False


def _is_imported(module: str, names: list[ast.alias], base: str, ways: frozenset[str]) -> bool:
    """Tell whether an import may bring one along; our own base classes are only something to derive from."""
    bound = {alias.asname or alias.name for alias in names}
    if module.split(".")[0] == "murmuration" and "examples" not in module:
        return False
    return "*" in bound or bool(bound & ways) or any(base in name for name in bound)
