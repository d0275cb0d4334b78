"""All that is known of a daemon, looked at from outside after it has come up.

Only the public API is used: what was sent and not answered is sent again, events are read once more
across the restart, samples of what is over are asked for, and so is what must stay hidden.
"""

import json
import re

from checker import ENDS_SLACK, OVERLAP, expect
from harness import Refused
from kinds import signal_params, submit_params
from load import UNKNOWN

SAMPLE = 12       # of what is known to be over, looked at again after each start
HIDDEN = 4        # of what a guest may not see
PIECE = 1500      # bytes of a result that are read at once
EVENTS_SLACK = 3000  # events that stay longer than they must, since they leave in pieces


class Look:
    """One look: `wire` is ours, `guest` somebody else's."""

    def __init__(self, model, log, rng, keep_events):
        self.model = model
        self.log = log
        self.rng = rng
        self.keep_events = keep_events  # None: all of them stay
        self.results = {}               # id -> text of a result, as it was seen first

    def everything(self, wire, guest):
        self.resolve(wire, guest)
        self.read_events(wire)
        self.name_strangers(wire)
        self.resolve_cancels(wire)
        self.look_at_permits(wire)
        self.look_again(wire, guest)
        self.look_as_guest(guest)
        self.count(wire)
        self.delete_some(wire)
        self.resolve_signals(wire)
        self.model.note({"fact": "quiet"})
        self.log.sync()

    def reply(self, wire, id_):
        """An answer, yes or no: what nobody knows is raised as it is by wire.call()."""
        reply = wire.reply(id_)
        if "error" in reply and reply["error"]["data"]["type"] == UNKNOWN:
            raise Refused(reply["error"])
        return reply

    def resolve(self, wire, guest):
        """What was sent with a key and not answered is sent again: now it must be there, once."""
        waiting = []
        for n in list(self.model.unanswered):
            job = self.model.jobs[n]
            to = guest if job.is_guests else wire
            waiting.append((n, to, to.request("job.submit", submit_params(n, job.kind))))
        for n, to, id_ in waiting:
            reply = self.reply(to, id_)
            expect("result" in reply, f"I1: sent again, {n} is refused:", reply)
            self.model.note({"fact": "accepted", "n": n, "id": reply["result"]["id"],
                             "seq": reply["result"]["seq"]})
        self.log.sync()

    def read_events(self, wire):
        """From a little behind the cursor to the newest. What was seen before is still the same."""
        model = self.model
        after = max(0, model.cursor - OVERLAP)
        again = {seq: e for seq, e in model.recent.items() if seq > after}
        while True:
            page = self.read_page(wire, after)
            for event in page["events"]:
                again.pop(event["seq"], None)
                model.note({"fact": "event", "event": event})
            after = page["next"]
            if after >= page["seq"]:
                break
        expect(page["seq"] >= model.cursor, f"I3: seq fell from {model.cursor} to", page["seq"])
        for event in again.values():
            job = model.by_id.get(event["job"])
            expect(job is not None and job.deleting, "I3: seen, and not there any more:", event)

    def read_page(self, wire, after):
        try:
            return wire.call("events.read", after=after, limit=1000)
        except Refused as error:
            expect(error.type != "CursorExpired", f"R: nobody could have let go of {after}:", error)
            raise

    def oldest_event(self, wire):
        """The lowest seq that the log still has; the newest."""
        try:
            page = wire.call("events.read", after=0, limit=1)
            return 1, page["seq"]
        except Refused as error:
            if error.type == UNKNOWN:
                raise
            expect(error.type == "CursorExpired" and self.keep_events is not None,
                   "R: the first events are gone without a reason:", error)
            oldest, newest = error.data["oldest"], error.data["seq"]
            expect(oldest <= max(1, newest - self.keep_events + ENDS_SLACK),
                   f"R: {self.keep_events} events are to stay:", error.data)
            page = wire.call("events.read", after=oldest - 1, limit=1)
            expect(page["events"] and page["events"][0]["seq"] == oldest,
                   f"R: {oldest} is said to be there:", page)
            return oldest, newest

    def name_strangers(self, wire):
        """Jobs that no reply told of: submits without a key that did happen, once each."""
        asked = [(id_, wire.request("job.get", {"id": id_})) for id_ in list(self.model.held)]
        for id_, request in asked:
            events = self.model.held[id_]
            reply = self.reply(wire, request)
            n = self.number_of(id_, reply.get("result"), events)
            expect(n in self.model.maybe, f"I1: job {id_} ({n}) is there twice, or unasked:", reply)
            self.model.note({"fact": "accepted", "n": n, "id": id_, "seq": events[0]["seq"]})
        # What has not turned up by now never will: nobody holds its bytes any more.
        for n in list(self.model.maybe):
            self.model.note({"fact": "refused", "n": n})

    def number_of(self, id_, job, events):
        if job is None:  # one that stays for a moment only; its result says which
            last = events[-1].get("data")
            expect(isinstance(last, dict) and "fleeting" in last, f"I1: job {id_} is gone:", events)
            return last["fleeting"]
        title = job["title"] or ""
        expect(re.fullmatch(r"n\d+", title), f"I1: job {id_} was never sent:", job)
        return int(title[1:])

    def resolve_cancels(self, wire):
        waiting = {}
        for job in self.model.live_jobs():
            if job.kind.is_cancelled and not job.is_cancel_accepted:
                self.model.note({"fact": "cancelling", "id": job.id})
                waiting[job] = None
        self.log.sync()
        for job in waiting:
            waiting[job] = wire.request("job.cancel", {"id": job.id})
        for job, id_ in waiting.items():
            reply = self.reply(wire, id_)
            if "error" in reply:
                expect(self.model.may_be_gone(job), "R:" if job.status else "I1:",
                       f"job {job.id} is not there to be cancelled:", reply)
                continue
            self.model.note({"fact": "cancelled", "id": job.id,
                             "accepted": reply["result"]["accepted"],
                             "status": reply["result"]["status"]})

    def resolve_signals(self, wire):
        """What was acknowledged is known, whether its job goes on or has ended; the rest is sent
        again."""
        waiting = [(job, wire.request("job.signal", signal_params(job)))
                   for job in self.model.by_id.values() if job.kind.is_signalled and
                   not job.deleting and (job.status is None or not job.is_signal_accepted)]
        for job, id_ in waiting:
            reply = self.reply(wire, id_)
            if "error" in reply:
                expect(self.model.may_be_gone(job), "E:" if job.status else "I1:",
                       f"job {job.id} is not there to be signalled:", reply)
                continue
            expect(reply["result"]["already"] or not job.is_signal_accepted,
                   f"E: job {job.id} has forgotten its signal:", reply)
            self.model.note({"fact": "signalled", "id": job.id})

    def look_at_permits(self, wire):
        found = {s["name"]: s["permits"] for s in wire.call("semaphore.list")["semaphores"]}
        for name, allowed in self.model.permits.items():
            permits = found.get(name, 1)
            expect(permits in allowed, f"S: semaphore {name} has {permits} of", allowed)
            self.model.note({"fact": "put", "name": name, "permits": permits})

    def look_again(self, wire, guest):
        """A sample of what is over: the same id for the same key, the same result for ever."""
        jobs = [j for j in self.model.by_id.values() if not j.deleting]
        for job in self.rng.sample(jobs, min(SAMPLE, len(jobs))):
            to = guest if job.is_guests else wire
            reply = self.reply(to, to.request("job.get", id=job.id))
            if "error" in reply:
                expect(self.model.may_be_gone(job), f"R: job {job.id} ({job.n}) is gone:", reply)
                continue
            if job.has_key and not self.model.may_be_gone(job):
                again = to.call("job.submit", submit_params(job.n, job.kind))
                expect((again["id"], again.get("existing")) == (job.id, True),
                       f"I1: the key of job {job.id} gives", again)
            if job.status is not None:
                self.look_at_end(to, job, reply["result"])

    def look_at_end(self, wire, job, got):
        expect(got["status"] == job.status, f"I2: job {job.id} was {job.status}:", got)
        if job.status != "completed":
            expect(got["error"]["type"] == job.kind.error, "I2: another error:", got)
            return
        expect(got["result"] == job.kind.result, "I2: another result:", got)
        if self.model.may_be_gone(job):
            return
        text, offset = "", 0
        while offset is not None:
            piece = wire.call("job.result", id=job.id, offset=offset, length=PIECE)
            text += piece["chunk"]
            offset = piece["next"]
        expect(len(text.encode()) == piece["total"], f"I2: {piece['total']} bytes:", text)
        expect(json.loads(text) == job.kind.result, "I2: another result in pieces:", text)
        expect(self.results.setdefault(job.id, text) == text, "I2: the text was another:", text)

    def look_as_guest(self, guest):
        """What is not the guest's is not there for it, and it changes nothing."""
        jobs = [j for j in self.model.live_jobs() if not j.is_guests]
        for job in self.rng.sample(jobs, min(HIDDEN, len(jobs))):
            for method in ("job.get", "job.cancel", "job.result", "job.stack", "job.delete"):
                reply = self.reply(guest, guest.request(method, id=job.id))
                expect("error" in reply and reply["error"]["data"]["type"] == "NotFound",
                       f"I12: the guest asks for job {job.id} by {method}:", reply)
        for method, params in (("semaphore.put", {"name": "solo", "permits": 9}),
                               ("backup.start", {})):
            reply = self.reply(guest, guest.request(method, params))
            expect("error" in reply and reply["error"]["data"]["type"] == "Forbidden",
                   f"I12: the guest may {method}:", reply)
        for row in guest.call("job.list", limit=20)["jobs"]:
            self.expect_guests(row["id"], row)
        for event in guest.call("events.read", after=max(0, self.model.cursor - OVERLAP),
                                limit=50)["events"]:
            self.expect_guests(event["job"], event)

    def expect_guests(self, id_, words):
        job = self.model.by_id.get(id_)
        expect(job is not None and job.is_guests, "I12: the guest sees", words)

    def count(self, wire):
        """As many jobs as were sent: not one more."""
        found = sum(wire.call("server.info")["jobs"].values())
        known = self.model.live_jobs()
        loose = sum(j.deleting == "asked" or self.model.may_be_gone(j) for j in known)
        expect(len(known) - loose <= found <= len(known),
               f"I1: {found} jobs, and {len(known)} are known, {loose} of them perhaps gone")

    def delete_some(self, wire):
        """Bulky jobs are deleted when they are over, so that there is something to vacuum."""
        waiting = {}
        for job in self.model.live_jobs():
            if job.status is not None and job.kind.is_bulky:
                self.model.note({"fact": "deleting", "id": job.id})
                waiting[job] = None
        self.log.sync()
        for job in waiting:
            waiting[job] = wire.request("job.delete", {"id": job.id})
        for job, id_ in waiting.items():
            reply = self.reply(wire, id_)
            expect("result" in reply or reply["error"]["data"]["type"] == "NotFound",
                   f"job {job.id} cannot be deleted:", reply)
            self.model.note({"fact": "deleted", "id": job.id})
