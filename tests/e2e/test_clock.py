#!/usr/bin/env python3
"""The clock on the wall is set, while the daemon is up and while it is down; hosts start again.

A library in the daemon moves its wall (tests/lib/wall_shift.c); the other clocks are real. Waits
here are of lengths that either pass at once or not within the life of a test.
"""

import os
import pathlib
import struct
import sys
import time

sys.dont_write_bytecode = True
from harness import Daemon, equal, is_end, run, scratch, test, true, until  # noqa: E402

LIBRARY = pathlib.Path(os.environ.get("WALL_SHIFT_SO", "tests/lib/wall_shift.so")).resolve()
HOUR = 3600
BOOTS = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"]


class Host:
    """A daemon on a host whose wall and boots are ours."""

    def __init__(self, *flags):
        home = scratch()
        self.shift_file = home / "shift"
        self.boot_file = home / "boot"
        self.shift = 0
        self.shift_file.write_bytes(struct.pack("=q", 0))
        self.boot_file.write_text(BOOTS[0] + "\n")
        self.daemon = Daemon("--loops", "2", *flags, home=home, env={
            "LD_PRELOAD": str(LIBRARY), "WALL_SHIFT": str(self.shift_file),
            "WALL_SHIFT_BOOT": str(self.boot_file)})
        self.wire = self.daemon.wire()

    def set_wall(self, by):
        """By so many seconds, at once."""
        self.shift += by
        with open(self.shift_file, "r+b") as file:
            os.write(file.fileno(), struct.pack("=q", int(self.shift * 1e9)))

    def wall(self):
        return time.time() + self.shift

    def restart(self, by=0, is_new_boot=False, is_killed=True):
        self.wire.close()
        if is_killed:
            self.daemon.kill()
        else:
            equal(self.daemon.stop(), 0, "exit code")
        self.set_wall(by)
        if is_new_boot:
            self.boot_file.write_text(BOOTS[1] + "\n")
        self.daemon.start()
        self.wire = self.daemon.wire()

    def submit(self, spec, **more):
        return self.wire.call("job.submit", spec=spec, **more)["id"]

    def has_ended(self, *jobs):
        return [self.wire.call("job.get", id=job)["status"] == "completed" for job in jobs]

    def is_off(self):
        """How far the daemon's wall is from what it should be, in seconds."""
        return abs(self.wire.call("ping")["time"] - self.wall())

    def until_asleep(self, *jobs):
        for job in jobs:
            until(lambda j=job: any("until" in row for row in
                                    self.wire.call("job.stack", id=j)["stack"]), "a sleep")

    def left(self, job):
        """How long its sleep still is, by the wall that the daemon shows."""
        rows = self.wire.call("job.stack", id=job)["stack"]
        return next(row["until"] for row in rows if "until" in row) - self.wire.call("ping")["time"]


def sleeps(host):
    """A sleep of half an hour, a wait for half an hour from now, a start then."""
    half = HOUR / 2
    jobs = (host.submit({"sleep": half}), host.submit({"sleep_until": host.wall() + half}),
            host.submit({"value": 1}, start_at=host.wall() + half))
    host.until_asleep(*jobs[:2])
    return jobs


@test
def given_a_step_forward_while_up_then_what_waits_for_the_wall_wakes_and_sleeps_do_not():
    host = Host()
    jobs = sleeps(host)
    host.set_wall(HOUR)
    host.wire.call("job.wait", ids=jobs[1:], timeout=20)
    equal(host.has_ended(*jobs), [False, True, True], "ended")
    true(abs(host.left(jobs[0]) - HOUR / 2) < 20, f"{host.left(jobs[0])} s left to sleep")
    true(host.is_off() < 5, f"the wall is off by {host.is_off()} s")


@test
def given_a_step_forward_when_nobody_asks_then_the_event_comes_by_itself():
    host = Host()
    job = host.submit({"sleep_until": host.wall() + HOUR / 2})
    host.until_asleep(job)
    seq = host.wire.call("ping")["seq"]
    host.wire.call("events.subscribe", after=seq, job=job)
    host.set_wall(HOUR)
    event = host.wire.event()
    while not is_end(event):
        event = host.wire.event()
    equal(event["kind"], "job.completed")
    true(abs(event["time"] - host.wall()) < 20, "its time is that of the wall")


@test
def given_a_step_back_while_up_then_sleeps_end_as_if_nothing_had_been():
    host = Host()
    short = host.submit({"sleep": 0.3})
    waiting = host.submit({"sleep_until": host.wall() + 0.3})
    host.set_wall(-HOUR)
    done = host.wire.call("job.wait", ids=[short], timeout=20)
    equal(len(done["done"]), 1, "the sleep is over")
    equal(host.has_ended(waiting), [False], "ended")
    true(abs(host.left(waiting) - HOUR) < 20, f"{host.left(waiting)} s left")
    true(host.is_off() < 5, f"the wall is off by {host.is_off()} s")


@test
def given_a_wall_that_was_set_when_asked_for_a_job_then_its_times_are_those_of_the_wall():
    host = Host()
    before = host.wall()
    first = host.submit({"value": 1})
    host.set_wall(HOUR)
    second = host.submit({"value": "${now}"})
    until(lambda: host.has_ended(first, second) == [True, True], "ends")
    for job, at in ((first, before), (second, before + HOUR)):
        shown = host.wire.call("job.get", id=job)
        for name in ("submitted", "started", "ended"):
            true(abs(shown[name] - at) < 20, f"{name} of job {job}: {shown[name] - at:+} s")
    result = host.wire.call("job.get", id=second)["result"]
    true(abs(result - before - HOUR) < 20, f"now: {result - before}")
    listed = {row["id"]: row for row in host.wire.call("job.list")["jobs"]}
    true(abs(listed[second]["submitted"] - before - HOUR) < 20, "submitted, in a list")


@test
def given_a_job_cancelled_before_its_start_at_then_it_never_started():
    host = Host()
    job = host.submit({"sleep": 1}, start_at=host.wall() + HOUR)
    waiting = host.submit({"sleep": 1}, start_at=host.wall() + HOUR, key="k")
    shown = host.wire.call("job.get", id=waiting)
    true(abs(shown["started"] - host.wall() - HOUR) < 20, f"started: {shown['started']}")
    host.restart()
    for each in (job, waiting):
        host.wire.call("job.cancel", id=each)
        shown = host.wire.call("job.get", id=each)
        equal((shown["status"], shown["started"]), ("cancelled", None))
        true(abs(shown["ended"] - host.wall()) < 20, f"ended: {shown['ended']}")


@test
def given_kill_9_and_a_step_forward_in_the_same_boot_then_only_what_waits_for_the_wall_wakes():
    host = Host()
    jobs = sleeps(host)
    host.restart(by=HOUR)
    host.wire.call("job.wait", ids=jobs[1:], timeout=20)
    equal(host.has_ended(*jobs), [False, True, True], "ended")
    true(abs(host.left(jobs[0]) - HOUR / 2) < 20, f"{host.left(jobs[0])} s left to sleep")


@test
def given_kill_9_and_a_step_back_in_the_same_boot_then_sleeps_end_as_if_nothing_had_been():
    host = Host()
    short = host.submit({"sleep": 0.3})
    waiting = host.submit({"sleep_until": host.wall() + 0.3})
    host.until_asleep(short)
    host.restart(by=-HOUR)
    equal(len(host.wire.call("job.wait", ids=[short], timeout=20)["done"]), 1, "done")
    equal(host.has_ended(waiting), [False], "ended")


@test
def given_a_reboot_then_the_time_in_between_counts_by_the_wall():
    host = Host()
    jobs = sleeps(host)
    other = host.submit({"sleep": 2 * HOUR})
    host.until_asleep(other)
    host.restart(by=HOUR, is_new_boot=True)
    host.wire.call("job.wait", ids=jobs, timeout=20)
    equal(host.has_ended(*jobs, other), [True, True, True, False], "ended")
    true(abs(host.left(other) - HOUR) < 20, f"{host.left(other)} s left")


@test
def given_a_reboot_with_a_wall_that_went_back_then_no_sleep_is_longer_than_it_was():
    host = Host()
    sleep, waiting, _ = jobs = sleeps(host)
    host.restart(by=-10 * HOUR, is_new_boot=True, is_killed=False)
    equal(host.has_ended(*jobs), [False, False, False], "ended")
    true(0 < host.left(sleep) <= HOUR / 2, f"{host.left(sleep)} s left to sleep")
    true(abs(host.left(waiting) - 10.5 * HOUR) < 20, f"{host.left(waiting)} s left to wait")
    true(host.is_off() < 5, f"the wall is off by {host.is_off()} s")


@test
def given_steps_between_restarts_then_a_job_that_saw_them_is_replayed_and_not_quarantined():
    host = Host()
    spec = [{"do": [{"sleep": 0.02}, {"yield": "${now}"}], "for": "n", "in": "${range(20)}"},
            {"sleep": HOUR}]
    job = host.submit(spec)
    seen = {}
    for by in (HOUR, -3 * HOUR, 5, -5, 7 * HOUR):
        host.set_wall(by)
        host.wire.call("ping")
        host.restart(by=by / 2)

    def events():
        found = host.wire.call("events.read", after=0, job=job, limit=1000)["events"]
        seen.update({e["seq"]: e["data"] for e in found if e["kind"] == "yield"})
        return len(seen) == 20
    until(events, "all yields")
    before = dict(seen)
    host.restart()
    until(events, "all yields")
    equal(seen, before, "what was seen")
    equal(host.wire.call("job.get", id=job)["status"], "running")


@test
def given_sleeps_that_are_overdue_after_a_reboot_then_they_end_in_order_and_sockets_are_served():
    host = Host()
    count = 3000
    spec = {"gather": [{"sleep": "${600 + n}"}, {"yield": "${n}"}],
            "for": "n", "in": f"${{range({count} - 1, -1, -1)}}"}
    job = host.submit(spec)
    host.until_asleep(job)
    host.restart(by=10 * HOUR, is_new_boot=True)
    slowest = 0
    while host.has_ended(job) == [False]:
        begin = time.monotonic()
        host.wire.call("ping")
        slowest = max(slowest, time.monotonic() - begin)
    true(slowest < 1, f"a ping took {slowest:.3f} s")
    seen, after = [], 0
    while len(seen) < count:
        page = host.wire.call("events.read", after=after, job=job, kinds=["yield"], limit=1000)
        seen += [e["data"] for e in page["events"]]
        after = page["events"][-1]["seq"]
    equal(seen, list(range(count)), "the order")


run()
