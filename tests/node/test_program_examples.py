"""The shipped examples load by their files, and give what something else than this engine gives."""

import io
import random
import re
import subprocess
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import urljoin

import pyarrow.csv
import pyarrow.parquet
import pytest
from planned_job import PlannedJob

import murmuration
from murmuration.client.jobs.programs import declared_number
from murmuration.node.executor.mapping import MapAttempt
from murmuration.node.executor.programs.program import load_program
from murmuration.node.executor.reducing import ReduceAttempt
from murmuration.node.executor.tasks import Extent, LoadProgram, MapTask, ReduceTask, RunSegment
from murmuration.scheduling.jobs import Program
from murmuration.scheduling.splits import cut_lines, splits_of_file

EXAMPLES = Path(murmuration.__file__).parent / "examples"
TEXT = b"to be, or\nnot to be\n"
PROSE = (Path(__file__).parents[2] / "ARCHITECTURE.md").read_bytes() + b"no newline at the end"


class Run:
    """Runs an example, or a step of one, over some files in this process."""

    def __init__(self, folder, name, *, partitions=1, split_size=1 << 30, input_format="text", step="", **params):
        body = (EXAMPLES / f"{name}.py").read_bytes()
        program = Program(kind="source", name=f"{name}.py{step}", body=body)
        self.folder, self.partitions, self.split_size = folder, partitions, split_size
        self.program = load_program(program, input_format=input_format, output_format="text")
        self.load = LoadProgram("0" * 16, "p", program, params, input_format, "text", partitions)
        self.counters = Counter()

    def over(self, **files):
        return self.bytes_over(**files).decode()

    def bytes_over(self, **files):
        runs = []
        for name, content in files.items():
            (self.folder / "in").write_bytes(content)
            cut = cut_lines(lambda begin, length, it=content: it[begin : begin + length], len(content), self.split_size)
            for split in splits_of_file(0, len(content), cut):
                output = self.folder / f"map{len(runs)}"
                extents = (Extent(str(self.folder / "in"), split.begin, split.end - split.begin),)
                file = name.replace("__", "/").replace("_", ".")
                task = MapTask("m", len(runs), file, split.first_line, split.begin, extents, str(output))
                done = MapAttempt(self.program, self.load, task).carry_out()
                self.counters += Counter(done.counters)
                runs.append(RunSegment(len(runs), str(output), done.digest))
        if not self.partitions:
            return b"".join(Path(run.path).read_bytes() for run in runs)
        return b"".join(self._reduced(number, tuple(runs)) for number in range(self.partitions))

    def _reduced(self, number, runs):
        output = self.folder / "part"
        ReduceAttempt(self.program, self.load, ReduceTask("r", number, runs, str(output))).carry_out()
        return output.read_bytes()


def pairs_of(output):
    return dict(line.split("\t") for line in output.splitlines())


def gnu(*command, content):
    done = subprocess.run(command, input=content, stdout=subprocess.PIPE, env={"LC_ALL": "C"}, check=False)
    return done.stdout


@pytest.mark.parametrize("name", ["wordcount", "wordcount_class", "wordcount_batch"])
def test_wordcount_counts_as_a_counter_does(tmp_path, name):
    told = pairs_of(Run(tmp_path, name, partitions=3, split_size=500).over(a=PROSE))
    assert {word: int(count) for word, count in told.items()} == Counter(PROSE.decode().split())


@pytest.mark.parametrize("pattern", ["peer", "e", "^$", "[0-9]+ .*s"])
def test_grep_finds_the_lines_of_gnu_grep_with_their_numbers(tmp_path, pattern):
    run = Run(tmp_path, "grep", partitions=0, split_size=700, pattern=pattern)
    wanted = gnu("grep", "-nE", pattern, content=PROSE).decode()
    assert run.over(a=PROSE) == re.sub(r"(?m)^(\d+):", r"\1\t", wanted)
    assert run.counters["matches"] == wanted.count("\n") > 0


def test_sort_orders_lines_as_gnu_sort_does(tmp_path):
    content = PROSE + b"\n\n\xff not text\n\xc3\xa9\nz\ta\n"
    assert Run(tmp_path, "sort", split_size=300).bytes_over(a=content) == gnu("sort", content=content)


def test_sort_by_key_leaves_lines_of_one_key_in_order(tmp_path):
    content = b"b\t2\na\t9\nb\t1\nbare\na\t\n"
    told = Run(tmp_path, "sort", input_format="key-value", split_size=8).over(a=content)
    wanted = gnu("sort", "-s", "-t\t", "-k1,1", content=content)
    assert told.encode() == wanted


def test_each_part_of_a_sort_is_sorted_and_together_they_hold_all_lines(tmp_path):
    told = Run(tmp_path, "sort", partitions=3, split_size=900).over(a=PROSE).splitlines()
    assert Counter(told) == Counter(PROSE.decode().split("\n"))
    assert sum(earlier > later for earlier, later in pairwise(told)) <= 2


def test_inverted_index_lists_every_place_and_no_other(tmp_path):
    told = pairs_of(Run(tmp_path, "inverted_index", partitions=2, split_size=600).over(a_txt=PROSE, b_txt=TEXT))
    lines = {"a.txt": PROSE.decode().split("\n"), "b.txt": TEXT.decode().split("\n")}
    places = {word: [place.rsplit(":", 2) for place in listed.split()] for word, listed in told.items()}
    for word, where in places.items():
        assert where == sorted(where, key=lambda place: (place[0], int(place[1]), int(place[2])))
        for file, line, column in where:
            assert lines[file][int(line) - 1][int(column) - 1 :].lower().startswith(word)
    letters = "".join(letter if letter.isalpha() else " " for letter in (PROSE + b"\n" + TEXT).decode().lower())
    assert {word: len(where) for word, where in places.items()} == Counter(letters.split())


PAGES = {
    "web__a_html": b'<a href="b.html#top">b</a> <A HREF=sub/c.html>c</A> <!-- <a href="no.html"> --> <a name="x">',
    "web__b_html": b'<p><a class="y" href="http://example.org/?q=1&amp;r=2">out</a><a href="#here">here</a>',
    "web__sub__c_html": b'<a href="../b.html">b</a><a href="/a.html">a</a><a href="../b.html">again</a><a href="">',
}


class Links(HTMLParser):
    """Collects links in the most plodding way."""

    def __init__(self):
        super().__init__()
        self.found = set()

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if tag == "a" and name == "href" and value and not value.startswith("#"):
                self.found.add(value)


def test_link_graph_is_the_reverse_of_the_links_that_a_browser_would_follow(tmp_path):
    told = pairs_of(Run(tmp_path, "link_graph", partitions=2, root="web").over(**PAGES))
    wanted = {}
    for name, content in PAGES.items():
        page = name.replace("__", "/").replace("_", ".")
        links = Links()
        links.feed(content.decode())
        for link in links.found:
            url = urljoin(f"http://here/{page.removeprefix('web/')}", link).partition("#")[0]
            wanted.setdefault(url.replace("http://here/", "web/"), set()).add(page)
    assert {target: set(pages.split()) for target, pages in told.items()} == wanted
    assert len(wanted) == 4


LOG = "".join(
    f'10.0.0.{n % 7} - frank smith [10/Oct/2000:13:55:{n % 60:02d} -0700] "{verb} {url} HTTP/1.{n % 2}" 200 {n} '
    '"http://from.example/" "Mozilla/4.08 [en] (Win98; I ;Nav)"\n'
    for n, (verb, url) in enumerate([("GET", "/"), ("POST", "/form?a=b"), ("GET", '/x\\"y'), ("HEAD", "/")] * 25)
).encode()


def test_url_frequency_counts_the_urls_of_a_log(tmp_path):
    run = Run(tmp_path, "url_frequency", partitions=2, split_size=999)
    told = pairs_of(run.over(log=LOG + b"\x2d junk\n" + b'h - - [t] "-" 408 0\n'))
    wanted = Counter(line.split(" HTTP/1.")[0].split(' "')[1].split(" ", 1)[1] for line in LOG.decode().splitlines())
    assert {url: int(count) for url, count in told.items()} == wanted
    assert run.counters["malformed"] == 2


def test_term_vectors_of_hosts_hold_their_commonest_words(tmp_path):
    words = PROSE.decode().split()
    hosts = ("one.example", "two.example")
    documents = [(hosts[n % 2], " ".join(words[n : n + 40])) for n in range(0, len(words), 40)]
    content = "".join(f"https://{host}:80/{n}\t{text}\n" for n, (host, text) in enumerate(documents)).encode()
    told = pairs_of(Run(tmp_path, "term_vector", partitions=2, split_size=700, terms="5", least="3").over(a=content))
    documents = [(line.split("/")[2].split(":")[0], line.split("\t")[1]) for line in content.decode().splitlines()]
    for host in {host for host, _ in documents}:
        mine = "".join(
            c if c.isalpha() else " " for each, text in documents if each == host for c in f"{text} ".lower()
        )
        counts = Counter(mine.split())
        wanted = sorted(counts, key=lambda word: (-counts[word], word))[:5]
        assert told[host] == " ".join(f"{word}:{counts[word]}" for word in wanted if counts[word] >= 3)


def test_top_words_are_those_of_a_counter_in_two_steps(tmp_path):
    counted = Run(tmp_path, "top_words", step="::1", partitions=3, split_size=500).over(a=PROSE)
    ranking = Run(tmp_path, "top_words", step="::2", input_format="key-value", split_size=99, top="7")
    ranked = [line.split("\t") for line in ranking.over(a=counted.encode()).splitlines()]
    counts = Counter(PROSE.decode().split())
    wanted = sorted(counts, key=lambda word: (-counts[word], word))[:7]
    assert ranked == [[word, str(counts[word])] for word in wanted]
    body = (EXAMPLES / "top_words.py").read_bytes()
    assert declared_number(Program(kind="source", name="t.py::2", body=body), "reducers") == 1


@pytest.mark.parametrize("reads", ["csv", "parquet"])
def test_totals_are_those_of_a_dict(tmp_path, reads):
    chance, totals, rows = random.Random(6), {}, []
    for _ in range(3000):
        city, amount = chance.choice(["Porto", "Évora", "São, Paulo"]), chance.randrange(-99, 999) / 4
        totals[city] = totals.get(city, 0) + amount
        rows.append({"amount": amount, "city": city})
    content = io.BytesIO()
    if reads == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), content, row_group_size=300)
    else:
        pyarrow.csv.write_csv(pyarrow.Table.from_pylist(rows), content)
    source, params = (EXAMPLES / "totals.py").read_text(), {"by": "city", "of": "amount"}
    formats = {"input_format": reads, "split_size": 5000, "reducers": 2}
    job = PlannedJob(tmp_path, source, {"in": content.getvalue()}, params=params, **formats)
    told = pairs_of(b"".join(job.parts()).decode())
    assert {city: float(total) for city, total in told.items()} == totals
    assert len(job.done) > 3


def test_examples_are_short_and_open_with_a_description():
    for path in EXAMPLES.glob("[a-z]*.py"):
        lines = path.read_text().splitlines()
        assert len(lines) <= 40, path
        assert lines[0].startswith('"""'), path
