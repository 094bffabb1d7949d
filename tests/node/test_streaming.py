"""Commands as mapper, combiner and reducer: what a shell pipeline would give, and no way to hang."""

import os
import subprocess
import sys
from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmuration.node.executor.faults.wording import UserFault
from murmuration.node.executor.leftovers import end_leftovers
from murmuration.node.executor.mapping import MapAttempt
from murmuration.node.executor.programs import streaming as streaming_module
from murmuration.node.executor.programs.commands import ShippedFile, arguments_of
from murmuration.node.executor.programs.program import load_program
from murmuration.node.executor.programs.program_api import Context
from murmuration.node.executor.programs.reporting import LINE_BYTES_MAX, StderrReport
from murmuration.node.executor.programs.streaming import Streaming, key_of, variables_of
from murmuration.node.executor.reducing import ReduceAttempt
from murmuration.node.executor.tasks import Extent, LoadProgram, MapTask, ReduceTask, RunSegment
from murmuration.scheduling.jobs import Program
from murmuration.scheduling.splits import cut_lines, splits_of_file

WORDS = "tr -s ' ' '\\n' | sed '/^$/d;s/$/\\t1/'"
ADD = "awk -F'\\t' '{n[$1] += $2} END {for (w in n) print w \"\\t\" n[w]}' | LC_ALL=C sort"
TEXT = b"to be, or\nnot to be\n"


class Stream:
    """Runs a whole job of commands in this process."""

    def __init__(self, folder, *, partitions=1, params=None, **commands):
        self.folder, self.partitions = folder, partitions
        program = Program(kind="commands", name="stream", body=msgspec.msgpack.encode(Streaming(**commands)))
        self.load = LoadProgram("0" * 16, "p", program, params or {}, "text", "text", partitions)
        self.program = load_program(program, input_format="text", output_format="text")
        self.counters = Counter()

    def run(self, content, split_size=1 << 30):
        (self.folder / "in.txt").write_bytes(content)
        cut = cut_lines(lambda offset, length: content[offset : offset + length], len(content), split_size)
        done = [self._map(number, split) for number, split in enumerate(splits_of_file(0, len(content), cut))]
        if not self.partitions:
            return b"".join((self.folder / f"m{number}").read_bytes() for number in range(len(done)))
        runs = tuple(
            RunSegment(number, str(self.folder / f"m{number}"), each.digest) for number, each in enumerate(done)
        )
        return b"".join(self._reduce(number, runs) for number in range(self.partitions))

    def _map(self, number, split):
        extents = (Extent(str(self.folder / "in.txt"), split.begin, split.end - split.begin),)
        output = str(self.folder / f"m{number}")
        task = MapTask(f"m{number}", number, "in.txt", split.first_line, split.begin, extents, output)
        done = MapAttempt(self.program, self.load, task).carry_out()
        self.counters += Counter(done.counters)
        return done

    def _reduce(self, number, runs):
        output = self.folder / f"part{number}"
        done = ReduceAttempt(self.program, self.load, ReduceTask("r", number, runs, str(output))).carry_out()
        self.counters += Counter(done.counters)
        return output.read_bytes()


@pytest.fixture(autouse=True)
def no_leftovers():
    yield
    end_leftovers()


@pytest.fixture
def fault_of(tmp_path):
    """Give a function that runs a job which fails, and gives its error."""

    def run(content=TEXT, **commands):
        with pytest.raises(UserFault) as caught:
            Stream(tmp_path, **commands).run(content)
        return caught.value.error

    return run


def shell(pipeline, content):
    return subprocess.run(["/bin/sh", "-c", pipeline], input=content, capture_output=True, check=True).stdout


@pytest.mark.parametrize("combiner", ["", ADD])
@pytest.mark.parametrize("partitions", [1, 3])
def test_word_count_of_commands_is_that_of_a_counter(tmp_path, combiner, partitions):
    content = TEXT * 50 + "na\u00efve \xff\n".encode("latin-1")
    stream = Stream(tmp_path, mapper=WORDS, combiner=combiner, reducer=ADD, partitions=partitions)
    told = stream.run(content, split_size=200)
    counts = dict(line.split(b"\t") for line in told.splitlines())
    assert {word: int(count) for word, count in counts.items()} == Counter(content.split())


LINES = st.lists(st.binary(max_size=6).filter(lambda line: not set(line) & set(b"\r\n")), max_size=30)


@given(lines=LINES, split_size=st.integers(1, 40))
@settings(max_examples=10, deadline=None)
def test_identity_gives_what_a_stable_sort_by_key_gives(tmp_path_factory, lines, split_size):
    content = b"".join(line + b"\n" for line in lines)
    stream = Stream(tmp_path_factory.mktemp("job"), reducer="cat", sorts=True)
    expected = sorted(lines, key=lambda line: line.split(b"\t")[0])
    assert stream.run(content, split_size) == b"".join(line + b"\n" for line in expected)


def test_pipeline_with_sort_between_gives_the_same_bytes(tmp_path):
    content = b"b\t2\nline without a tab\na\t1\nb\t1\n\n"
    stream = Stream(tmp_path, mapper="sed s/a/A/", reducer="uniq -c")
    assert stream.run(content, 8) == shell("sed s/a/A/ | LC_ALL=C sort -s -t'\t' -k1,1 | uniq -c", content)


def test_map_only_job_keeps_every_line_in_order(tmp_path):
    assert Stream(tmp_path, mapper="cat", partitions=0).run(TEXT * 9, 30) == TEXT * 9


def test_lines_are_sorted_by_more_fields_than_they_are_dealt_by(tmp_path):
    content = b"b\t2\tx\na\t9\ty\nb\t1\tz\na\t10\tw\n"
    stream = Stream(tmp_path, reducer="cat", key_fields=2, partition_fields=1, partitions=2)
    lines = stream.run(content).splitlines()
    assert sorted(lines) == sorted(content.splitlines())
    for key in (b"a", b"b"):
        mine = [line for line in lines if line.startswith(key)]
        assert mine == sorted(mine)
        places = [lines.index(line) for line in mine]
        assert places == list(range(places[0], places[0] + 2))


@pytest.mark.parametrize(
    ("line", "fields", "key"),
    [(b"a\tb\tc", 1, b"a"), (b"a\tb\tc", 2, b"a\tb"), (b"a\tb", 2, b"a\tb"), (b"a", 1, b"a"), (b"", 3, b"")],
)
def test_key_is_what_stands_before_the_nth_tab(line, fields, key):
    assert key_of(line, fields) == key


# --- no way to hang ---

BIG = b"x" * 99 + b"\n"


def python(code):
    return f"{sys.executable} -c '{code}'"


def test_command_that_writes_much_before_it_reads_does_not_block(tmp_path):
    mapper = python('import sys; print("y" * 3000000); [0 for line in sys.stdin]; print("end")')
    told = Stream(tmp_path, mapper=mapper, partitions=0).run(BIG * 20_000)
    assert told == b"y" * 3_000_000 + b"\nend\n"


def test_command_that_reads_all_before_it_writes_gives_all(tmp_path):
    assert Stream(tmp_path, mapper="sort -r", partitions=0).run(BIG * 20_000) == BIG * 20_000


@pytest.mark.parametrize("mapper", ["head -n 1", python('import sys; print(sys.stdin.readline(), end="")')])
def test_command_that_closes_its_input_early_is_no_error(tmp_path, mapper):
    assert Stream(tmp_path, mapper=mapper, partitions=0).run(b"first\n" + BIG * 20_000) == b"first\n"


def test_command_that_floods_its_standard_error_does_not_block(tmp_path, capsys):
    mapper = "awk '{print > \"/dev/stderr\"} END {print NR}'"
    assert Stream(tmp_path, mapper=mapper, partitions=0).run(BIG * 20_000) == b"20000\n"
    assert capsys.readouterr().err == (BIG * 20_000).decode()


def test_process_that_a_command_leaves_behind_is_not_waited_for(tmp_path):
    assert Stream(tmp_path, mapper="sleep 60 & echo done", partitions=0).run(TEXT) == b"done\n"


def test_empty_input_still_starts_and_ends_the_command(tmp_path):
    assert Stream(tmp_path, mapper="awk 'END {print NR}'", partitions=0).run(b"") in (b"", b"0\n")


def test_last_line_without_a_newline_is_a_line(tmp_path):
    assert Stream(tmp_path, mapper="printf 'a\\tb'", partitions=0).run(TEXT) == b"a\tb\n"


# --- errors ---


def test_exit_code_and_last_lines_of_standard_error_are_told(fault_of):
    error = fault_of(mapper="cat; seq 100 >&2; exit 3", partitions=0)
    assert error.kind == "CommandFailed"
    assert "the mapper 'cat; seq 100 >&2; exit 3' ended with code 3; its last lines on stderr:\n91\n92" in error.message
    assert error.message.endswith("\n100")
    assert error.file == "in.txt"


def test_silent_failure_is_told_as_such_and_ends_the_attempt_before_its_input(fault_of):
    error = fault_of(mapper="false", content=BIG * 50_000)
    assert error.message == "the mapper 'false' ended with code 1; it wrote nothing to stderr"


def test_failing_reducer_and_combiner_are_named(fault_of):
    assert fault_of(mapper="cat", reducer="false").message.startswith("the reducer 'false' ended with code 1")
    error = fault_of(mapper="cat", reducer="cat", combiner="false")
    assert error.message.startswith("the combiner 'false' ended with code 1")


def test_signal_is_named(fault_of):
    assert "was killed by SIGSEGV (signal 11)" in fault_of(mapper="kill -SEGV $$").message


def test_command_that_is_nowhere_is_told_with_the_way_out(fault_of):
    error = fault_of(mapper="no-such-command --x")
    assert "cannot be started" in error.message
    assert "--file" in error.hint


# --- what commands are told, and tell ---


def test_counters_and_states_go_to_the_job_and_the_rest_to_the_log(tmp_path, capsys):
    mapper = 'awk \'{print "reporter:counter:my group,seen, it,2" > "/dev/stderr"; print}\''
    reducer = "sh -c 'cat; echo reporter:status:half >&2; echo reporter:counter:broken >&2'"
    stream = Stream(tmp_path, mapper=mapper, reducer=reducer)
    stream.run(TEXT)
    assert stream.counters == {"my group.seen, it": 4}
    assert capsys.readouterr().err == "status: half\nreporter:counter:broken\n"


def test_endless_line_on_standard_error_takes_no_memory(capsys):
    report = StderrReport(Context(job_id="j", peer="p", attempt="a", split=0, params={}))
    for _ in range(100):
        report.feed(b"z" * 8192)
        assert len(report._rest) <= LINE_BYTES_MAX
    report.finish()
    assert capsys.readouterr().err.replace("\n", "") == "z" * 819_200


def test_variables_have_hadoops_names_and_parameters_cannot_take_their_place(tmp_path):
    told = Stream(tmp_path, mapper="env", partitions=0, params={"my.param-1": "v", "mapreduce_job_id": "?"}).run(TEXT)
    lines = told.decode().splitlines()
    for line in (
        "my_param_1=v",
        f"mapreduce_job_id={'0' * 16}",
        "mapreduce_map_input_file=in.txt",
        "mapreduce_task_partition=0",
        "mapreduce_task_ismap=true",
    ):
        assert line in lines


def test_reduce_attempts_have_no_input_file():
    context = Context(job_id="j", peer="p", attempt="a", split=4, params={})
    variables = variables_of(context, is_map=False)
    assert (variables["mapreduce_task_partition"], variables["mapreduce_task_ismap"]) == ("4", "false")
    assert variables["mapreduce_map_input_file"] == ""


def test_shipped_files_are_in_the_working_directory_and_can_be_run(tmp_path):
    files = (
        ShippedFile("upper.sh", 0o755, b"#!/bin/sh\ntr a-z A-Z\n"),
        ShippedFile("stop.txt", 0o644, b"to\n"),
    )
    mapper = "upper.sh"
    assert Stream(tmp_path, mapper=mapper, files=files, partitions=0).run(TEXT) == TEXT.upper()
    assert Stream(tmp_path, mapper="./upper.sh", files=files, partitions=0).run(TEXT) == TEXT.upper()
    assert Stream(tmp_path, mapper="cat stop.txt", files=files, partitions=0).run(TEXT) == b"to\n"


def test_working_directory_is_gone_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    told = Stream(tmp_path, mapper="pwd", partitions=0).run(TEXT).decode().strip()
    assert told.startswith(str(tmp_path))
    assert not os.path.exists(told)  # noqa: PTH110


def test_command_of_a_failed_attempt_is_killed_with_its_children(tmp_path):
    stream = Stream(tmp_path, mapper="sh -c 'echo $$ >> pids; sleep 60; true' ; true", partitions=0)
    context = Context(job_id="j", peer="p", attempt="a", split=0, params={})
    mapper = stream.program.mapper()
    mapper.context = context
    mapper.setup()
    process = mapper._command._process
    assert process.poll() is None
    end_leftovers()
    assert process.returncode == -9


def test_combiner_of_nothing_is_not_run(tmp_path):
    assert Stream(tmp_path, mapper="sed d", combiner="echo junk", reducer="cat").run(TEXT) == b""


def test_where_a_combiner_runs_does_not_depend_on_how_lines_come(monkeypatch):
    monkeypatch.setattr(streaming_module, "COMBINE_BYTES", 5)
    streaming = Streaming(mapper="cat", combiner="cat", reducer="cat", sorts=True)
    context = Context(job_id="j", peer="p", attempt="a", split=0, params={})
    pairs = [(line[:1], line) for line in (b"c\t3", b"a\t1", b"b\t2", b"a\t0", b"d", b"c\t1", b"b\t9")]
    at_once, one_by_one = (streaming_module._Combining(streaming, context) for _ in range(2))
    told = [*at_once.taken(pairs), *at_once.combined()]
    assert told == [*(pair for one in pairs for pair in one_by_one.taken([one])), *one_by_one.combined()]
    assert told[:2] == [(b"a", b"a\t1"), (b"c", b"c\t3")]


def test_combiner_runs_again_whenever_lines_are_many(tmp_path, monkeypatch):
    monkeypatch.setattr(streaming_module, "COMBINE_BYTES", 5)
    stream = Stream(tmp_path, mapper=WORDS, combiner="sh -c 'echo reporter:counter:c,runs,1 >&2; cat'", reducer=ADD)
    assert stream.run(TEXT * 3, 20) == b"be\t3\nbe,\t3\nnot\t3\nor\t3\nto\t6\n"
    assert stream.counters["c.runs"] >= 3


# --- the rule for the shell ---


@pytest.mark.parametrize(
    "text",
    ["cat", "awk '{print $1}'", "sed 's/a|b/c/;d'", 'grep "a b"', "tr a-z A-Z", "awk -F= {print}", "x \\$y"],
)
def test_plain_commands_are_started_without_a_shell(text):
    assert arguments_of(text)[0] != "/bin/sh"


@pytest.mark.parametrize("text", ["a | b", "a; b", "echo $X", 'echo "$X"', "LC_ALL=C sort", "cat *.txt", "a\nb", "a &"])
def test_commands_with_characters_of_a_shell_are_given_to_one(text):
    assert arguments_of(text) == ["/bin/sh", "-c", text]


@pytest.mark.parametrize("text", ["", "  ", "awk 'x"])
def test_commands_that_are_none_are_refused(text):
    with pytest.raises(ValueError, match=r"empty|quotation"):
        arguments_of(text)
