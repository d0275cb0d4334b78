#!/usr/bin/env python3
"""What is answered while the jobs of an earlier life are still being replayed.

The daemon of the crash rig is used, since its recovery can be held: it lets only so many jobs
through as a file says, until the file is gone. So everything here is looked at in peace.
"""

import os
import pathlib
import sys

sys.dont_write_bytecode = True
from harness import Daemon, equal, is_end, refused, run, test, true, until  # noqa: E402

PROGRAM = str(pathlib.Path(os.environ.get("builddir", ".")).resolve() /
              "tests/torture/gatherd_failpoints")
SLEEP = {"sleep": 3600}
MANY = 3000


class Held:
    """A daemon whose next starts are held while it has replayed about so many jobs."""

    def __init__(self, loops=2):
        self.daemon = Daemon("--loops", str(loops), program=PROGRAM)
        self.file = self.daemon.home / "hold"
        self.daemon.env["GATHERD_FAILPOINT_HOLD"] = f"run.recovery:{self.file}"

    def restart(self, passes):
        self.daemon.kill()
        self.file.write_text(str(passes))
        self.daemon.start(wait=False)
        until(self._answers, "a daemon that listens")

    def _answers(self):
        true(self.daemon.process.poll() is None, f"it ended: {self.daemon.log()}")
        try:
            with self.daemon.wire() as wire:
                return "result" in wire.ask("ping")
        except (OSError, EOFError):
            return False

    def go_on(self):
        self.file.unlink()

    def wire(self):
        return self.daemon.wire()


def submit_many(wire, spec, count, **more):
    ids = []
    while len(ids) < count:
        specs = [spec] * min(1000, count - len(ids))
        ids += [job["id"] for job in wire.call("job.submit", specs=specs, **more)["jobs"]]
    return ids


def status(wire, job):
    return wire.call("job.get", id=job)["status"]


def recovering(wire):
    return wire.call("server.info")["recovering"]


def expect_unanswered(wire, *requests):
    """Whatever was asked before it is answered before it, or waits."""
    for _ in range(5):
        wire.call("job.list", limit=1)
        wire.call("server.info")
    for request in requests:
        true(request not in wire.replies, f"request {request} was answered")


@test
def given_jobs_that_are_not_replayed_yet_then_reads_are_answered():
    held = Held()
    with held.wire() as wire:
        jobs = submit_many(wire, SLEEP, MANY)
        done = wire.call("job.run", spec={"value": 7})
    held.restart(0)
    with held.wire() as wire:
        equal(recovering(wire), MANY)
        equal(wire.call("job.get", id=jobs[-1])["status"], "running")
        true("progress" not in wire.call("job.get", id=jobs[-1]), "progress of what is not here")
        equal(wire.call("job.get", id=done["id"], include=["result"])["result"], 7)
        equal(wire.call("job.list", limit=10, order="oldest")["jobs"][0]["id"], jobs[0])
        equal(len(wire.call("events.read", after=0, limit=100)["events"]), 100)
        equal(wire.call("job.wait", ids=[jobs[0], done["id"]], return_when="FIRST_COMPLETED"),
              {"done": [{"id": done["id"], "status": "completed"}],
               "pending": [{"id": jobs[0], "status": "running"}]})
        told = wire.call("job.explain", id=jobs[-1])
        true(told["why"][0].startswith(f"the daemon is recovering: {MANY} jobs") and
             "this one among them" in told["why"][0] and told["waits"] == [], told)
        refused("Conflict", wire.call, "job.delete", id=jobs[0])
        refused("NotFound", wire.call, "job.get", id=max(jobs) + 1000)
        held.go_on()
        until(lambda: recovering(wire) == 0, "the recovery")
        equal(wire.call("job.get", id=jobs[-1])["progress"], {"tasks_live": 1, "tasks_done": 0})


@test
def given_jobs_that_are_not_replayed_yet_then_what_needs_them_waits_and_holds():
    held = Held()
    with held.wire() as wire:
        jobs = submit_many(wire, SLEEP, MANY)
        marked = submit_many(wire, SLEEP, 3, labels=["marked"])
        waiting, = submit_many(wire, {"event": "go"}, 1)
    held.restart(0)
    with held.wire() as wire:
        cancel = wire.request("job.cancel", ids=[jobs[0], jobs[1]])
        labelled = wire.request("job.cancel", label="marked")
        stack = wire.request("job.stack", id=jobs[-1])
        gone = wire.request("job.stack", id=jobs[0])
        put = wire.request("semaphore.put", name="db", permits=3)
        listed = wire.request("semaphore.list")
        resumed = wire.request("job.resume", id=jobs[-1], what="fail")
        signal = wire.request("job.signal", id=waiting, event="go", value=7)
        pools = wire.request("pool.list")
        expect_unanswered(wire, cancel, labelled, stack, gone, put, listed, resumed, pools, signal)
        equal(status(wire, jobs[0]), "running")
        held.go_on()
        equal(wire.reply(cancel)["result"]["jobs"],
              [{"id": job, "status": "cancelled", "accepted": True} for job in jobs[:2]])
        equal(wire.reply(labelled)["result"]["jobs"],
              [{"id": job, "status": "cancelled", "accepted": True} for job in marked])
        equal(len(wire.reply(stack)["result"]["stack"]), 1)
        equal(wire.reply(gone)["result"]["stack"], [])
        equal(wire.reply(put)["result"]["permits"], 3)
        wire.reply(listed)
        equal(wire.reply(resumed)["error"]["data"], {"type": "Conflict", "why": "not held"})
        equal(wire.reply(pools)["result"]["pools"], [])
        equal(wire.reply(signal)["result"], {"accepted": True, "already": False})
        equal(wire.call("job.wait", ids=[waiting])["pending"], [])
        equal(wire.call("job.get", id=waiting)["result"], 7)
        until(lambda: recovering(wire) == 0, "the recovery")
    held.daemon.kill()
    held.daemon.start()
    with held.wire() as wire:
        for job in jobs[:2] + marked:
            equal(status(wire, job), "cancelled")
        equal(status(wire, jobs[2]), "running")


@test
def given_a_recovery_on_its_way_then_what_it_has_passed_is_served_at_once():
    held = Held()
    with held.wire() as wire:
        jobs = submit_many(wire, SLEEP, MANY)
    held.restart(MANY // 2)
    with held.wire() as wire:
        until(lambda: recovering(wire) <= MANY // 2 + 100, "the half of it")
        first = min(jobs)
        equal(len(wire.call("job.stack", id=first)["stack"]), 1)
        equal(wire.call("job.cancel", id=first),
              {"id": first, "status": "cancelled", "accepted": True})
        late = wire.request("job.cancel", id=max(jobs))
        expect_unanswered(wire, late)
        held.go_on()
        equal(wire.reply(late)["result"]["status"], "cancelled")


@test
def given_a_recovery_on_its_way_then_new_jobs_run():
    held = Held()
    with held.wire() as wire:
        jobs = submit_many(wire, SLEEP, MANY)
        keyed = wire.call("job.submit", spec=SLEEP, key="k")["id"]
    held.restart(10)
    with held.wire() as wire:
        for n in range(20):
            equal(wire.call("job.run", spec={"value": n})["result"], n)
        equal(wire.call("job.submit", spec=SLEEP, key="k")["id"], keyed)
        refused("Conflict", wire.call, "job.submit", spec={"value": 1}, key="k")
        resting = wire.request("job.run", spec={"sleep": 0.001, "result": 5})
        after = wire.call("job.submit", spec=SLEEP)["id"]
        equal(wire.call("job.cancel", id=after)["status"], "cancelled")
        expect_unanswered(wire, resting)
        held.go_on()
        equal(wire.reply(resting)["result"]["result"], 5)
        true(after not in jobs, "an id was given out twice")


@test
def given_overdue_timers_then_none_fires_before_all_jobs_are_there_and_then_in_order():
    held = Held(loops=1)
    with held.wire() as wire:
        delays = [(n * 7919) % 100 for n in range(100)]
        late = wire.call("job.submit", spec=SLEEP)["id"]
        now = wire.call("ping")["time"]
        jobs = [wire.call("job.submit", spec=[{"sleep_until": now + 1 + delay / 100},
                                              {"yield": delay}])["id"] for delay in delays]
    held.restart(50)
    with held.wire() as wire:
        until(lambda: wire.call("ping")["time"] > now + 2.1, "overdue deadlines")
        seq = wire.call("ping")["seq"]
        expect_unanswered(wire)
        equal(wire.call("ping")["seq"], seq)
        held.go_on()
        equal(len(wire.call("job.wait", ids=jobs)["done"]), len(jobs))
        events = wire.call("events.read", after=seq, limit=1000, kinds=["yield"])["events"]
        equal([e["data"] for e in events], sorted(delays))
        equal(status(wire, late), "running")


@test
def given_a_permit_whose_holder_is_not_replayed_yet_then_nobody_else_gets_it():
    held = Held()
    with held.wire() as wire:
        submit_many(wire, SLEEP, MANY)
        holder = wire.call("job.submit", spec={"with": "db", "sleep": 3600})["id"]
        until(lambda: wire.call("semaphore.list")["semaphores"][0]["held"] == 1, "the grant")
        first = wire.call("job.submit", spec={"with": "db", "value": 1})["id"]
    held.restart(100)
    with held.wire() as wire:
        second = wire.call("job.submit", spec={"with": "db", "value": 2})["id"]
        expect_unanswered(wire)
        equal([status(wire, job) for job in (first, second)], ["running", "running"])
        held.go_on()
        equal(wire.call("semaphore.list")["semaphores"],
              [{"name": "db", "permits": 1, "held": 1, "waiting": 2}])
        wire.call("job.cancel", id=holder)
        equal(len(wire.call("job.wait", ids=[first, second])["done"]), 2)
        order = [e["job"] for e in wire.call("events.read", after=0, limit=1000,
                                             kinds=["job.completed"])["events"]]
        equal(order, [first, second])


@test
def given_kill_9_during_a_recovery_then_nothing_is_lost_or_doubled():
    held = Held()
    kept = []
    with held.wire() as wire:
        jobs = submit_many(wire, SLEEP, MANY)
        short = wire.call("job.submit", spec=[{"sleep": 0.001}, {"yield": 1}])["id"]
    for passes in (0, 700, 2900):
        held.restart(passes)
        with held.wire() as wire:
            kept.append(wire.call("job.submit", spec=SLEEP)["id"])
            wire.request("job.cancel", id=jobs[-1 - passes % 7])
            expect_unanswered(wire)
    held.go_on()
    held.daemon.kill()
    held.daemon.start()
    with held.wire() as wire:
        equal(len(set(kept + jobs)), len(kept) + MANY)
        equal(wire.call("job.wait", ids=[short])["done"], [{"id": short, "status": "completed"}])
        kinds = [e["kind"] for e in wire.call("events.read", after=0, limit=100, job=short)["events"]]
        equal(kinds, ["job.queued", "job.started", "yield", "job.completed"])
        counts = wire.call("server.info")["jobs"]
        equal(counts["running"] + counts["cancelled"], MANY + len(kept))
        true(counts["cancelled"] <= 3, f"{counts}")


@test
def given_a_stop_during_a_recovery_then_what_waits_hears_of_it():
    held = Held()
    with held.wire() as wire:
        jobs = submit_many(wire, SLEEP, MANY)
    held.restart(500)
    with held.wire() as wire:
        asks = [wire.request("job.cancel", id=jobs[-1]), wire.request("job.stack", id=jobs[-1]),
                wire.request("semaphore.list"), wire.request("semaphore.put", name="s", permits=2)]
        rows = wire.request("job.cancel", ids=[jobs[-1]])
        expect_unanswered(wire, *asks, rows)
        equal(held.daemon.stop(), 0, "exit status")
        for ask in asks:
            equal(wire.reply(ask)["error"]["data"]["type"], "Unavailable")
        equal(wire.reply(rows)["result"]["jobs"], [{"id": jobs[-1], "error": {"type": "Unavailable"}}])
    held.go_on()
    held.daemon.start()
    with held.wire() as wire:
        equal(wire.call("server.info")["jobs"]["running"], MANY)


@test
def given_a_client_that_follows_a_job_then_its_events_come_when_it_runs_again():
    held = Held()
    with held.wire() as wire:
        submit_many(wire, SLEEP, MANY)
        now = wire.call("ping")["time"]
        job = wire.call("job.submit", spec=[{"sleep_until": now + 0.5}, {"yield": 1}, {"return": 9}],
                        key="mine")
    held.restart(0)
    with held.wire() as wire:
        running = wire.request("job.run", spec=[{"sleep_until": now + 0.5}, {"yield": 1},
                                                {"return": 9}], key="mine", stream="s")
        wire.call("events.subscribe", after=job["seq"] - 1, job=job["id"])
        expect_unanswered(wire, running)
        held.go_on()
        reply = wire.reply(running)["result"]
        equal((reply["result"], reply["existing"]), (9, True))
        events = [wire.event() for _ in range(2 * 4)]
        equal(len([e for e in events if is_end(e)]), 2)


run()
