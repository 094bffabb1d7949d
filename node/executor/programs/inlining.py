"""Turn a mapper's generator into a plain function that collects where the generator would yield.

Handing pairs out of a generator takes a third of a word count. What a collector does with a pair is a *step*, given as
source text; where the mapper allows it, the step is set in place of each `yield`. So this mapper with this step

    def map(self, key, value):
        for word in value.split():                          groups[k] = get(k, 0) + v
            yield word, 1

becomes, with names that begin with a dot, which no program can write:

    def map(.groups, .get, /, self, key, value):
        for word in value.split():
            .k, .v = word, 1
            .groups[.k] = .get(.k, 0) + .v

The whole file is compiled again with that one function changed, so every name in it means what it meant, and lines and
columns in tracebacks are the user's. A mapper keeps its generator unless it is certain that all stays the same:

- a `def` in the program's own file made it: not decorated, not a closure;
- it never asks for its frame or its local names;
- each of its yields is a statement `yield KEY, VALUE`, not within `try` or `with`, which would see what the step
  raises, and not within an inner function.
"""

import ast
from collections.abc import Callable, Iterator
from functools import partial
from inspect import CO_GENERATOR
from types import CodeType, FunctionType, MethodType
from typing import Any

from ..faults.wording import OWN_COLUMN
from ..shuffle.combining import Step
from .program import Source

PRYING = frozenset({"locals", "vars", "dir", "eval", "exec", "_getframe", "currentframe"})
"""A function that uses one of these may see in which frame it runs."""


def inlining_of(emit: Callable[..., Any], source: Source | None) -> "Inlining | None":
    """Give the inlining of a mapper's `map`, or None where its generator must stay."""
    function = emit.__func__ if isinstance(emit, MethodType) else emit
    if source is None or not isinstance(function, FunctionType) or function.__closure__:
        return None
    code = function.__code__
    if not code.co_flags & CO_GENERATOR or all(code is not each for each in _codes(source.code)):
        return None
    definition = _definition(ast.parse(source.text), code)
    if definition is None:
        return None
    values = _replace_yields(definition, "")
    return None if _clings(definition) else Inlining(emit, function, source, _common_literal(values))


class Inlining:
    """A mapper's `map` that can collect by itself; if all its pairs have one literal as value, `constant` holds it."""

    def __init__(
        self, emit: Callable[..., Any], function: FunctionType, source: Source, constant: tuple[Any, ...]
    ) -> None:
        self.constant = constant
        self._receiver = (emit.__self__,) if isinstance(emit, MethodType) else ()
        self._function = function
        self._source = source

    def collecting(self, step: Step) -> Callable[..., object]:
        """Give a function with the parameters of `map` that takes the step for each pair."""
        function = self._function
        collect = FunctionType(self._compiled(step), function.__globals__, function.__name__, function.__defaults__)
        collect.__kwdefaults__ = function.__kwdefaults__
        return partial(collect, *step.names.values(), *self._receiver)

    def _compiled(self, step: Step) -> CodeType:
        place = _place(self._function.__code__)
        tree = ast.parse(self._source.text)
        definition = _definition(tree, self._function.__code__)
        if definition is None:
            raise RuntimeError(f"{place} is gone from {self._source.name}")
        _replace_yields(definition, step.text)
        definition.args.posonlyargs[:0] = [ast.arg(arg=f".{name}") for name in step.names]
        module = compile(ast.fix_missing_locations(tree), self._source.name, "exec", dont_inherit=True)
        return next(code for code in _codes(module) if _place(code) == place)


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Walk through a code object and all that is defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _place(code: CodeType) -> tuple[str, int]:
    return code.co_name, code.co_firstlineno


def _definition(tree: ast.Module, code: CodeType) -> ast.FunctionDef | None:
    """Find the function of that code; a decorated one's code begins at its decorator, and is not found."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and (node.name, node.lineno) == _place(code):
            return node
    return None


def _clings(definition: ast.FunctionDef) -> bool:
    """Tell whether a yield is left, or the function pries."""
    for node in ast.walk(definition):
        match node:
            case ast.Yield() | ast.YieldFrom():
                return True
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in PRYING:
                return True
    return False


def _common_literal(values: list[ast.expr]) -> tuple[Any, ...]:
    """Give the literal that all values are, or nothing; `ast.dump` tells 1, 1.0 and True apart."""
    literals = [value.value for value in values if isinstance(value, ast.Constant)]
    alike = len(literals) == len(values) and len(set(map(ast.dump, values))) == 1
    return (literals[0],) if alike else ()


def _replace_yields(definition: ast.FunctionDef, step: str) -> list[ast.expr]:
    """Set the step in place of each yield where that is allowed; give the values that these yield."""
    replacing = _Replacing(step)
    replacing.generic_visit(definition)
    return replacing.values


class _Replacing(ast.NodeTransformer):
    def __init__(self, step: str) -> None:
        self.values: list[ast.expr] = []
        self._step = step

    def visit_Expr(self, node: ast.Expr) -> ast.stmt | list[ast.stmt]:
        match node.value:
            case ast.Yield(value=ast.Tuple(elts=[key, value] as pair)) if not any(
                isinstance(each, ast.Starred) for each in pair
            ):
                self.values.append(value)
                return [_assigned(node, key, value), *_placed(node, self._step)]
            case _:
                return node

    def _pass_by(self, node: ast.stmt) -> ast.stmt:
        return node

    visit_Try = visit_TryStar = visit_With = _pass_by  # noqa: N815 - the names are those of ast
    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _pass_by  # noqa: N815


def _assigned(at: ast.stmt, key: ast.expr, value: ast.expr) -> ast.stmt:
    """Say `.k, .v = key, value`, which makes no tuple."""
    names = ast.Tuple(elts=[ast.Name(id=name, ctx=ast.Store()) for name in (".k", ".v")], ctx=ast.Store())
    pair = ast.copy_location(ast.Tuple(elts=[key, value], ctx=ast.Load()), at)
    return ast.copy_location(ast.Assign(targets=[names], value=pair), at)


def _placed(at: ast.stmt, step: str) -> list[ast.stmt]:
    """Parse the step, with dotted names, at the yield's line but at no column: so its frames are known for ours."""
    statements = ast.parse(step).body
    for node in (node for statement in statements for node in ast.walk(statement)):
        if isinstance(node, ast.Name):
            node.id = f".{node.id}"
        if isinstance(node, (ast.stmt, ast.expr)):
            node.lineno = node.end_lineno = at.lineno
            node.col_offset = node.end_col_offset = OWN_COLUMN
    return statements
