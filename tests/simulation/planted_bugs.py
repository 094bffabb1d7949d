"""List bugs to plant: one-line mutations of the product, each of which the checkers must catch within 1,000 seeds.

The right code is quoted as it stands; where the product has moved on, `plant` says so and the quotation is renewed.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PlantedBug:
    """A mistake that somebody could make: `old` in `file` becomes `new`."""

    name: str
    file: str
    old: str
    new: str
    first: int = 0
    """The seed that the hunt begins with: what takes a kill at the very moment is hunted from one that has it."""

    def plant(self, root: Path) -> None:
        """Plant it in a private copy of the product.

        Raises:
            LookupError: the right code does not stand there once.
        """
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise LookupError(f"{self.name}: {self.file} holds {text.count(self.old)} times {self.old!r}")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


PLANTED_BUGS = (
    PlantedBug(
        "acknowledged before W copies are durable",
        "ring/requests/quorum.py",
        "return len(self.holders) >= self._required",
        "return len(self.holders) >= 0",
    ),
    PlantedBug(
        "hint never set down",
        "ring/copies/replica.py",
        "if operation.hint_for is not None:",
        "if False:",
    ),
    PlantedBug(
        "hint dropped when it is sent",
        "ring/handoff/delivery.py",
        "return [*(Send(to=peer, message=message) for peer in receivers), *self._alarm.set(flight.due)]",
        "return [*(Send(to=peer, message=message) for peer in receivers), *self._drop(hint)]",
    ),
    PlantedBug(
        "merge brings overwritten values back",
        "ring/copies/versions.py",
        "for dot, sibling in theirs.items() if dot not in ours and not _saw(a.seen, dot)]",
        "for dot, sibling in theirs.items() if dot not in ours]",
    ),
    PlantedBug(
        "merge drops concurrent values",
        "ring/copies/versions.py",
        "kept += [sibling for dot, sibling in theirs.items()",
        "kept += [sibling for dot, sibling in list(theirs.items())[:0]",
    ),
    PlantedBug(
        "put overwrites what it has not read",
        "ring/copies/versions.py",
        "kept = [sibling for sibling in versions.siblings if not _saw(context, sibling.dot)]",
        "kept = [sibling for sibling in versions.siblings[:0]]",
    ),
    PlantedBug(
        "put keeps what it has read",
        "ring/copies/versions.py",
        "kept = [sibling for sibling in versions.siblings if not _saw(context, sibling.dot)]",
        "kept = [sibling for sibling in versions.siblings]",
    ),
    PlantedBug(
        "dot used again",
        "ring/copies/versions.py",
        "counter = seen.get(actor, 0) + 1",
        "counter = max(1, seen.get(actor, 0))",
    ),
    PlantedBug(
        "acceptor forgets its promise",
        "ring/copies/replica.py",
        "(state.promised > operation.ballot or state.accepted == operation.ballot)",
        "(state.accepted == operation.ballot)",
    ),
    PlantedBug(
        "proposer ignores what may be chosen already",
        "ring/requests/registers.py",
        "_, proposal.value = max(found)",
        "pass",
    ),
    PlantedBug(
        "one acceptor makes a majority",
        "ring/requests/registers.py",
        "if len(proposal.granted) < proposal.majority:",
        "if len(proposal.granted) < 1:",
    ),
    PlantedBug(
        "dead peer comes back at its old incarnation",
        "ring/membership/beliefs.py",
        "_DEAD: {_ALIVE: _KEEP,",
        "_DEAD: {_ALIVE: _TAKE,",
    ),
    PlantedBug(
        "news of an older incarnation believed",
        "ring/membership/beliefs.py",
        "if clashes(held, heard) or heard.incarnation < held.incarnation:",
        "if clashes(held, heard):",
    ),
    PlantedBug(
        "suspicion ripens at once",
        "ring/membership/suspicion.py",
        "return multiplier * max(1.0, log10(max(1, members))) * interval_s",
        "return 0.0",
    ),
    PlantedBug(
        "prober deaf to what relays say",
        "ring/membership/probing.py",
        "probe.nacks.add(relay)",
        "pass",
    ),
    PlantedBug(
        "relay silent about a missing answer",
        "ring/membership/relaying.py",
        "return [] if relayed is None else [Send(to=relayed.asker, message=Nack(sequence=relayed.sequence))]",
        "return []",
    ),
    PlantedBug(
        "newcomer owns keys before they are passed on",
        "ring/transfer/transfer.py",
        "return self._served.get(peer) == epoch and self._roster.moves.get(peer, (None, -1))[1] == epoch",
        "return True",
    ),
    PlantedBug(
        "keys of a peer that leaves stay behind",
        "ring/transfer/walk.py",
        "return [peer for peer in wanted if peer != roster.me and (walk.only is None or peer in walk.only)]",
        "return []",
    ),
    PlantedBug(
        "removal forgotten over news of another start",
        "ring/membership/learning.py",
        "return self.believe(now, with_senior_standing(heard, held))",
        "return self.believe(now, heard)",
    ),
    PlantedBug(
        "split edge off by one",
        "scheduling/splits.py",
        "borders.append(found)",
        "borders.append((found[0] + 1, found[1]))",
        first=48,
    ),
    PlantedBug(
        "claim without start number",
        "scheduling/flock.py",
        "return start is not None and start_of(Incarnation(attempt.incarnation)) >= start",
        "return start is not None",
    ),
    PlantedBug(
        "lost run still taken for done",
        "scheduling/claims/table.py",
        "if account is not None and account.stage is Stage.DONE else None",
        "if account is not None and account.stage >= Stage.DONE else None",
    ),
    PlantedBug(
        "nobody succeeds a dead tracker",
        "scheduling/tracker/tracking.py",
        "if job.id in self._applied or self._is_due(job):",
        "if False:",
    ),
    PlantedBug(
        "older epoch followed",
        "scheduling/replica/job.py",
        "if epoch == 0 or not outranks(epoch, tracker, self.epoch, self.tracker):",
        "if epoch == 0 or (epoch, tracker) == (self.epoch, self.tracker):",
    ),
    PlantedBug(
        "kill kept for oneself",
        "scheduling/replica/news.py",
        "if news.kill:",
        "if False:",
    ),
    PlantedBug(
        "peer's death counts as the user's error",
        "scheduling/replica/verdicts.py",
        "return errors[-1] if errors and len(charged(record, errors)) >= record.spec.max_attempts else None",
        "return UserError(kind='Died', message='') if len(row) >= record.spec.max_attempts else None",
    ),
    PlantedBug(
        "reducer skips runs that it cannot read",
        "scheduling/worker/attempts.py",
        "self._lose_runs(job, running, split)",
        "pass",
    ),
    PlantedBug(
        "early alarm believed",
        "node/steady.py",
        "if told + self._lost_s < at:",
        "if False:",
    ),
    PlantedBug(
        "corrupt row taken for absent",
        "ring/copies/replica.py",
        "return {}, StoreFailed(reason=str(error), is_corrupt=True)",
        "return {}, VersionsRead(versions=None)",
    ),
    PlantedBug(
        "corrupt copy not repaired by reads",
        "ring/requests/gets.py",
        "if peer in get.unreadable or (peer in get.answers and not _is_current(get.answers[peer], merged))",
        "if (peer in get.answers and not _is_current(get.answers[peer], merged))",
    ),
    PlantedBug(
        "condition of a put ignored",
        "ring/copies/replica.py",
        "if not sets.holds(operation.condition, operation.context, held):",
        "if False:",
    ),
    PlantedBug(
        "value served after its end",
        "ring/copies/replica.py",
        "return {}, VersionsRead(versions=None if versions is None else sets.expired(versions, unix_ms))",
        "return {}, VersionsRead(versions=versions)",
    ),
    PlantedBug(
        "end of a value never set down",
        "ring/copies/replica.py",
        "ended = versions if versions is None else sets.expired(versions, unix_ms)",
        "ended = versions",
    ),
    PlantedBug(
        "strict write counts fallbacks",
        "ring/requests/quorum.py",
        "self._unused = [] if quorum.strict else list(preference[count:])",
        "self._unused = list(preference[count:])",
    ),
    PlantedBug(
        "strict read content with one answer",
        "ring/requests/gets.py",
        "return required_of(self.event.quorum.reads_required, len(self.primaries))",
        "return 1",
    ),
    PlantedBug(
        "runs kept for ever",
        "scheduling/retention.py",
        "self._desk.emit(ForgetJob(job=job.id))",
        "pass",
    ),
    PlantedBug(
        "totals count what reducers read",
        "scheduling/replica/verdicts.py",
        "records=sum(report.records_in for report in maps),",
        "records=sum(report.records_in for report in known),",
    ),
    PlantedBug(
        "peer that has left comes back at its old incarnation",
        "ring/membership/beliefs.py",
        "_LEFT: {_ALIVE: _KEEP,",
        "_LEFT: {_ALIVE: _TAKE,",
    ),
    PlantedBug(
        "peer that leaves looks for its place among those who stay",
        "scheduling/tracker/tracking.py",
        "if self._desk.me not in order:",
        "if False:",
    ),
    PlantedBug(
        "tree not updated by a merge",
        "ring/copies/index.py",
        "self._change(tree, leaf, xor(before, after))",
        "pass",
    ),
    PlantedBug(
        "key that one home lacks not repaired",
        "ring/entropy/comparing.py",
        "(own is None or other is None or own.print != other.print)",
        "(own is not None and other is not None and own.print != other.print)",
    ),
    PlantedBug(
        "tombstone reaped without proof",
        "ring/entropy/reaping.py",
        "if self.is_proven(tree, homes, ripe_at):",
        "if True:",
    ),
    PlantedBug(
        "stray given up before all its homes have it",
        "ring/entropy/strays.py",
        "if flight.awaited or flight.versions is None:",
        "if flight.versions is None:",
    ),
    PlantedBug(
        "old disk goes on under its id",
        "ring/membership/lineage.py",
        "if answer.known > self._recorded:",
        "if False:",
    ),
    PlantedBug(
        "offer given up before the last home has answered",
        "ring/requests/chunks.py",
        "return all(peer in offer.heard for peer in offer.homes if self._roster.alive(peer))",
        "return any(peer in offer.heard for peer in offer.homes if self._roster.alive(peer))",
    ),
    PlantedBug(
        "fallback not told for whom it keeps a copy",
        "ring/requests/quorum.py",
        "return [Copy(to=peer, hint_for=None if peer == slot.primary else slot.primary), *hints]",
        "return [Copy(to=peer, hint_for=None), *hints]",
    ),
    PlantedBug(
        "newer copy overwritten by an older one",
        "ring/copies/replica.py",
        "merged = sets.join(held or sets.EMPTY, versions)",
        "merged = versions",
    ),
    PlantedBug(
        "value that has ended revived by a copy that has not",
        "ring/copies/versions.py",
        "is_stronger = (sibling.value is None) == (sibling.expires_at > 0)",
        "is_stronger = sibling.value is not None",
    ),
    PlantedBug(
        "hint that goes with a write is not set down",
        "ring/copies/replica.py",
        "for target in operation.hints_for:",
        "for target in ():",
    ),
    PlantedBug(
        "conditional put looks at one home only",
        "ring/requests/coordinator.py",
        "if order.condition is Condition.NONE:",
        "if True:",
    ),
    PlantedBug(
        "write does not reach a peer that is joining",
        "ring/placement/roster.py",
        "return self.keepers(vnode, count)[len(self.placement.primaries(vnode, count)) :]",
        "return ()",
    ),
    PlantedBug(
        "joining peer counts for W",
        "ring/requests/quorum.py",
        "return len(self.holders) >= self._required and not self._is_held_up",
        "return len(self.holders) + len(self._pending) >= self._required",
    ),
    PlantedBug(
        "peer has left before others have what it keeps",
        "ring/membership/registry.py",
        "if self._waits_for() or not self._done or self._is_chunk_walk_due:",
        "if self._own.standing is Standing.LEAVING:\n            return True\n"
        "        if self._waits_for() or not self._done or self._is_chunk_walk_due:",
    ),
    PlantedBug(
        "exchange blind to half of the leaves",
        "ring/copies/trees.py",
        "return [leaf for leaf in range(LEAVES) if",
        "return [leaf for leaf in range(LEAVES // 2) if",
    ),
    PlantedBug(
        "peer votes before it knows its disk",
        "ring/membership/lineage.py",
        "self.may_vote = recorded == 0",
        "self.may_vote = True",
    ),
    PlantedBug(
        "killed peer goes by its own row alone",
        "ring/machine.py",
        "parts.lineage.resumed(parts.member_rows.own)",
        "parts.member_rows.own",
        first=1894,
    ),
    PlantedBug(
        "removed peer still a home",
        "ring/placement/roster.py",
        "_CURRENT = frozenset({Standing.VALID, Standing.LEAVING})",
        "_CURRENT = frozenset({Standing.VALID, Standing.LEAVING, Standing.REMOVED})",
    ),
    PlantedBug(
        "side files of map attempts are not stored",
        "scheduling/worker/attempts.py",
        "if running.phase is not job.final and not (event.side or event.outputs):",
        "if running.phase is not job.final:",
    ),
    PlantedBug(
        "attempt after a failed one is not careful",
        "scheduling/worker/claiming.py",
        "skip=places_to_skip(job.record, job.table.row(phase, task)),",
        "skip=None,",
    ),
    PlantedBug(
        "ranges dealt from the last to the first",
        "scheduling/cuts.py",
        "return [bisect_right(cuts, key) for key in keys]",
        "return [len(cuts) - bisect_right(cuts, key) for key in keys]",
    ),
    PlantedBug(
        "speculative attempt is a rival of the one it is to overtake",
        "scheduling/worker/attempts.py",
        "rivals = [at for at in active_attempts(row, self._desk.flock) if at.speculative is is_speculative]",
        "rivals = [at for at in active_attempts(row, self._desk.flock) if at.speculative in (True, is_speculative)]",
    ),
    PlantedBug(
        "attempt at a done task goes on",
        "scheduling/worker/attempts.py",
        "if running.task in job.boards[running.phase].results:",
        "if False:",
    ),
    PlantedBug(
        "task claimed ahead does not wait for its slot",
        "scheduling/claims/slots.py",
        "if self._computing >= self.capacity:",
        "if False:",
    ),
    PlantedBug(
        "only the first of a handful is claimed",
        "scheduling/worker/claiming.py",
        "desk.claim(job, phase, start.task, start.attempt, Account(Stage.CLAIMED))",
        "desk.claim(job, phase, starts[0].task, starts[0].attempt, Account(Stage.CLAIMED))",
    ),
    PlantedBug(
        "of a handful claimed ahead only the first is begun",
        "scheduling/worker/claiming.py",
        "starts=tuple(running.start for running in handful.open.values())",
        "starts=tuple(running.start for running in handful.open.values())[:1]",
    ),
    PlantedBug(
        "released task stays claimed",
        "scheduling/claims/board.py",
        "if account.stage <= Stage.RUNNING and flock.runs(attempt)]",
        "if account.stage <= Stage.RELEASED and flock.runs(attempt)]",
    ),
    PlantedBug(
        "earlier account of an attempt wins",
        "scheduling/claims/table.py",
        "return max(one, other, key=lambda account: (account.stage, account.fraction))",
        "return min(one, other, key=lambda account: (account.stage, account.fraction))",
    ),
    PlantedBug(
        "client that is gone is not missed",
        "scheduling/reception/clients.py",
        "return 2 * missed_by > len(job.record.electorate)",
        "return False",
        first=40,
    ),
    PlantedBug(
        "killed job goes on where it runs",
        "scheduling/worker/attempts.py",
        "over = job.killed or not job.live",
        "over = not job.live",
    ),
    PlantedBug(
        "loser of a race goes on",
        "scheduling/worker/attempts.py",
        "return winner != running.attempt",
        "return winner == running.attempt",
    ),
    PlantedBug(
        "newcomers do not vote",
        "scheduling/tracker/succession.py",
        "reachable += flock.newcomers(job_key(job))[: most - len(reachable)]",
        "reachable += ()",
    ),
    PlantedBug(
        "third failure of user code taken for its last",
        "scheduling/replica/verdicts.py",
        "return errors[-1] if errors and len(charged(record, errors)) >= record.spec.max_attempts else None",
        "return errors[-1] if errors and len(charged(record, errors)) >= record.spec.max_attempts - 1 else None",
    ),
    PlantedBug(
        "record that kills its process is never left out",
        "scheduling/replica/skipping.py",
        "if count >= DEATHS_TO_SKIP",
        "if False",
    ),
    PlantedBug(
        "program that goes by chance passes in silence",
        "scheduling/replica/verdicts.py",
        "return next(((done[0], other) for other in done if digests[other] != digests[done[0]]), None)",
        "return None",
        first=80,
    ),
    PlantedBug(
        "ending told before the output is stored",
        "scheduling/tracker/tracking.py",
        "if ending.state is not JobState.DONE or key is None:",
        "if True:",
    ),
    PlantedBug(
        "tables that differ are not exchanged",
        "scheduling/reception/exchange.py",
        "elif job.digest() != summary.digest:",
        "elif False:",
    ),
    PlantedBug(
        "map phase sealed with the content of one attempt and the name of another",
        "scheduling/replica/verdicts.py",
        "winners.append(Winner(result.attempt, result.report.digest))",
        "winners.append(Winner(board.results[0].attempt, result.report.digest))",
    ),
    PlantedBug(
        "start does not look for the jobs whose files it finds",
        "scheduling/reception/leavings.py",
        "for job in sorted(self._left):",
        "for job in sorted(self._left)[:0]:",
    ),
    PlantedBug(
        "peer that is back is still taken for silent",
        "node/knocks.py",
        "self._found.pop(peer, None)",
        "self._found.get(peer)",
    ),
    PlantedBug(
        "coordinator keeps its name for a key whose copy it gave up",
        "ring/requests/actors.py",
        "self._parted[_name(key)] += 1",
        "self._parted[_name(key)] += 0",
        first=1680,
    ),
    PlantedBug(
        "upload leaves the mark for collection on",
        "ring/copies/marks.py",
        "if _is_there(row, read) and not (operation.is_copy and",
        "if False and not (operation.is_copy and",
    ),
    PlantedBug(
        "collection by the names that this peer itself keeps",
        "ring/collecting/naming.py",
        "if held.standing is not Standing.REMOVED]",
        "if peer == self.roster.me]",
    ),
    PlantedBug(
        "chunk collected without a grace",
        "ring/copies/marks.py",
        "left_s = mark.lived_s + operation.grace_s - operation.lived_s",
        "left_s = 0.0",
    ),
    PlantedBug(
        "marks are always of now",
        "ring/copies/marks.py",
        "return mark if mark is not None and not mark.was_collected and mark.lived_s <= lived_s else None",
        "return None",
    ),
)
