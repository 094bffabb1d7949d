"""The crooked scripts that people wrote run here as they are: each kind of crookedness has a script of its own."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.puppetmaster.faults import DiskState
from murmuration.puppetmaster.language.commands import (
    After,
    Assert,
    At,
    AtProgress,
    Cut,
    Delay,
    Disk,
    FreezeTracker,
    FreezeWorker,
    Heal,
    Join,
    JoinJobs,
    Kill,
    Leave,
    Links,
    Loss,
    Restart,
    SlowWorker,
    Status,
    Submit,
    UnfreezeTracker,
    UnfreezeWorker,
    Wait,
    Worker,
)
from murmuration.puppetmaster.language.conditions import Comparison, JobIs, Measure, Measured
from murmuration.puppetmaster.language.fields import NEWEST, TRACKER
from murmuration.puppetmaster.language.grammar import FORMS, LINE_CHARACTERS_MAX
from murmuration.puppetmaster.language.places import Place, parse_place
from murmuration.puppetmaster.language.script import Line, Problem, Script, parse_line, parse_script, split_lines
from murmuration.puppetmaster.live.lookups import output_directory
from murmuration.scheduling.jobs import JobState

SCRIPTS = Path(__file__).parent / "scripts"

PUPPET_MASTER = parse_place("tcp://localhost:20001/PM")


def read(name: str, **options) -> Script:
    return parse_script((SCRIPTS / name).read_bytes(), **options)


def commands(name: str, **options) -> list:
    """Read a script that must hold no problem."""
    script = read(name, **options)
    assert script.problems == ()
    return [line.command for line in script.lines]


def worker(number: int, entry: int | None = None) -> Worker:
    return Worker(
        id=str(number),
        puppet_master=PUPPET_MASTER,
        service=parse_place(f"tcp://localhost:{30000 + number}/W"),
        entry=parse_place(f"tcp://localhost:{30000 + entry}/W") if entry else None,
    )


# --- bytes and lines ---


def test_script_with_byte_order_mark_keeps_its_first_command():
    assert commands("byte_order_mark.txt") == [worker(1), worker(2, 1), Status()]


def test_script_pasted_together_loses_the_marks_inside():
    script = read("pasted_together.txt")
    assert [(line.number, line.command) for line in script.lines] == [
        (1, worker(1)),
        (3, Status()),
        (4, Wait(seconds=2)),
    ]
    assert script.problems == ()


def test_script_in_wide_characters_is_read():
    assert commands("wide_characters.txt") == [worker(1), Status()]


def test_script_in_old_code_page_keeps_its_accents():
    [submit] = commands("code_page.txt")
    assert submit.file == "ficheiros\\paraíso.txt"
    assert submit.output == "saída\\"


def test_script_with_windows_line_ends_and_none_at_the_end_is_read_to_its_last_word():
    assert commands("windows_line_ends.txt") == [
        worker(1),
        FreezeWorker(id="1"),
        Wait(seconds=5),
        UnfreezeWorker(id="1"),
        Status(),
    ]


def test_script_with_three_kinds_of_line_ends_counts_its_lines_as_an_editor_does():
    script = read("mixed_line_ends.txt")
    assert [line.number for line in script.lines] == [1, 2, 3, 4, 6]
    assert script.lines[-1].command == FreezeTracker(id="1")


def test_blank_lines_at_both_ends_and_inside_are_silent():
    script = read("blank_lines.txt")
    assert [line.number for line in script.lines] == [5, 8]
    assert script.problems == ()


def test_trailing_double_and_tabbed_blanks_make_no_fields():
    assert commands("trailing_blanks.txt") == [
        worker(1),
        worker(2, 1),
        worker(3),
        Status(),
        Wait(seconds=1),
        SlowWorker(id="2", seconds=30),
    ]


def test_comments_of_every_spelling_are_silent():
    script = read("comments.txt")
    assert [(line.number, line.command) for line in script.lines] == [(7, worker(1)), (8, Status())]
    assert script.problems == ()


# --- words ---


def test_keywords_fold_case_and_ids_need_not_be_numbers():
    first, second, *others = commands("ids_and_keywords.txt")
    assert (first.id, second.id) == ("W1", "w-2.b")
    assert others == [
        SlowWorker(id="W1", seconds=5),
        FreezeWorker(id="W1"),
        UnfreezeWorker(id="W1"),
        FreezeTracker(id="w-2.b"),
        UnfreezeTracker(id="w-2.b"),
        Status(),
    ]


def test_upper_case_addresses_are_the_same_addresses():
    first, second, submit = commands("upper_case.txt")
    assert first.service == Place(host="localhost", port=30001, service="W")
    assert second.entry.is_same(first.service)
    assert (submit.file, submit.output, submit.splits) == ("RESOURCES\\JOB.TXT", ".", 10)


def test_services_of_other_names_with_hyphens_numbers_or_none_are_addresses():
    first, second, third, submit = commands("services.txt")
    assert first.puppet_master.service == "Map-Puppet-Service"
    assert second.entry.is_same(first.service)
    assert third.puppet_master.is_same(first.puppet_master)
    assert third.entry.is_same(second.service)
    assert submit.entry == Place(host="localhost", port=10001, service="WORKER1")


def test_other_machines_are_replaced_wherever_an_address_stands():
    hosts = {"lab7p3": "127.0.0.1", "lab7p4": "127.0.0.1", "192.168.1.66": "10.0.0.3"}
    script = read("other_machines.txt", hosts=hosts)
    assert [str(place) for place in script.puppet_masters] == [
        "tcp://127.0.0.1:20001/PM",
        "tcp://10.0.0.3:20002/PM",
        "tcp://localhost:20003/PM",
    ]
    first, second, third, fourth, submit, later = (line.command for line in script.lines)
    assert second.joins_through == first.service == third.entry == later.command.entry
    assert str(submit.entry) == "tcp://127.0.0.1:30002/W"
    assert fourth.joins_through is None


def test_several_puppet_masters_on_one_machine_are_named_once_each_in_order():
    assert [place.port for place in read("several_scripts.txt").puppet_masters] == [20001, 20002]


# --- WORKER ---


def test_entry_that_is_absent_or_the_own_address_means_the_first_peer():
    assert [worker.joins_through and worker.joins_through.port for worker in commands("entries.txt")] == [
        None,
        None,
        None,
        30003,
    ]


def test_worker_without_puppet_master_is_taken_as_this_machines_or_reported():
    script = read("no_puppet_master.txt")
    assert [(line.command.puppet_master, line.command.service.port) for line in script.lines] == [
        (None, 30001),
        (None, 30002),
        (None, 30003),
    ]
    assert script.lines[1].command.joins_through.port == 30001
    assert [problem.number for problem in script.problems] == [4, 5, 6]


def test_first_address_that_tells_no_role_is_a_puppet_masters():
    line = parse_line("WORKER 1 tcp://localhost:9008/Stage tcp://localhost:9009/Mapping")
    assert (line.command.puppet_master.port, line.command.service.port) == (9008, 9009)


# --- SUBMIT ---


def test_submit_takes_a_library_or_none():
    first, second = commands("one_output.txt")
    assert (first.library, second.library) == ("LibMapper.dll", None)


def test_submits_into_one_directory_are_known_as_such_however_it_is_spelt():
    assert len({output_directory(submit.output) for submit in commands("one_output.txt")}) == 1


def test_windows_paths_reach_the_submit_as_written():
    assert [submit.file for submit in commands("windows_paths.txt")] == [
        "..\\..\\..\\Data\\pl.txt",
        "C:\\Temp\\padi\\pl.txt",
        "..//..//..//pl.txt",
        "missing.txt",
    ]


def test_submit_of_a_big_file_in_one_split_is_a_submit():
    [submit] = commands("big_input.txt")
    assert submit == Submit(
        entry=parse_place("tcp://localhost:30001/W"),
        file="pl5GB.txt",
        output="result",
        splits=1,
        mapper="CharCountMapper",
        library=None,
    )


# --- what cannot be read ---


def test_malformed_lines_are_reported_with_their_number_and_the_others_run():
    script = read("malformed.txt")
    assert [line.number for line in script.lines] == [2, 23]
    assert [problem.number for problem in script.problems] == [1, *range(3, 23)]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (1, "no such command"),
        (3, "one field; write WORKER ID PUPPETMASTER-URL SERVICE-URL [ENTRY-URL]"),
        (4, "5 fields; write WORKER"),
        (5, "'tcp//localhost:20001/PM' is no address; write tcp://HOST:PORT/SERVICE"),
        (6, "<ID> stands for something that was not filled in"),
        (7, "<ENTRY-URL> stands for something"),
        (8, "'many' is no whole number from 1 to 20000"),
        (9, "'0' is no whole number"),
        (10, "3 fields; write SUBMIT"),
        (11, "no such command"),
        (15, "did you mean UNFREEZEW?"),
        (16, "0 fields; write FREEZEW ID"),
        (17, "'soon' is not a time"),
        (18, "'-1' is not a time"),
        (20, "one field; write STATUS"),
        (21, "6 fields; write STATUS"),
    ],
)
def test_malformed_line_says_what_is_wrong_with_it(number, reason):
    [problem] = [problem for problem in read("malformed.txt").problems if problem.number == number]
    assert reason in problem.reason


def test_problem_is_one_printable_line_however_long_and_odd_its_text_is():
    problem = parse_line("STATUS \x1b[31m" + "x" * 500, number=7)
    assert str(problem).startswith("line 7 skipped: ")
    assert str(problem).isprintable()
    assert len(problem.text) > 500 > len(str(problem).partition("(")[2])


def test_line_longer_than_any_command_is_a_problem():
    assert isinstance(parse_line("SUBMIT tcp://h:30001/W pl.txt out 2 M " + "x" * 100), Line)
    assert isinstance(parse_line("SUBMIT tcp://h:30001/W pl.txt out 2 M " + "x" * LINE_CHARACTERS_MAX), Problem)


def test_path_that_no_disk_can_hold_is_a_problem():
    assert isinstance(parse_line("SUBMIT tcp://h:30001/W pl\0.txt out 2 M"), Problem)


def test_puts_off_nested_a_thousand_times_are_a_problem_and_no_overflow():
    assert isinstance(parse_line("AT 1 " * 1000 + "STATUS"), Problem)


@pytest.mark.parametrize("time", ["9" * 400, "9" * 5000, "8d", "604801"])
def test_time_longer_than_a_week_is_a_problem(time):
    assert isinstance(parse_line(f"WAIT {time}"), Problem)


# --- many scripts ---


def test_several_scripts_in_one_file_keep_their_repeated_ids_for_the_run_to_judge():
    ids = [command.id for command in commands("several_scripts.txt") if isinstance(command, Worker)]
    assert ids == ["1", "2", "1", "2"]


def test_script_that_continues_another_may_speak_of_peers_that_it_does_not_start():
    joiner, frozen, submit, _ = commands("continued.txt")
    assert joiner == worker(3, 1)
    assert frozen == FreezeWorker(id="2")
    assert submit.mapper == "TimeMapper"


# --- beyond the assignment ---


def test_every_command_beyond_the_assignment_is_read():
    one_two = Links(senders=("1",), receivers=("2",), both_ways=True)
    assert commands("beyond.txt")[3:4] + commands("beyond.txt")[5:] == [
        Join(),
        At(moment=After(seconds=0.25), command=Kill(id="1")),
        At(moment=AtProgress(job=1, share=0.5), command=Kill(id=TRACKER)),
        At(
            moment=AtProgress(job=NEWEST, share=0.75),
            command=Cut(links=Links(senders=("2",), receivers=("3",), both_ways=True)),
        ),
        Kill(id="2"),
        Restart(id="2", empty=False),
        Restart(id="2", empty=True),
        Cut(links=one_two),
        Cut(links=Links(senders=("1", "2"), receivers=("*",), both_ways=False)),
        Heal(),
        Delay(links=Links(senders=("1",), receivers=("2",), both_ways=False), seconds=0.1),
        Loss(links=Links(senders=("1",), receivers=("*",), both_ways=True), share=0.025),
        Disk(id="3", state=DiskState.FULL),
        Disk(id="3", state=DiskState.READONLY),
        Disk(id="3", state=DiskState.OK),
        Leave(id="3"),
        JoinJobs(),
        Assert(condition=JobIs(job=1, state=JobState.DONE)),
        Assert(condition=Measured(measure=Measure.ALIVE, job=None, comparison=Comparison.EQUAL, amount=2)),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "CUT 1",
        "CUT 1 2|3",
        "CUT 1|1",
        "CUT *|*",
        "CUT 1|",
        "CUT 1|2|3",
        "CUT 1,*|2",
        "DELAY 1>2",
        "DELAY 1>2 fast",
        "LOSS 1>2 101%",
        "RESTART 1 quickly",
        "JOIN 1",
        "AT 5s",
        "AT 5s WAIT 1",
        "AT 5s JOIN-JOBS",
        "AT 5s AT 6s STATUS",
        "AT 50% KILL 1",
        "AT 50% of JOB 0 KILL 1",
        "AT 5s KILL",
        "KILL @peer",
        "WORKER @tracker tcp://localhost:20001/PM tcp://localhost:30001/W",
    ],
)
def test_command_beyond_the_assignment_that_makes_no_sense_is_a_problem(text):
    assert isinstance(parse_line(text), Problem)


# --- all scripts there can be ---

_FIELDS = (
    *("1", "W1", "@", "@tracker", "1|2", "1>*", "50%", "of", "JOB", "5s", "=", ">=", "<ID>", "*", "full", "done"),
    *("KILL", "EPOCH", "TIME", "tcp://localhost:30001/W", "tcp://localhost:20001/PM", "tcp://[::1]:1/"),
    *("..\\a\\", "\x00", "é", "9" * 5000),
)
_fields = st.sampled_from(_FIELDS)
_words = st.builds(lambda keyword, fields: " ".join([keyword, *fields]), st.sampled_from([*FORMS]), st.lists(_fields))
_texts = st.lists(_words | st.text(max_size=30) | st.just("% x"), max_size=8)


@given(st.binary(max_size=300) | _texts.map(lambda lines: "\r\n".join(lines).encode("utf-8")))
def test_every_line_of_any_bytes_is_a_command_a_silence_or_a_problem(content):
    script = parse_script(content)
    silent = {
        number
        for number, text in enumerate(split_lines(content), start=1)
        if not text.strip() or text.strip().startswith("%")
    }
    numbers = [*silent, *(line.number for line in script.lines), *(problem.number for problem in script.problems)]
    assert sorted(numbers) == list(range(1, len(split_lines(content)) + 1))
    assert all(problem.reason.isprintable() for problem in script.problems)


@given(_texts, st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_line_ends_and_a_mark_at_the_head_change_nothing(texts, line_end):
    texts = [text.replace("\r", "").replace("\n", "") for text in texts]
    plain = "\n".join(texts).encode("utf-8")
    assert parse_script(b"\xef\xbb\xbf" + plain.replace(b"\n", line_end)) == parse_script(plain)


@given(_words)
def test_command_read_in_a_shell_is_the_one_of_a_script(text):
    script = parse_script(text.encode())
    match parse_line(text):
        case Line() as line:
            assert script.lines == (line,)
        case Problem() as problem:
            assert script.problems == (problem,)
        case None:
            raise AssertionError("a keyword is never silent")
