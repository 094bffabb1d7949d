"""Commands in place of a program: how they are packed, and how the command line tells them from inputs."""

import msgspec
import pytest

from murmuration.client.commands.main import run_command
from murmuration.client.jobs.programs import reduces
from murmuration.client.jobs.streaming import pack_commands
from murmuration.node.executor.programs.streaming import Streaming
from murmuration.ring.errors import CallerError


def unpacked(program):
    return msgspec.msgpack.decode(program.body, type=Streaming)


def test_mapper_alone_has_no_reduce_phase_and_names_the_job():
    program = pack_commands("/usr/bin/awk '{print $1}' | cat")
    assert (program.kind, program.name, reduces(program)) == ("commands", "awk", False)


@pytest.mark.parametrize(
    ("reducer", "reducers", "sorts"),
    [("cat", None, True), ("cat", 3, True), ("cat", 0, False), ("NONE", None, False), ("", 2, True), ("", 0, False)],
)
def test_reduce_phase_is_there_if_there_is_a_reducer_or_partitions(reducer, reducers, sorts):
    program = pack_commands("cat", reducer, combiner="cat", reducers=reducers)
    streaming = unpacked(program)
    assert reduces(program) is streaming.sorts is sorts
    assert bool(streaming.reducer) == (sorts and reducer == "cat")
    assert bool(streaming.combiner) == sorts


def test_files_travel_with_their_modes_and_without_their_directories(tmp_path):
    script = tmp_path / "map.sh"
    script.write_bytes(b"#!/bin/sh\ncat\n")
    script.chmod(0o755)
    (file,) = unpacked(pack_commands("map.sh", files=[script])).files
    assert (file.name, file.mode, file.body) == ("map.sh", 0o755, b"#!/bin/sh\ncat\n")


def test_what_cannot_be_packed_is_refused_with_its_reason(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same").write_bytes(b"x")
    (tmp_path / "huge").write_bytes(bytes(600 << 10))
    refusals = {
        "no command": {},
        "No closing quotation": {"mapper": "awk '{"},
        "the command is empty": {"mapper": "cat", "reducer": "  "},
        "No such file": {"mapper": "cat", "files": [tmp_path / "none"]},
        "two files": {"mapper": "cat", "files": [tmp_path / "one" / "same", tmp_path / "two" / "same"]},
        "at most": {"mapper": "cat", "files": [tmp_path / "huge"]},
        "first 3": {"mapper": "cat", "map_fields": 2, "partition_fields": 3},
    }
    for reason, choices in refusals.items():
        with pytest.raises(CallerError, match=reason):
            pack_commands(**choices)


class Taken(Exception):
    """What would have been submitted."""


class Client:
    """Tells what it is asked to submit."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def submit_steps(self, program, inputs, output, **choices):
        raise Taken(program, inputs, choices)


@pytest.fixture
def submitted(monkeypatch):
    """Give a function that runs `murmur submit` with some words, and gives what it would have submitted."""
    monkeypatch.setattr("murmuration.client.api.Client", lambda _peers: Client())

    def run(*words):
        with pytest.raises(Taken) as caught:
            run_command(["submit", *words, "-o", "out", "--plain"])
        return caught.value.args

    return run


def test_with_commands_given_every_word_is_an_input(submitted):
    program, inputs, choices = submitted(
        "--mapper", "cat", "a", "--reducer", "wc -l", "b", "--stream-num-map-fields", "2"
    )
    assert inputs == ("a", "b")
    assert unpacked(program) == Streaming(mapper="cat", reducer="wc -l", sorts=True, key_fields=2)
    assert not {"mapper", "reducer", "words", "map_fields"} & choices.keys()


def test_without_commands_the_first_word_is_the_program(submitted):
    program, inputs, _ = submitted("wordcount", "a", "b")
    assert (program, inputs) == ("wordcount", ("a", "b"))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("", "Missing argument 'PROGRAM'"),
        ("wordcount", "Missing argument 'INPUT...'"),
        ("--mapper cat", "Missing argument 'INPUT...'"),
        ("wordcount a --file x", "belong to --mapper"),
        ("wordcount a --combiner x", "belong to --mapper"),
        ("--mapper cat a --input-format jsonl", "commands read lines"),
        ("--mapper cat a --output-format jsonl", "commands write lines"),
        ("sort a --samples 10", "belong to --total-order"),
        ("sort a -totalOrder 0.1 1000", "-totalOrder"),
        ("sort a -inFormat org.apache.hadoop.mapred.SequenceFileInputFormat", "there is no SequenceFileInputFormat"),
    ],
)
def test_wrong_use_is_told(submitted, capsys, words, reason):
    assert run_command(["submit", *words.split(), "-o", "out"]) == 2
    assert reason in capsys.readouterr().err


def test_hadoops_sort_options_are_understood(submitted):
    words = (
        "sort -m 7 -r 3 -inFormat org.apache.hadoop.mapred.KeyValueTextInputFormat -outFormat TextOutputFormat "
        "-outKey org.apache.hadoop.io.Text -outValue org.apache.hadoop.io.Text -totalOrder 0.2 1000 5 in"
    )
    program, inputs, choices = submitted(*words.split())
    assert (program, inputs) == ("sort", ("in",))
    wanted = {"splits": 7, "reducers": 3, "input_format": "key-value", "output_format": "text"}
    wanted |= {"total_order": True, "sample_rate": 0.2, "samples": 1000, "max_sampled_splits": 5}
    assert wanted.items() <= choices.items()
    assert len(choices.keys() - wanted.keys() - {"params", "overwrite", "resume", "progress"}) == 0
