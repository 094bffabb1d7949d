"""Put the settings of all parts of the storage half together."""

from dataclasses import dataclass, field

from .collecting.settings import CollectSettings
from .entropy.settings import EntropySettings
from .handoff.settings import HandoffSettings
from .membership.registry import RegistrySettings
from .membership.swim import MembershipSettings
from .repair.scrub import ScrubSettings
from .requests.quorum import QuorumSettings
from .requests.registers import RegisterSettings
from .terms import VNODES
from .transfer.transfer import TransferSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class RingSettings:
    """Put the settings of the parts together; all peers of a cluster must agree on `vnodes` and `replicas`."""

    vnodes: int = VNODES
    replicas: int = 3
    membership: MembershipSettings = field(default_factory=MembershipSettings)
    quorum: QuorumSettings = field(default_factory=QuorumSettings)
    registers: RegisterSettings = field(default_factory=RegisterSettings)
    handoff: HandoffSettings = field(default_factory=HandoffSettings)
    transfer: TransferSettings = field(default_factory=TransferSettings)
    registry: RegistrySettings = field(default_factory=RegistrySettings)
    scrub: ScrubSettings = field(default_factory=ScrubSettings)
    entropy: EntropySettings = field(default_factory=EntropySettings)
    collect: CollectSettings = field(default_factory=CollectSettings)
