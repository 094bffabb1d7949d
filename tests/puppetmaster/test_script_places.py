"""Addresses in scripts are known however they are spelt, and told apart by what they name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmuration.puppetmaster.language.places import Place, Role, parse_host_map, parse_place
from murmuration.ring.errors import CallerError


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("tcp://localhost:30001/W", Place(host="localhost", port=30001, service="W")),
        ("TCP://LOCALHOST:20001/PM", Place(host="localhost", port=20001, service="PM")),
        ("tcp://192.168.1.66:30001/W", Place(host="192.168.1.66", port=30001, service="W")),
        ("tcp://lab-7_p3.campus.example:30001/W-1", Place(host="lab-7_p3.campus.example", port=30001, service="W-1")),
        ("tcp://[FE80::1]:30001/W", Place(host="fe80::1", port=30001, service="W")),
        ("tcp://localhost:30001", Place(host="localhost", port=30001)),
        ("tcp://localhost:30001/", Place(host="localhost", port=30001)),
        ("localhost:30001", Place(host="localhost", port=30001)),
    ],
)
def test_address_is_read_however_it_is_spelt(text, place):
    assert parse_place(text) == place


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tcp",
        "tcp//localhost:1/W",
        "tcp://localhost/W",
        "tcp://:1/W",
        "tcp://h:0/W",
        "tcp://h:65536",
        "http://h:1",
        "tcp://h:\u0661/W",
        "tcp://h:-1/W",
        "tcp://a b:1",
        "ENTRY-URL",
        "tcp:\\\\h:1\\W",
    ],
)
def test_address_that_is_none_is_refused_with_the_way_to_write_it(text):
    with pytest.raises(CallerError, match="tcp://HOST:PORT/SERVICE"):
        parse_place(text)


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("tcp://h:1/W", Role.WORKER),
        ("tcp://h:1/w2", Role.WORKER),
        ("tcp://h:1/Map-Worker-Service", Role.WORKER),
        ("tcp://h:10001/WORKER1", Role.WORKER),
        ("tcp://h:1/PM", Role.PUPPET_MASTER),
        ("tcp://h:30001/PuppetMaster", Role.PUPPET_MASTER),
        ("tcp://h:1/C", Role.CLIENT),
        ("tcp://h:1/Client-1", Role.CLIENT),
        ("tcp://h:10001", Role.CLIENT),
        ("tcp://h:19999/x", Role.CLIENT),
        ("tcp://h:20001/x", Role.PUPPET_MASTER),
        ("tcp://h:29999", Role.PUPPET_MASTER),
        ("tcp://h:30001/Wombat", Role.WORKER),
        ("tcp://h:39999", Role.WORKER),
        ("tcp://h:40000/x", None),
        ("tcp://h:20000", None),
    ],
)
def test_role_is_told_by_the_service_before_the_port(text, role):
    assert parse_place(text).role is role


def test_addresses_are_the_same_whatever_their_service_is_called():
    assert parse_place("tcp://localhost:30001/W").is_same(parse_place("TCP://127.0.0.1:30001/Worker"))
    assert not parse_place("tcp://localhost:30001/W").is_same(parse_place("tcp://localhost:30002/W"))


def test_address_is_here_on_loopback_or_under_a_name_of_this_machine():
    assert parse_place("tcp://localhost:1").is_here()
    assert parse_place("tcp://127.0.1.1:1").is_here()
    assert parse_place("tcp://[::1]:1").is_here()
    assert parse_place("tcp://LAB7:1").is_here({"lab7"})
    assert not parse_place("tcp://lab8:1").is_here({"lab7"})


def test_mapped_host_keeps_port_and_service():
    hosts = parse_host_map(["LAB7=10.0.0.7", "lab8 = [::1]"])
    assert str(parse_place("tcp://Lab7:30001/W").mapped(hosts)) == "tcp://10.0.0.7:30001/W"
    assert parse_place("tcp://lab8:30001/W").mapped(hosts).endpoint == "tcp://[::1]:30001"
    assert parse_place("tcp://lab9:30001/W").mapped(hosts).host == "lab9"


@pytest.mark.parametrize("word", ["", "lab7", "=10.0.0.7", "lab7="])
def test_host_map_of_another_form_is_refused(word):
    with pytest.raises(CallerError, match="NAME=ADDR"):
        parse_host_map([word])


@given(
    st.integers(1, 65535),
    st.sampled_from(["localhost", "10.0.0.1", "a-b.c", "::1"]),
    st.sampled_from(["", "W", "PM-2"]),
)
def test_place_spelt_and_read_again_is_the_same_address(port, host, service):
    place = Place(host=host, port=port, service=service)
    again = parse_place(str(place))
    assert again.is_same(place)
    assert again.role is place.role
