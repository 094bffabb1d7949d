"""Put messages between peers into few words, as ladders show them."""

from ...ring.facts import Update
from ...ring.messages import (
    Accept,
    Accepted,
    CoordinatePut,
    FetchVersions,
    Gossip,
    Prepare,
    Promised,
    StoreChunk,
    StoreVersions,
)
from ...scheduling.messages import Claim, ClaimNews, JobNews, TableOffer, TableWanted


def title_of_message(message: object) -> str:
    """Name a message and what matters of its content."""
    kind = type(message).__name__
    detail = _detail(message)
    return f"{kind} {detail}" if detail else kind


def _detail(message: object) -> str:
    match message:
        case JobNews(epoch=epoch, kill=kill, seal=seal, ending=ending):
            told = [name for name, known in (("kill", kill), ("seal", seal), ("ending", ending)) if known]
            return " ".join([f"epoch {epoch}", *told])
        case ClaimNews(claims=claims):
            return " ".join(_claim(claim) for claim in claims[:3]) + (" …" if len(claims) > 3 else "")
        case Prepare(ballot=ballot) | Accept(ballot=ballot):
            return f"{ballot.round}/{ballot.proposer[:4]}"
        case Promised(ballot=ballot, promised=promised) | Accepted(ballot=ballot, promised=promised):
            return f"{promised.round}/{promised.proposer[:4]}" + ("" if promised == ballot else " refused")
        case StoreVersions(hint_for=target, versions=versions):
            dots = " ".join(f"{sibling.dot.actor[:4]}:{sibling.dot.counter}" for sibling in versions.siblings)
            return dots + (f" for {target[:4]}" if target else "")
        case StoreChunk(hint_for=target) if target:
            return f"for {target[:4]}"
        case Gossip(news=news):
            return " ".join(_update(update) for update in news[:3])
        case _:
            return ""


def _claim(claim: Claim) -> str:
    return f"{'m' if claim.phase == 0 else 'r'}{claim.task} {claim.account.stage.name.lower()}"


def _update(update: Update) -> str:
    return f"{update.member.name} {update.liveness.name.lower()}"


def key_of(message: object) -> str:
    """Tell which key or job a message is about; empty where it is about neither."""
    match message:
        case JobNews(job=job) | ClaimNews(job=job) | TableWanted(job=job):
            return job
        case TableOffer():
            return ""
        case Prepare(key=key) | Accept(key=key):
            return key.decode(errors="replace")
        case CoordinatePut(key=key) | StoreVersions(key=key) | FetchVersions(key=key):
            return key.decode(errors="replace")
        case _:
            return ""
