"""A program is found by what it defines, and what it lacks is said plainly."""

import linecache
import traceback

import cloudpickle
import pytest

from murmuration.node.executor.faults.wording import UserFault, fault_of, shorten
from murmuration.node.executor.programs.aggregations import NAMES, Aggregation, aggregation
from murmuration.node.executor.programs.program import UserProgram, load_program
from murmuration.node.executor.programs.program_api import Context, Mapper, Reducer
from murmuration.scheduling.jobs import Program

HEAD = "from murmuration import Mapper, Reducer\n"
MAPPER = "class MyMapper(Mapper):\n    def map(self, key, value):\n        yield value, 1\n"
REDUCER = "class MyReducer(Reducer):\n    def reduce(self, key, values):\n        yield key, sum(values)\n"


def load(source: str, name: str = "job.py", **formats: str) -> UserProgram:
    program = Program(kind="source", name=name, body=source.encode())
    return load_program(program, **{"input_format": "text", "output_format": "text", **formats})


def load_parts(**parts) -> UserProgram:
    program = Program(kind="pickle", name="notebook", body=cloudpickle.dumps(parts))
    return load_program(program, input_format="text", output_format="text")


def fault_from(source: str, name: str = "job.py"):
    with pytest.raises(UserFault) as caught:
        load(source, name)
    return caught.value.error


def test_classes_are_found_by_any_name():
    program = load(HEAD + MAPPER + REDUCER + "combiner = MyReducer\n")
    assert program.mapper.__name__ == "MyMapper"
    assert program.reducer is program.combiner
    assert program.reducer.__name__ == "MyReducer"


def test_functions_do_as_well_as_classes():
    program = load(
        "def map(key, value):\n    yield value, key\n\ndef reduce(key, values):\n    yield key, len(values)\n"
    )
    assert list(program.mapper().map(3, "x")) == [("x", 3)]
    assert list(program.reducer().reduce("x", [1, 2])) == [("x", 2)]


@pytest.mark.parametrize("line", ['reduce = "sum"', 'reducer = "sum"'])
def test_a_named_aggregation_is_its_own_combiner(line):
    program = load(HEAD + MAPPER + line)
    assert isinstance(program.reducer, Aggregation)
    assert program.combiner is program.reducer


def test_imported_functools_reduce_is_not_taken_for_a_reducer():
    assert load(HEAD + "from functools import reduce\n" + MAPPER).reducer is None


def test_a_class_that_another_builds_upon_does_not_count():
    program = load(HEAD + MAPPER + "class Finer(MyMapper):\n    pass\n")
    assert program.mapper.__name__ == "Finer"


def test_settings_of_the_program_yield_to_those_of_the_job():
    source = HEAD + MAPPER + 'input_format = "jsonl"\noutput_format = "values"\n'
    assert load(source).input_format == "jsonl"
    assert load(source, input_format="bytes-lines").input_format == "bytes-lines"
    assert load(source).output_format == "values"


def test_a_partitioner_is_found():
    assert load(HEAD + MAPPER + "def partitioner(key, partitions):\n    return 0\n").partitioner("k", 3) == 0


def test_two_mappers_are_named_with_the_way_out():
    error = fault_from(HEAD + MAPPER + MAPPER.replace("MyMapper", "Other"))
    assert "2 mappers: MyMapper and Other" in error.message
    assert error.hint == "say which: mapper = MyMapper"


@pytest.mark.parametrize("name", ["job.py::Other", "job.py"])
def test_one_of_two_mappers_can_be_chosen(name):
    source = HEAD + MAPPER + MAPPER.replace("MyMapper", "Other") + ("mapper = Other\n" if name == "job.py" else "")
    assert load(source, name).mapper.__name__ == "Other"


def test_a_program_without_mapper_is_told_what_was_found():
    error = fault_from(HEAD + REDUCER + "def mapp(key, value):\n    return []\n")
    assert error.message == "job.py has no mapper: found class MyReducer(Reducer), function mapp"
    assert "def" not in error.hint
    assert "murmuration.Mapper" in error.hint


def test_a_syntax_error_names_the_line_and_points_at_it():
    error = fault_from("x = 1\ndef map(key, value)\n    yield\n")
    assert (error.kind, error.file, error.line) == ("SyntaxError", "job.py", 2)
    assert "def map(key, value)\n" in error.record
    assert "^" in error.record


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("1/0", "ZeroDivisionError"),
        ("import sys; sys.exit(3)", "SystemExit"),
        ("import nothing_there", "ModuleNotFoundError"),
    ],
)
def test_what_a_program_raises_when_it_is_loaded_is_shown_with_its_own_line(source, kind):
    error = fault_from("\n" + source)
    assert error.kind == kind
    assert f'File "job.py", line 2, in <module>\n    {source}\n' in error.traceback
    assert "executor" not in error.traceback


def test_an_unknown_aggregation_names_the_known_ones():
    assert "'median' is no aggregation; there are sum, count" in fault_from(HEAD + MAPPER + 'reduce = "median"').message


def test_a_combiner_that_does_not_give_what_it_takes_is_refused():
    assert "'mean' cannot be a combiner" in fault_from(HEAD + MAPPER + REDUCER + 'combiner = "mean"').message


def test_functions_travel_by_value():
    shift = 10
    program = load_parts(map=lambda number, line: [(line, number + shift)], reduce="max")
    assert program.mapper().map(1, "x") == [("x", 11)]
    assert program.reducer is aggregation("max")


def test_classes_travel_by_value():
    class Local(Mapper):
        pass

    class Tally(Reducer):
        pass

    program = load_parts(map=Local, reduce=Tally, combiner=Tally)
    assert program.mapper.__name__ == "Local"
    assert program.combiner is program.reducer


def test_a_pickle_of_something_else_is_refused():
    with pytest.raises(UserFault, match="not a dict"):
        load_program(
            Program(kind="pickle", name="n", body=cloudpickle.dumps([1])), input_format="text", output_format="text"
        )


def test_tracebacks_show_user_lines_only():
    program = load(HEAD + "def map(key, value):\n    return int(value)\n")
    linecache.checkcache()
    try:
        program.mapper().map(1, "x")
    except ValueError as raised:
        error = fault_of(raised, file="in.txt", line=1, record="x").error
    assert "return int(value)" in error.traceback
    assert error.message == "invalid literal for int() with base 10: 'x'"
    assert traceback.format_exc() == "NoneType: None\n"


class Hostile(Exception):
    def __str__(self):
        raise RuntimeError

    __repr__ = __str__


def test_an_exception_that_cannot_be_printed_is_still_reported():
    error = fault_of(Hostile(), record=Hostile()).error
    assert error.kind == "Hostile"
    assert "failed" in error.message
    assert "repr raised RuntimeError" in error.record


def test_records_are_shortened_and_made_printable():
    assert len(shorten("x" * 10_000_000)) <= 400
    assert shorten("\udcff") == "\\udcff"


AGGREGATED = {
    "sum": 12,
    "count": 4,
    "min": 1,
    "max": 5,
    "mean": 3.0,
    "list": [3, 1, 5, 3],
    "set": [1, 3, 5],
    "first": 3,
    "top_k": [5, 3, 3, 1],
    "top_k:2": [5, 3],
}


@pytest.mark.parametrize("name", sorted({*NAMES, *AGGREGATED}))
@pytest.mark.parametrize("cut", range(5))
def test_aggregations_give_the_same_however_the_values_are_split(name, cut):
    kind, values = aggregation(name), [3, 1, 5, 3]
    states = []
    for part in (values[:cut], values[cut:]):
        state = None
        for place, value in enumerate(part):
            state = kind.add(state, value) if place else kind.init(value)
        states += [state] if part else []
    state = kind.merge(*states) if len(states) == 2 else states[0]
    assert kind.finish(state) == AGGREGATED[name]


def test_counters_are_bounded():
    context = Context(job_id="j", peer="p", attempt="a", split=0, params={})
    context.counter("seen").increment()
    context.counter("seen").increment(4)
    assert context.counts() == {"seen": 5}
    with pytest.raises(ValueError, match="at most 128 characters"):
        context.counter("x" * 129)
    with pytest.raises(ValueError, match="at most 128 counters"):
        for number in range(128):
            context.counter(f"c{number}")
