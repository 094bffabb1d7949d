"""A timer that is hurried stays one timer."""

from murmuration.ring.alarm import Alarm
from murmuration.ring.effects import WakeAt
from murmuration.ring.events import GossipDue
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
