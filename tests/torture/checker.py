"""What the crash rig knows from outside: what was sent, what was acknowledged, what was seen.

Every fact goes to a log of its own that is synced before the next message is sent, and into the
model that the invariants are checked against. The model is made from nothing but these facts, so
that a kept log can be checked again: crash.py --verify.

The invariants, in reliability.md's numbers: I1 every acknowledged submit exists exactly once; I2 one
final state for a job, never changed, and the same for everybody who is told; I3 what was streamed is
durable, numbered without a gap; I5 nothing new begins after an accepted cancel; I6 no sleep ends
early; I8 a replay takes the same way (the yields and the result are those that the job must give,
each once and in order); I11 an answer that says "unknown" counts as neither yes nor no. Beside them:
S, no semaphore is held more often than it has permits; R, nothing expires that may not; E, a signal
that was acknowledged is not forgotten.
"""

import collections
import json
import os
import time

from kinds import is_guests, key_of, kind_of

ENDS = ("job.completed", "job.failed", "job.cancelled")
OVERLAP = 200     # events behind the cursor that are read once more after each restart
ENDS_SLACK = 300  # jobs that end at the same time expire in another order than their events have


class Violation(Exception):
    """Something that was promised does not hold."""


def expect(condition, *words):
    if not condition:
        raise Violation(" ".join(str(w) for w in words))


class Log:
    """Facts, one JSON line each. Durable after sync()."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.pending = []

    def add(self, fact):
        self.pending.append(fact)

    def sync(self):
        if self.pending:
            text = "\n".join([json.dumps(f, check_circular=False) for f in self.pending])
            os.write(self.fd, text.encode() + b"\n")
            self.pending = []
            os.fdatasync(self.fd)

    def close(self):
        self.sync()
        os.close(self.fd)


class Job:
    """One job as it was seen."""
    __slots__ = ("n", "kind", "has_key", "is_guests", "id", "seq", "yields", "started", "status",
                 "ended", "end_number", "ran", "told", "is_cancel_asked", "is_cancel_accepted",
                 "is_signal_accepted", "deleting")

    def __init__(self, n):
        self.n = n
        self.kind = kind_of(n)
        self.has_key = key_of(n) is not None
        self.is_guests = is_guests(n)
        self.id = None
        self.seq = None      # of job.queued
        self.yields = 0      # seen so far
        self.started = None
        self.status = None   # final, by its event
        self.ended = None    # when
        self.end_number = 0  # how many had ended before it
        self.ran = None      # id that the reply to a job.run said
        self.told = None     # final status that a reply said
        self.is_cancel_asked = False
        self.is_cancel_accepted = None  # None: no answer yet
        self.is_signal_accepted = False
        self.deleting = None  # "asked", "done"


class Gate:
    """A semaphore as its users tell of it."""

    def __init__(self):
        self.holders = set()  # ids
        self.bound = 1        # the most permits that it may have had since the last look


class Model:
    """All that is known. Facts go in by note(); what contradicts an earlier one is a Violation.

    `keep_jobs`: how many ended jobs the daemon keeps; None: it keeps all of them.
    """

    def __init__(self, log=None, keep_jobs=None):
        self.log = log
        self.keep_jobs = keep_jobs
        self.jobs = {}          # by number
        self.by_id = {}
        self.unanswered = {}    # numbers of submits with a key, without a reply
        self.maybe = set()      # numbers of submits without a key that may have happened
        self.cursor = 0         # highest seq that was taken
        self.recent = collections.OrderedDict()  # seq -> event, the last OVERLAP
        self.permits = {}       # name -> values it may have
        self.gates = collections.defaultdict(Gate)
        self.ends = 0           # jobs that have ended
        self.end_numbers = {}   # of those whose end was seen and not yet taken: how many before
        self.acknowledged = 0   # replies of any kind that promised something
        self.submits = 0        # jobs among them
        self.unknown = 0        # replies that said so
        self.held = {}          # id -> events of a job that no reply told of yet

    def note(self, fact):
        if self.log is not None:
            self.log.add(fact)
        getattr(self, "note_" + fact["fact"])(fact)

    def live_jobs(self):
        return [j for j in self.by_id.values() if j.deleting != "done"]

    def may_be_gone(self, job):
        """Whether its time may have passed, or there may have been too many."""
        if job.status is None:
            return False
        if job.kind.retain is not None:
            return time.time() >= job.ended + job.kind.retain
        return (self.keep_jobs is not None and
                self.ends - job.end_number > self.keep_jobs - ENDS_SLACK)

    # --- what was sent and answered ---

    def note_sent(self, fact):
        for n in range(fact["n"], fact["n"] + fact.get("count", 1)):
            job = self.jobs.setdefault(n, Job(n))
            if job.has_key:
                self.unanswered[n] = True
            else:
                self.maybe.add(n)

    def note_accepted(self, fact):
        n, id_, seq = fact["n"], fact["id"], fact["seq"]
        job = self.jobs[n]
        self.acknowledged += 1
        self.unanswered.pop(n, None)
        self.maybe.discard(n)
        if job.id is not None:
            expect((job.id, job.seq) == (id_, seq), f"I1: job {n} had id and seq", job.id, job.seq,
                   "and now has", id_, seq)
            return
        expect(id_ not in self.by_id, f"I1: id {id_} is that of two submits,", n)
        expect(job.ran in (None, id_), f"I1: job {n} ran as {job.ran} and is now", id_)
        self.submits += 1
        job.id, job.seq = id_, seq
        self.by_id[id_] = job
        for event in self.held.pop(id_, []):
            self.take_event(event)

    def note_ran(self, fact):
        """The reply to a job.run does not tell the seq; its key is asked about later."""
        job = self.jobs[fact["n"]]
        self.acknowledged += 1
        job.ran = fact["id"]
        self.note_told(job, fact["status"])

    def note_told(self, job, status):
        expect(status in (job.told or status, job.status or status),
               f"I2: job {job.n} was {job.told or job.status}, and somebody is told", status)
        job.told = status

    def note_refused(self, fact):
        """A definite refusal: it must never turn up."""
        self.unanswered.pop(fact["n"], None)
        self.maybe.discard(fact["n"])

    def note_unknown(self, _):
        """Nobody knows: what was sent stays as unanswered as it was."""
        self.unknown += 1

    def note_cancelling(self, fact):
        self.by_id[fact["id"]].is_cancel_asked = True

    def note_cancelled(self, fact):
        job = self.by_id[fact["id"]]
        self.acknowledged += 1
        job.is_cancel_accepted = True
        if fact["accepted"]:  # before its end, or together with it: then that is told
            if fact["status"] in self.ends_of(job):
                self.note_told(job, fact["status"])
            elif job.kind.is_raced:
                self.note_told(job, "cancelled")
            return
        expect(job.is_cancel_asked and fact["status"] in self.ends_of(job),
               "I5: neither cancelled nor asked to be:", fact)
        self.note_told(job, fact["status"])

    def note_signalled(self, fact):
        self.acknowledged += 1
        self.by_id[fact["id"]].is_signal_accepted = True

    def note_putting(self, fact):
        self.permits.setdefault(fact["name"], {1}).add(fact["permits"])
        gate = self.gates[fact["name"]]
        gate.bound = max(gate.bound, fact["permits"])

    def note_put(self, fact):
        self.acknowledged += 1
        self.permits[fact["name"]] = {fact["permits"]}

    def note_quiet(self, _):
        """Every event is taken: a gate has the permits that it has, or holders from before."""
        for name, gate in self.gates.items():
            gate.bound = max(*self.permits.get(name, {1}), len(gate.holders), 1)

    def note_deleting(self, fact):
        self.by_id[fact["id"]].deleting = "asked"

    def note_deleted(self, fact):
        self.by_id[fact["id"]].deleting = "done"
        self.acknowledged += 1

    # --- events ---

    def note_event(self, fact):
        event = fact["event"]
        seq = event["seq"]
        if seq <= self.cursor:
            old = self.recent.get(seq)
            expect(old is None or old == event, "I3: an event has changed:", old, "is now", event)
            return
        expect(seq == self.cursor + 1, f"I3: a gap: event {seq} comes after {self.cursor}")
        self.cursor = seq
        self.recent[seq] = event
        if len(self.recent) > OVERLAP:
            self.recent.popitem(last=False)
        if event["kind"] == "yield":
            self.watch_gate(event)
        elif event["kind"] in ENDS:
            self.end_numbers[event["job"]] = self.ends
            self.ends += 1
        self.take_event(event)

    def watch_gate(self, event):
        """Who holds a permit, in the order in which it became durable."""
        name, _, word = event["data"].partition(" ") if isinstance(event["data"], str) else \
            ("", "", "")
        if word == "out":
            self.gates[name].holders.discard(event["job"])
        elif word == "in":
            gate = self.gates[name]
            gate.holders.add(event["job"])
            expect(len(gate.holders) <= gate.bound, f"S: {len(gate.holders)} hold {name}, which "
                   f"has {gate.bound} at most:", event)

    def take_event(self, event):
        id_, kind = event["job"], event["kind"]
        job = self.by_id.get(id_)
        if job is None:  # the stream may be ahead of the reply
            self.held.setdefault(id_, []).append(event)
            return
        expect(job.status is None, "I2: after its end:", event)
        expect(job.deleting is None, "I2: of a deleted job:", event)
        if kind == "job.queued":
            expect(job.seq == event["seq"], f"I1: job {id_} was queued at {job.seq}:", event)
        elif kind == "job.started":
            expect(job.started is None, "I2: begins twice:", event)
            job.started = event["time"]
        elif kind == "yield":
            self.take_yield(job, event)
        elif kind in ENDS:
            self.take_end(job, event)

    def take_yield(self, job, event):
        expected = job.kind.yields
        expect(job.yields < len(expected) and expected[job.yields] == event["data"],
               f"I8: job {job.id} ({job.n}) has yielded {job.yields} of {expected}, and now", event)
        job.yields += 1

    def ends_of(self, job):
        return ("completed", "cancelled") if job.kind.is_raced else (job.kind.status,)

    def take_end(self, job, event):
        job.status = event["kind"][4:]
        job.ended = event["time"]
        job.end_number = self.end_numbers.pop(job.id)
        kind = job.kind
        expect(job.status in self.ends_of(job), f"I8: job {job.n} must be {kind.status}:", event)
        expect(job.told in (None, job.status),
               f"I2: job {job.n} was {job.told} for who asked, and now:", event)
        expect(job.status != "cancelled" or job.is_cancel_asked, "I5: nobody asked:", event)
        if job.status == "completed":
            expect(event["data"] == kind.result, f"I8: job {job.n} must give {kind.result}:", event)
        else:
            expect(event["data"]["type"] == kind.error, f"I8: job {job.n} must raise", kind.error,
                   event)
        expect(job.yields == len(kind.yields), f"I8: job {job.n} yielded {job.yields} times of",
               kind.yields)
        if kind.takes is not None:
            took = event["time"] - job.started
            expect(abs(took - kind.takes) < 1e-5, f"I6: job {job.n} took {took} s, not", kind.takes)


def read_log(path, keep_jobs=None):
    """The model that a kept log makes."""
    model = Model(keep_jobs=keep_jobs)
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            model.note(json.loads(line))
    return model
