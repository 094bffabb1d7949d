"""A timer that is hurried stays one timer."""

from murmuration.ring.alarm import Alarm, RequestAlarms
from murmuration.ring.effects import WakeAt
from murmuration.ring.events import GossipDue, RequestDue
from murmuration.ring.owners import Owner
from murmuration.ring.terms import Instant


def test_alarm_hurried_rings_at_the_earlier_instant_only() -> None:
    alarm = Alarm(GossipDue())
    assert alarm.set(Instant(5.0)) == [WakeAt(at=Instant(5.0), event=GossipDue())]
    assert alarm.set(Instant(3.0)) == [WakeAt(at=Instant(3.0), event=GossipDue())]
    assert alarm.rings(Instant(3.0))
    assert not alarm.rings(Instant(5.0))


def test_alarm_set_later_than_it_is_already_stays_as_it_is() -> None:
    alarm = Alarm(GossipDue())
    alarm.set(Instant(3.0))
    assert alarm.set(Instant(4.0)) == []
    assert alarm.rings(Instant(3.1))


def test_alarm_overtaken_does_not_ring_before_its_next_setting() -> None:
    alarm = Alarm(GossipDue())
    alarm.set(Instant(5.0))
    alarm.set(Instant(3.0))
    alarm.rings(Instant(3.0))
    alarm.set(Instant(6.0))
    assert not alarm.rings(Instant(5.0))
    assert alarm.rings(Instant(6.0))


def test_requests_of_one_part_share_a_timer_and_ring_in_order() -> None:
    alarms = RequestAlarms(Owner.PUTS)
    event = RequestDue(request="", owner=Owner.PUTS)
    assert alarms.set("a", Instant(3.0)) == [WakeAt(at=Instant(3.0), event=event)]
    assert alarms.set("b", Instant(4.0)) == []
    assert alarms.rung(Instant(3.0)) == ["a"]
    assert alarms.wake() == [WakeAt(at=Instant(4.0), event=event)]
    assert alarms.rung(Instant(4.0)) == ["b"]
    assert alarms.wake() == []


def test_request_that_has_ended_does_not_ring_nor_keep_the_timer() -> None:
    alarms = RequestAlarms(Owner.GETS)
    for request, at in (("a", 3.0), ("b", 4.0), ("c", 5.0)):
        alarms.set(request, Instant(at))
    alarms.drop("a")
    alarms.drop("b")
    assert alarms.rung(Instant(3.0)) == []
    assert [wake.at for wake in alarms.wake() if isinstance(wake, WakeAt)] == [Instant(5.0)]


def test_request_that_is_hurried_rings_once() -> None:
    alarms = RequestAlarms(Owner.COORDINATOR)
    alarms.set("a", Instant(5.0))
    alarms.set("a", Instant(3.0))
    assert alarms.rung(Instant(3.0)) == ["a"]
    alarms.wake()
    assert alarms.rung(Instant(5.0)) == []
