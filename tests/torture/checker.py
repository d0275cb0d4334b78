"""What the crash rig knows from outside: what was sent, what was acknowledged, what was seen.

Every fact goes to a log of its own that is synced before the next message is sent, and into the
model that the invariants are checked against. The model is made from nothing but these facts, so
that a kept log can be checked again: crash.py --verify.

The invariants, in reliability.md's numbers: I1 every acknowledged submit exists exactly once; I2 one
final state for a job, never changed; I3 what was streamed is durable, numbered without a gap; I5
nothing new begins after an accepted cancel; I6 no sleep ends early; I8 a replay takes the same way
(the yields and the result are those that the job must give, each once and in order).
"""

import collections
import json
import os

from kinds import kind_of

OVERLAP = 200  # events behind the cursor that are read once more after each restart


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
        self.pending.append(json.dumps(fact))

    def sync(self):
        if self.pending:
            os.write(self.fd, ("\n".join(self.pending) + "\n").encode())
            self.pending = []
            os.fdatasync(self.fd)

    def close(self):
        self.sync()
        os.close(self.fd)


class Job:
    """One job as it was seen."""
    __slots__ = ("n", "id", "seq", "yields", "started", "status", "ran_id", "is_cancel_asked",
                 "is_cancel_accepted", "deleting")

    def __init__(self, n):
        self.n = n
        self.id = None
        self.seq = None      # of job.queued
        self.yields = 0      # seen so far
        self.started = None
        self.status = None   # final
        self.ran_id = None   # what the reply to a job.run said
        self.is_cancel_asked = False
        self.is_cancel_accepted = None  # None: no answer yet
        self.deleting = None  # "asked", "done"


class Model:
    """All that is known. Facts go in by note(); what contradicts an earlier one is a Violation."""

    def __init__(self, log=None):
        self.log = log
        self.jobs = {}          # by number
        self.by_id = {}
        self.unanswered = {}    # numbers of submits with a key, without a reply
        self.maybe = set()      # numbers of submits without a key that may have happened
        self.cursor = 0         # highest seq that was taken
        self.recent = collections.OrderedDict()  # seq -> event, the last OVERLAP
        self.permits = {}       # name -> values it may have
        self.acknowledged = 0   # replies of any kind that promised something
        self.submits = 0        # jobs among them
        self.held = {}          # id -> events of a job that no reply told of yet

    def note(self, fact):
        if self.log is not None:
            self.log.add(fact)
        getattr(self, "note_" + fact["fact"])(fact)

    # --- what was sent and answered ---

    def note_sent(self, fact):
        n = fact["n"]
        self.jobs.setdefault(n, Job(n))
        if fact["has_key"]:
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
        expect(job.ran_id in (None, id_), f"I1: job {n} ran as {job.ran_id} and is now", id_)
        self.submits += 1
        job.id, job.seq = id_, seq
        self.by_id[id_] = job
        for event in self.held.pop(id_, []):
            self.take_event(event)

    def note_ran(self, fact):
        """The reply to a job.run does not tell the seq; its key is asked about later."""
        self.acknowledged += 1
        self.jobs[fact["n"]].ran_id = fact["id"]

    def note_refused(self, fact):
        """A definite refusal: it must never turn up."""
        self.unanswered.pop(fact["n"], None)
        self.maybe.discard(fact["n"])

    def note_cancelling(self, fact):
        self.by_id[fact["id"]].is_cancel_asked = True

    def note_cancelled(self, fact):
        job = self.by_id[fact["id"]]
        self.acknowledged += 1
        job.is_cancel_accepted = True
        if not fact["accepted"]:
            expect(job.is_cancel_asked and fact["status"] == "cancelled",
                   "I5: neither cancelled nor asked to be:", fact)

    def note_putting(self, fact):
        self.permits.setdefault(fact["name"], {1}).add(fact["permits"])

    def note_put(self, fact):
        self.acknowledged += 1
        self.permits[fact["name"]] = {fact["permits"]}

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
        self.take_event(event)

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
        elif kind in ("job.completed", "job.failed", "job.cancelled"):
            self.take_end(job, event)

    def take_yield(self, job, event):
        expected = kind_of(job.n).yields
        expect(job.yields < len(expected) and expected[job.yields] == event["data"],
               f"I8: job {job.id} ({job.n}) has yielded {job.yields} of {expected}, and now", event)
        job.yields += 1

    def take_end(self, job, event):
        job.status = event["kind"][4:]
        kind = kind_of(job.n)
        expect(job.status == kind.status, f"I8: job {job.n} must be {kind.status}:", event)
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


def read_log(path):
    """The model that a kept log makes."""
    model = Model()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            model.note(json.loads(line))
    return model
