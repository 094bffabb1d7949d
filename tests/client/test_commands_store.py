"""Commands about keys, files, peers and the ring: what they hand to the library and what they print."""

import io
import json
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from murmuration.client.commands.documents import context_from, context_token
from murmuration.client.commands.main import run_command
from murmuration.client.moves import MovePlan
from murmuration.client.store.collecting import PeerCollection
from murmuration.client.store.files import Entry
from murmuration.client.store.kv import KeyValues
from murmuration.node.wire.replies import KeyPut, PeerView, RingShown
from murmuration.ring.errors import Conflict, Unknown, WorldError
from murmuration.ring.facts import Liveness, Standing
from murmuration.ring.terms import Member, Quorum

CONTEXT = {"a.1": 3, "b.1": 1 << 60}


class FakeStore:
    """A key-value store that answers what it is told to, and remembers what it was asked."""

    def __init__(self, *values):
        self.values = values
        self.asked = []

    def put(self, key, value, *, context=None, quorum=None, **choices):
        self.asked.append((key, value, context, quorum))
        self.choices = choices
        return KeyPut(context=CONTEXT, replicas=3, primaries=2, fallbacks=1)

    def get(self, key, *, quorum=None):
        self.asked.append((key, quorum))
        return KeyValues(key=key, values=self.values, context=CONTEXT, replicas_answered=2)

    def delete(self, key, *, context=None, quorum=None):
        return self.put(key, None, context=context, quorum=quorum)

    def keys(self, prefix=b""):
        yield from (prefix + b"1", prefix + b"\xff")


class FakeFiles:
    """Files in the ring that are one entry, and remember what was asked of them."""

    def __init__(self):
        self.entry = Entry(path="ring:/d/x.txt", directory=False, size=2048, chunks=1, made_at=1.0)
        self.asked = []
        self.collected = [PeerCollection(peer="A", removed=2, removed_bytes=4096, waiting=1, held=1, due_in_s=90.0)]

    def put(self, local, target, **choices):
        choices.pop("progress")
        self.asked.append((local, target, choices))
        return [self.entry]

    def cat(self, source, begin=0, end=None):
        return iter([b"\x00\xff\n"[begin:end]])

    def ls(self, source):
        return [self.entry, Entry(path="ring:/d/sub", directory=True, size=0)]

    def stat(self, source):
        return self.entry

    def gc(self, *, grace_s, dry_run, progress):
        self.asked.append((grace_s, dry_run))
        return self.collected

    def rm(self, source, *, recursive=False):
        self.asked.append((source, recursive))
        return [source]


@pytest.fixture
def cluster(monkeypatch):
    member = Member(
        id="ab" * 16, name="A", url="tcp://h:1", bulk_url="tcp://h:2", host="h", directory="/d", zone="z", workers=2
    )
    client = SimpleNamespace(
        kv=FakeStore(b"v"),
        fs=FakeFiles(),
        peers=lambda **_: (PeerView(member=member, liveness=Liveness.SUSPECT, incarnation=5, load=0.5),),
        ring=lambda key: RingShown(
            vnodes=8,
            replicas=2,
            copies={"A": 10, "B": 6},
            vnode=3 if key else -1,
            primaries=("A", "B") if key else (),
        ),
        opened_with=None,
        moves=lambda: SimpleNamespace(under_way=lambda: client.under_way),
        under_way=[],
    )

    class Opened:
        def __init__(self, peers):
            client.opened_with = peers

        def __enter__(self):
            return client

        def __exit__(self, *error):
            pass

    monkeypatch.setattr("murmuration.client.api.Client", Opened)
    return client


def printed(capsys):
    return json.loads(capsys.readouterr().out)


def test_peer_option_may_be_given_more_than_once(cluster):
    run_command(["peers", "--peer", "tcp://a:1", "--peer", "tcp://b:2"])
    assert cluster.opened_with == ("tcp://a:1", "tcp://b:2")


def test_kv_get_as_json_gives_values_and_a_context_that_put_takes_back(cluster, capsys):
    assert run_command(["kv", "get", "k", "--json"]) == 0
    document = printed(capsys)
    promised = {"key": "k", "values": ["v"], "context": context_token(CONTEXT), "replicas_answered": 2}
    assert document == promised | {"primaries_answered": 0, "may_miss_newest": False}
    assert run_command(["kv", "put", "k", "new", "--context", document["context"]]) == 0
    assert cluster.kv.asked[-1] == (b"k", b"new", CONTEXT, Quorum())


def test_context_in_the_quotes_of_json_is_read_too():
    assert context_from(json.dumps(context_token(CONTEXT))) == CONTEXT
    assert context_from(context_token({})) == {}


def test_kv_get_writes_the_value_as_it_is(cluster, capsysbinary):
    cluster.kv = FakeStore(b"\x00\xff no newline")
    assert run_command(["kv", "get", "k"]) == 0
    assert capsysbinary.readouterr().out == b"\x00\xff no newline"


def test_kv_get_of_an_absent_key_ends_with_1(cluster, capsys):
    cluster.kv = FakeStore()
    assert run_command(["kv", "get", "k"]) == 1
    assert capsys.readouterr().err == "murmur: 'k' is absent\n"


def test_kv_get_of_siblings_writes_each_and_says_so(cluster, capsys):
    cluster.kv = FakeStore(b"one", b"two")
    assert run_command(["kv", "get", "k"]) == 0
    output = capsys.readouterr()
    assert output.out == "one\ntwo\n"
    assert "2 concurrent values" in output.err


def test_value_that_is_no_text_is_spelt_in_base64(cluster, capsys):
    cluster.kv = FakeStore(b"\xff")
    run_command(["kv", "get", "k", "--json"])
    assert printed(capsys)["values"] == [{"base64": "/w=="}]


def test_kv_put_takes_a_file_or_stdin(cluster, tmp_path, monkeypatch):
    (tmp_path / "f").write_bytes(b"of the file")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"of stdin")))
    assert run_command(["kv", "put", "k", "--file", str(tmp_path / "f")]) == 0
    assert run_command(["kv", "put", "k", "-"]) == 0
    assert [value for _, value, _, _ in cluster.kv.asked] == [b"of the file", b"of stdin"]


def test_kv_put_as_json_tells_what_was_reached(cluster, capsys):
    run_command(["kv", "put", "k", "v", "--json"])
    assert printed(capsys) == {
        "key": "k",
        "outcome": "written",
        "context": context_token(CONTEXT),
        "replicas": 3,
        "replicas_reached": 3,
        "primaries": 2,
        "fallbacks": 1,
        "siblings": 1,
        "old_value_lost": False,
        "may_miss_newest": False,
    }


def test_kv_put_hands_on_conditions_and_a_time_to_live(cluster):
    token = context_token(CONTEXT)
    assert run_command(["kv", "put", "k", "v", "--if-current", token, "--ttl", "250ms"]) == 0
    assert cluster.kv.choices == {"if_current": CONTEXT, "if_absent": False, "ttl_s": 0.25}
    assert run_command(["kv", "put", "k", "v", "--if-absent"]) == 0
    assert cluster.kv.choices == {"if_current": None, "if_absent": True, "ttl_s": None}
    assert run_command(["kv", "put", "k", "v", "--ttl", "soon"]) == 2


def failing(error):
    store = FakeStore()

    def fail(*words, **choices):
        raise error

    store.put = store.get = store.delete = fail
    return store


@pytest.mark.parametrize(
    ("error", "code", "outcome"),
    [
        (Conflict("not written: another value is there", (b"theirs",), CONTEXT), 6, "conflict"),
        (Unknown("1 of 2 copies"), 5, "unknown"),
        (WorldError("nothing was written: disk full"), 1, "failed"),
    ],
)
@pytest.mark.parametrize("words", [["put", "k", "v"], ["delete", "k"]])
def test_what_became_of_a_write_is_told_by_the_exit_code_and_as_json(cluster, capsys, words, error, code, outcome):
    cluster.kv = failing(error)
    assert run_command(["kv", *words, "--json"]) == code
    output = capsys.readouterr()
    document = json.loads(output.out)
    assert (document["outcome"], document["reason"]) == (outcome, str(error))
    assert output.err == f"murmur: {error}\n"
    if outcome == "conflict":
        assert (document["values"], document["context"]) == (["theirs"], context_token(CONTEXT))


def test_read_that_may_miss_the_newest_write_says_so(cluster, capsys):
    assert run_command(["kv", "get", "k", "--reads", "1"]) == 0
    assert "R + W = 3 is not above N = 3: a read may miss the newest write" in capsys.readouterr().err
    run_command(["kv", "get", "k", "--reads", "1", "--json"])
    assert printed(capsys)["may_miss_newest"] is True


def test_quorum_above_the_copies_is_wrong_use(cluster, capsys):
    assert run_command(["kv", "put", "k", "v", "--writes", "4"]) == 2
    assert "--writes 4 is more than the 3 copies" in capsys.readouterr().err


def test_loss_of_what_could_not_be_read_and_many_siblings_are_told(cluster, capsys):
    put = KeyPut(context=CONTEXT, replicas=3, primaries=3, fallbacks=0, siblings=12, replaced_corrupt=True)
    cluster.kv.put = lambda *words, **choices: put
    assert run_command(["kv", "put", "k", "v"]) == 0
    told = capsys.readouterr().err
    assert "what was there is lost" in told
    assert "12 concurrent values, and at 100 it is refused" in told


def test_kv_load_names_the_line_to_go_on_with(cluster, capsys, tmp_path):
    def put_many(pairs, *, progress, **choices):
        for done, (key, _) in enumerate(pairs):
            if key == b"bad":
                raise WorldError("disk full")
            progress.advance("keys", done + 1, done + 1)

    cluster.kv.put_many = put_many
    (tmp_path / "f.csv").write_text("a,1\nb,2\nbad,3\nc,4\n")
    assert run_command(["kv", "load", str(tmp_path / "f.csv")]) == 1
    assert capsys.readouterr().err == "murmur: disk full\n2 keys are loaded; go on with --from-line 3\n"
    (tmp_path / "g.csv").write_text("a,1\nb,2\n")
    assert run_command(["kv", "load", str(tmp_path / "g.csv"), "--from-line", "2", "--json"]) == 0
    assert printed(capsys) == {"loaded": 1}


def test_kv_dump_writes_lines_that_load_takes_and_tells_of_siblings(cluster, capsys):
    found = {b"p1": (b"v",), b"p\xff": (b"a", b"b")}
    cluster.kv.get_many = lambda keys: (
        KeyValues(key=key, values=found[key], context={}, replicas_answered=2) for key in keys
    )
    assert run_command(["kv", "dump", "p"]) == 0
    output = capsys.readouterr()
    assert [json.loads(line) for line in output.out.splitlines()] == [
        {"key": "p1", "value": "v"},
        {"key": {"base64": "cP8="}, "values": ["a", "b"]},
    ]
    assert "1 keys have concurrent values" in output.err


@pytest.mark.parametrize(
    ("words", "quorum"),
    [
        ([], Quorum(replicas=3, reads_required=2, writes_required=2)),
        (["--replicas", "1"], Quorum(replicas=1, reads_required=1, writes_required=1)),
        (["--replicas", "5", "--writes", "5"], Quorum(replicas=5, reads_required=3, writes_required=5)),
        (["--reads", "1", "--strict"], Quorum(replicas=3, reads_required=1, writes_required=2, strict=True)),
    ],
)
def test_quorum_not_given_is_a_majority_of_the_copies(cluster, words, quorum):
    run_command(["kv", "get", "k", *words])
    assert cluster.kv.asked == [(b"k", quorum)]


def test_kv_keys_are_lines_of_bytes_or_a_json_list(cluster, capsysbinary):
    assert run_command(["kv", "keys", "p"]) == 0
    assert capsysbinary.readouterr().out == b"p1\np\xff\n"
    assert run_command(["kv", "keys", "p", "--json"]) == 0
    assert json.loads(capsysbinary.readouterr().out) == ["p1", {"base64": "cP8="}]


def test_fs_put_hands_on_sizes_and_copies_and_prints_the_paths(cluster, capsys):
    assert run_command(["fs", "put", __file__, "ring:/d/", "--chunk-size", "1MiB", "--replicas", "5"]) == 0
    local, target, choices = cluster.fs.asked[0]
    assert (local, target) == ((__file__,), "ring:/d/")
    assert choices["chunk_size"] == 1 << 20
    assert choices["replicas"] == 5
    assert capsys.readouterr().out == "ring:/d/x.txt\n"


@pytest.mark.parametrize(
    ("span", "content"), [("1:2", b"\xff"), (":", b"\x00\xff\n"), ("1:", b"\xff\n"), (":1", b"\x00")]
)
def test_fs_cat_writes_the_bytes_of_the_range(cluster, capsysbinary, span, content):
    assert run_command(["fs", "cat", "ring:/d/x.txt", "--range", span]) == 0
    assert capsysbinary.readouterr().out == content


def test_fs_ls_is_a_table_or_a_json_list(cluster, capsys):
    assert run_command(["fs", "ls", "ring:/d"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("ring:/d/x.txt  2.00 KiB")
    assert lines[2].startswith("ring:/d/sub/ ")
    assert run_command(["fs", "ls", "ring:/d", "--json"]) == 0
    assert [entry["path"] for entry in printed(capsys)] == ["ring:/d/x.txt", "ring:/d/sub"]


def test_fs_stat_as_json_is_one_object(cluster, capsys):
    assert run_command(["fs", "stat", "ring:/d/x.txt", "--json"]) == 0
    assert printed(capsys)["size"] == 2048


def test_fs_rm_removes_each_path_given(cluster, capsys):
    assert run_command(["fs", "rm", "-r", "ring:/a", "ring:/b"]) == 0
    assert cluster.fs.asked == [("ring:/a", True), ("ring:/b", True)]
    assert capsys.readouterr().out == "ring:/a\nring:/b\n"


def test_peers_as_json_have_the_promised_keys(cluster, capsys):
    assert run_command(["peers", "--json"]) == 0
    (peer,) = printed(capsys)
    assert {"name", "id", "url", "zone", "state", "incarnation", "load", "disk"} <= peer.keys()
    assert (peer["state"], peer["load"], peer["disk"]) == ("suspect", 0.5, None)
    assert (peer["standing"], peer["sync"]) == ("valid", None)


def test_peers_is_a_table_with_their_state(cluster, capsys):
    assert run_command(["peers"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[:4] == ["A", "suspect", "?", "valid"]


def test_state_of_a_peer_is_that_of_its_life_whatever_its_standing(cluster, capsys):
    (view,) = cluster.peers()
    views = (
        replace(view, liveness=Liveness.ALIVE, standing=Standing.LEAVING, sync="relaxed"),
        replace(view, liveness=Liveness.LEFT, standing=Standing.REMOVED),
        replace(view, liveness=Liveness.LEFT),
    )
    cluster.peers = lambda **_: views
    run_command(["peers", "--json"])
    found = printed(capsys)
    assert [(peer["state"], peer["standing"]) for peer in found] == [
        ("alive", "leaving"),
        ("left", "removed"),
        ("left", "valid"),
    ]
    assert found[0]["sync"] == "relaxed"


def test_dead_peer_that_is_back_with_an_empty_disk_is_told_with_the_way_out(cluster, capsys):
    (view,) = cluster.peers()
    new = replace(view, member=replace(view.member, id="cd" * 16), liveness=Liveness.ALIVE)
    cluster.peers = lambda **_: (replace(view, liveness=Liveness.DEAD), new)
    assert run_command(["peers"]) == 0
    assert "`murmur replace abababab cdcdcdcd`" in capsys.readouterr().err


def test_metrics_tell_the_bytes_that_each_peer_has_to_move(cluster, capsys, monkeypatch):
    monkeypatch.setattr(
        "murmuration.client.measuring.metrics_of_all",
        lambda views: {each.member.id: {"transfer.sent_bytes": 2.0} for each in views},
    )
    monkeypatch.setattr(
        "murmuration.client.measuring.moves_of_all",
        lambda views: {each.member.id: {"transfer.to_move_bytes": 3_000_000.0} for each in views},
    )
    assert run_command(["metrics", "transfer", "--json"]) == 0
    assert printed(capsys) == {"A": {"transfer.sent_bytes": 2.0, "transfer.to_move_bytes": 3_000_000.0}}
    assert run_command(["metrics", "transfer"]) == 0
    assert "2.86 MiB" in capsys.readouterr().out


def test_metric_of_no_known_part_is_wrong_use_and_names_the_parts(cluster, capsys, monkeypatch):
    (view,) = cluster.peers()
    monkeypatch.setattr(
        "murmuration.client.measuring.metrics_of_all",
        lambda views: {each.member.id: {"hints.waiting": 2.0, "scrub.passes": 1.0} for each in views},
    )
    assert run_command(["metrics", "hint", "--json"]) == 0
    assert printed(capsys) == {"A": {"hints.waiting": 2.0}}
    assert run_command(["metrics", "hunts"]) == 2
    assert "no metric begins with 'hunts'; there are hints, scrub" in capsys.readouterr().err
    cluster.peers = lambda **_: (view, replace(view, member=replace(view.member, id="cd" * 16)))
    run_command(["metrics", "hints", "--json"])
    assert list(printed(capsys)) == ["A (abababab)", "A (cdcdcdcd)"]


def test_ring_shows_shares_and_balance(cluster, capsys):
    assert run_command(["ring"]) == 0
    output = capsys.readouterr()
    assert output.out.splitlines()[1].split() == ["A", "10", "62.5%"]
    assert "balance 0.80" in output.err


def test_ring_tells_who_joins_or_leaves_and_what_that_moves(cluster, capsys):
    (view,) = cluster.peers()
    plan = MovePlan(vnodes=2, keys=3, chunks=1, bytes=2048, zone_violations=0, silent=())
    cluster.under_way.append((replace(view, standing=Standing.LEAVING), plan))
    assert run_command(["ring"]) == 0
    told = "peer A is leaving: 3 copies of keys and 1 of chunks, 2.00 KiB move in all"
    assert told in capsys.readouterr().err.splitlines()
    run_command(["ring", "--json"])
    (member,) = printed(capsys)["moving"]["members"]
    assert (member["name"], member["standing"], member["bytes"]) == ("A", "leaving", 2048)


def test_ring_with_a_key_shows_its_homes(cluster, capsys):
    assert run_command(["ring", "k", "--json"]) == 0
    document = printed(capsys)
    assert document["vnode"] == 3
    assert document["primaries"] == ["A", "B"]


def test_peers_tells_for_whom_a_join_waits_only_where_too_many_homes_are_dead(cluster, capsys):
    def view(number, liveness=Liveness.ALIVE, standing=Standing.VALID):
        name = f"peer-{number}"
        member = Member(id=f"{number:032x}", name=name, url="tcp://h:1", bulk_url="tcp://h:2", host="h", directory="/d")
        return PeerView(member=member, liveness=liveness, incarnation=1, standing=standing)

    joining, dead = view(6, standing=Standing.JOINING), view(1, Liveness.DEAD)
    cluster.peers = lambda **_: (view(0), dead, joining)
    run_command(["peers"])
    assert "waits" not in capsys.readouterr().err
    cluster.peers = lambda **_: (view(0), dead, view(2, Liveness.DEAD), joining)
    run_command(["peers"])
    told = capsys.readouterr().err
    assert "the join of peer-6 waits for peer-1, peer-2" in told
    assert "murmur remove" in told


def test_gc_waits_a_day_unless_told_otherwise_and_tells_what_went_and_what_waits(cluster, capsys):
    assert run_command(["fs", "gc"]) == 0
    assert run_command(["fs", "gc", "--grace", "90min", "--dry-run"]) == 0
    assert cluster.fs.asked == [(86400.0, False), (5400.0, True)]
    shown = capsys.readouterr()
    assert "4.00 KiB" in shown.out
    assert "WOULD GO" in shown.out
    assert "can go in 90 s" in shown.err
    assert "has not ended" in shown.err


def test_gc_as_json_is_one_document_and_a_peer_that_removed_nothing_ends_it_with_1(cluster, capsys):
    cluster.fs.collected.append(PeerCollection(peer="B", refused="its disk takes no writes"))
    assert run_command(["fs", "gc", "--json"]) == 1
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert [peer["removed"] for peer in document["peers"]] == [2, 0]
    assert "B has removed nothing: its disk takes no writes" in shown.err


def test_gc_refuses_a_grace_that_is_no_time(cluster):
    assert run_command(["fs", "gc", "--grace", "soon"]) == 2
