#!/usr/bin/env python3
"""A job that cannot be replayed is set aside, with words, and the others run."""

import sqlite3
import struct
import sys

sys.dont_write_bytecode = True
from harness import Daemon, equal, run, test, true  # noqa: E402

HOLD = {"with": "db", "sleep": 3600}
STEPS = [{"gather": {"a": {"value": 1}, "b": {"yield": 2}}}, {"yield": 3}, {"sleep": 3600}]
OTHER = [{"yield": 1}, {"yield": 2}, {"sleep": 3600}]


def change(daemon, sql, *values):
    """Changes one row of a database that nobody has open."""
    with sqlite3.connect(daemon.state / "gatherd.db") as database:
        equal(database.execute(sql, values).rowcount, 1, sql)
    database.close()


def restart_changed(daemon, sql, *values):
    equal(daemon.stop(), 0)
    change(daemon, sql, *values)
    daemon.start()


def expect_set_aside(wire, job, reason, words):
    found = wire.call("job.get", id=job, include=["result"])
    equal(found["status"], "failed")
    equal(found["error"]["type"], "Quarantined")
    equal(found["error"]["data"], {"reason": reason})
    true(words in found["error"]["message"], found["error"]["message"])
    events = wire.call("events.read", after=0, limit=1000, job=job)["events"]
    equal(events[-1]["kind"], "job.failed")
    equal(events[-1]["data"], found["error"])


def is_running(wire, job):
    return wire.call("job.get", id=job)["status"] == "running"


@test
def given_a_journal_that_cannot_be_read_then_its_job_is_set_aside_and_its_permit_is_free():
    daemon = Daemon()
    with daemon.wire() as wire:
        job = wire.call("job.submit", spec=HOLD)["id"]
        while wire.call("semaphore.list")["semaphores"][0]["held"] == 0:
            pass
        waiting = wire.call("job.submit", spec={"with": "db", "value": 7})["id"]
        other = wire.call("job.submit", spec={"sleep": 3600})["id"]
    restart_changed(daemon, "UPDATE inputs SET bytes = x'ffff' WHERE job = ?", job)
    with daemon.wire() as wire:
        expect_set_aside(wire, job, "journal", "")
        wire.call("job.wait", ids=[waiting], timeout=20)
        equal(wire.call("job.get", id=waiting, include=["result"])["result"], 7)
        true(is_running(wire, other), "the other job does not run")
        equal(wire.call("semaphore.list")["semaphores"], [])


@test
def given_a_program_that_takes_another_way_then_its_job_is_set_aside():
    daemon = Daemon()
    with daemon.wire() as wire:
        job = wire.call("job.submit", spec=STEPS)["id"]
        other = wire.call("job.submit", spec=STEPS)["id"]
        spec = wire.call("job.get", id=job, include=["spec"])["spec"]
    equal(spec, STEPS)
    restart_changed(daemon, "UPDATE jobs SET spec = replace(spec, '\"b\"', '\"c\"') WHERE id = ?",
                    job)
    with daemon.wire() as wire:
        true(is_running(wire, other), "the other job does not run")
        expect_set_aside(wire, job, "nondeterministic", "another way")
        before = wire.call("events.read", after=0, limit=1000, job=job)["events"]
    daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        equal(wire.call("events.read", after=0, limit=1000, job=job)["events"], before)


@test
def given_another_way_that_shows_after_a_sleep_then_its_job_is_set_aside():
    daemon = Daemon()
    spec = [{"sleep": 0.01}, {"yield": 1}, {"sleep": 3600}]
    with daemon.wire() as wire:
        job = wire.call("job.submit", spec=spec)["id"]
        wire.call("events.read", after=0, wait=20, job=job, kinds=["yield"])
    restart_changed(daemon, "UPDATE jobs SET spec = replace(spec, ?, ?) WHERE id = ?",
                    '{"yield":1}', '{"gather":{"a":{"yield":1}}}', job)
    with daemon.wire() as wire:
        equal(wire.call("job.wait", ids=[job], timeout=20)["done"][0]["id"], job)
        expect_set_aside(wire, job, "nondeterministic", "another way")


@test
def given_a_job_that_ended_before_its_journal_does_then_it_is_set_aside():
    daemon = Daemon()
    with daemon.wire() as wire:
        job = wire.call("job.submit", spec=HOLD)["id"]
        while wire.call("semaphore.list")["semaphores"][0]["held"] == 0:
            pass
    restart_changed(daemon, "UPDATE jobs SET spec = '{\"value\":1}' WHERE id = ?", job)
    with daemon.wire() as wire:
        expect_set_aside(wire, job, "nondeterministic", "another way")
        equal(wire.call("semaphore.list")["semaphores"], [])


@test
def given_a_spec_that_this_version_does_not_take_then_its_job_is_set_aside():
    daemon = Daemon()
    with daemon.wire() as wire:
        job = wire.call("job.submit", spec=OTHER)["id"]
        other = wire.call("job.submit", spec=OTHER)["id"]
    restart_changed(daemon, "UPDATE jobs SET spec = '{\"slumber\":1}' WHERE id = ?", job)
    with daemon.wire() as wire:
        expect_set_aside(wire, job, "spec", "slumber")
        true(is_running(wire, other), "the other job does not run")


def accuse(daemon, deaths, *jobs):
    """As if the daemon had ended while each loop replayed one of these, for the n-th time."""
    page = struct.pack("<Q", 0x67646a6f6273f102)
    page += struct.pack("<64Q", *jobs, *[0] * (64 - len(jobs)))
    for job in jobs:
        page += struct.pack("<2Q", job, deaths - 1)
    (daemon.state / "replaying").write_bytes(page + bytes((16 - len(jobs)) * 16))


@test
def given_a_job_that_ended_the_daemon_twice_then_it_is_tried_again():
    daemon = Daemon()
    with daemon.wire() as wire:
        job = wire.call("job.submit", spec=OTHER)["id"]
    equal(daemon.stop(), 0)
    accuse(daemon, 2, job)
    daemon.start()
    with daemon.wire() as wire:
        true(is_running(wire, job), "it does not run")
    true(not (daemon.state / "replaying").exists(), "it is still suspected")


@test
def given_several_that_may_have_ended_the_daemon_then_all_are_tried_again():
    daemon = Daemon("--loops", "2")
    with daemon.wire() as wire:
        jobs = [wire.call("job.submit", spec=OTHER, loop=n % 2)["id"] for n in range(6)]
    equal(daemon.stop(), 0)
    accuse(daemon, 1, jobs[2], jobs[3])
    daemon.start()
    with daemon.wire() as wire:
        true(all(is_running(wire, job) for job in jobs), "some do not run")
    true(not (daemon.state / "replaying").exists(), "they are still suspected")


@test
def given_a_job_that_ended_the_daemon_three_times_then_it_is_set_aside():
    daemon = Daemon()
    with daemon.wire() as wire:
        job = wire.call("job.submit", spec=OTHER)["id"]
        other = wire.call("job.submit", spec=OTHER)["id"]
    equal(daemon.stop(), 0)
    accuse(daemon, 3, job)
    daemon.start()
    with daemon.wire() as wire:
        expect_set_aside(wire, job, "crash", "each time")
        true(is_running(wire, other), "the other job does not run")
    true(not (daemon.state / "replaying").exists(), "it is still suspected")


run()
