#!/usr/bin/env python3
"""Events of jobs, and what people tell them: job.signal, gatherctl signal, through crashes."""

import json
import os
import pathlib
import re
import struct
import sys
import threading
import uuid

sys.dont_write_bytecode = True
from harness import (SOURCE, Daemon, ctl, equal, refused, run, scratch,  # noqa: E402
                     test, true, until)

LIBRARY = pathlib.Path(os.environ.get("WALL_SHIFT_SO", "tests/lib/wall_shift.so")).resolve()
DAY = 86400
EVENT = [{"event": "go", "as": "x"}, {"return": "${x}"}]
BIG = 256 * 1024


def submit(wire, spec, **more):
    return wire.call("job.submit", spec=spec, **more)["id"]


def status(wire, job):
    return wire.call("job.get", id=job)["status"]


def result(wire, job):
    equal(wire.call("job.wait", ids=[job])["pending"], [], "not over")
    row = wire.call("job.get", id=job)
    return row.get("result", row.get("error"))


def signal(wire, job, event, **more):
    return wire.call("job.signal", id=job, event=event, **more)


def said(accepted, already):
    return {"accepted": accepted, "already": already}


# --- what it does ---

@test
def given_a_job_that_waits_when_signalled_then_it_gets_the_value():
    daemon = Daemon("--loops", "3")
    with daemon.wire() as wire:
        jobs = [submit(wire, EVENT) for _ in range(6)]  # on all loops
        for job in jobs:
            equal(signal(wire, job, "go", value={"for": [job, 1.5, None]}), said(True, False))
        for job in jobs:
            equal(result(wire, job), {"for": [job, 1.5, None]})


@test
def given_a_signal_without_a_value_then_it_is_null():
    daemon = Daemon()
    with daemon.wire() as wire:
        job = submit(wire, {"gather": [{"event": "a"}, {"event": "b"}]})
        signal(wire, job, "a")
        signal(wire, job, "b", value=None)
        equal(result(wire, job), [None, None])


@test
def given_a_signal_before_the_job_begins_then_it_is_kept():
    daemon = Daemon()
    with daemon.wire() as wire:
        job = submit(wire, EVENT, start_at="2090-01-01T00:00:00Z")
        equal(signal(wire, job, "go", value=1), said(True, False))
        equal(signal(wire, job, "go", value=2, key="k"), said(True, False))
        equal(signal(wire, job, "go", value=2, key="k"), said(True, True))
        equal(status(wire, job), "queued")


@test
def given_a_job_with_a_key_when_it_is_signalled_at_once_then_nothing_is_lost():
    daemon = Daemon("--loops", "2")
    with daemon.wire() as wire, daemon.wire() as other:
        for n in range(50):
            job = submit(wire, EVENT, key=f"job {n}")
            equal(signal(other, job, "go", value=n), said(True, False))
            equal(result(wire, job), n)


@test
def given_the_latest_value_then_later_waits_get_it():
    daemon = Daemon()
    with daemon.wire() as wire:
        job = submit(wire, [{"event": "go"}, {"event": "on"}, {"event": "go"}])
        signal(wire, job, "go", value=1)
        signal(wire, job, "go", value=2)
        signal(wire, job, "on")
        equal(result(wire, job), 2)


@test
def given_a_key_then_the_same_signal_counts_once_and_another_is_a_conflict():
    daemon = Daemon()
    with daemon.wire() as wire:
        job = submit(wire, [{"event": "go"}, {"event": "end"}])
        equal(signal(wire, job, "go", value=[1], key="k"), said(True, False))
        equal(signal(wire, job, "go", value=[1], key="k"), said(True, True))
        for more in ({"event": "go", "value": [1.0]}, {"event": "end", "value": [1]},
                     {"event": "go"}):
            error = refused("Conflict", wire.call, "job.signal", id=job, key="k", **more)
            equal(error.data["why"], "key")
        other = submit(wire, EVENT)
        equal(signal(wire, other, "go", value=7, key="k"), said(True, False))
        daemon.kill()
        daemon.start()
    with daemon.wire() as wire:
        equal(signal(wire, job, "go", value=[1], key="k"), said(True, True))
        equal(signal(wire, job, "end", value=3, key="l"), said(True, False))
        equal(result(wire, job), 3)


@test
def given_a_job_that_has_ended_then_it_takes_no_signal_and_knows_those_that_it_got():
    daemon = Daemon()
    with daemon.wire() as wire:
        job = submit(wire, EVENT)
        signal(wire, job, "go", value={"a": 1}, key="k")
        equal(result(wire, job), {"a": 1})
        for _ in range(2):
            equal(signal(wire, job, "go", value={"a": 1}, key="k"), said(True, True))
            error = refused("Conflict", signal, wire, job, "go", value={"a": True}, key="k")
            equal(error.data["why"], "key")
            for more in ({}, {"key": "l"}):
                error = refused("Conflict", signal, wire, job, "go", value={"a": 1}, **more)
                equal((error.data["why"], error.message), ("ended", "the job has ended: completed"))
            daemon.kill()
            daemon.start()
            wire = daemon.wire()
        wire.close()


@test
def given_a_cancelled_job_then_what_cleans_up_may_wait_and_the_rest_is_told_that_it_has_ended():
    daemon = Daemon()
    with daemon.wire() as wire:
        job = submit(wire, {"try": {"event": "go"}, "finally": {"event": "clean"}})
        wire.call("job.cancel", id=job)
        equal(signal(wire, job, "clean"), said(True, False))
        equal(wire.call("job.wait", ids=[job])["pending"], [])
        equal(status(wire, job), "cancelled")
        error = refused("Conflict", signal, wire, job, "go")
        equal(error.message, "the job has ended: cancelled")


# --- what it refuses ---

@test
def given_what_is_no_signal_then_it_is_refused():
    daemon = Daemon()
    with daemon.wire() as wire:
        job = submit(wire, EVENT)
        for params, pointer in (({"id": job}, "/event"), ({"event": "go"}, "/id"),
                                ({"id": job, "event": ""}, "/event"),
                                ({"id": job, "event": "x" * 201}, "/event"),
                                ({"id": job, "event": 7}, "/event"),
                                ({"id": job, "event": "go", "key": "k" * 129}, "/key"),
                                ({"id": job, "event": "go", "vlaue": 1}, "/vlaue")):
            error = refused("InvalidParams", wire.call, "job.signal", params)
            equal(error.data["pointer"], pointer, f"{params}")
        refused("NotFound", signal, wire, job + 1000, "go")
        equal(status(wire, job), "running")
        equal(signal(wire, job, "x" * 200), said(True, False))


@test
def given_a_value_that_is_too_long_then_it_is_over_the_limit_and_one_that_fits_arrives():
    daemon = Daemon()
    with daemon.wire() as wire:
        limits = wire.call("hello")["limits"]
        equal((limits["signal_value_bytes"], limits["event_bytes"]), (BIG, 200))
        job = submit(wire, [{"event": "go", "as": "x"}, {"return": "${len(x)}"}])
        error = refused("LimitExceeded", signal, wire, job, "go", value="x" * (BIG - 1))
        equal((error.data["limit"], error.data["value"], error.data["max"]),
              ("signal_value_bytes", BIG + 1, BIG))
        equal(signal(wire, job, "go", value="x" * (BIG - 2)), said(True, False))
        equal(result(wire, job), BIG - 2)


@test
def given_as_many_signals_as_a_job_takes_then_the_next_is_over_the_limit():
    daemon = Daemon()
    with daemon.wire() as wire:
        limits = wire.call("hello")["limits"]
        job = submit(wire, EVENT)
        ids = []
        for n in range(limits["signals"]):
            ids.append(wire.request("job.signal", id=job, event="other", value=n))
            if len(ids) == 200 or n + 1 == limits["signals"]:
                for number in ids:
                    equal(wire.reply(number)["result"], said(True, False))
                ids = []
        error = refused("LimitExceeded", signal, wire, job, "go")
        equal((error.data["limit"], error.data["max"]), ("signals", limits["signals"]))
        daemon.kill()
        daemon.start()
    with daemon.wire() as wire:
        equal(refused("LimitExceeded", signal, wire, job, "go").data["limit"], "signals")
        wire.call("job.cancel", id=job)


@test
def given_who_may_not_see_the_job_then_it_is_not_there_and_an_operator_may():
    daemon = Daemon(tcp=True)
    people = {}
    for name, role in (("own", "submitter"), ("else", "submitter"), ("op", "operator"),
                       ("eye", "viewer")):
        people[name] = daemon.new_token(name, role)
    daemon.process.send_signal(1)
    wires = {}
    for name, token in people.items():
        def shown(name=name, token=token):
            wires[name] = daemon.tcp_wire(say_hello=False)
            return "result" in wires[name].ask("hello", token=token)
        until(shown, f"a token of {name}")
    job = submit(wires["own"], [{"event": "a"}, {"event": "b"}])
    refused("NotFound", signal, wires["else"], job, "a")
    refused("Forbidden", signal, wires["eye"], job, "a")
    equal(signal(wires["op"], job, "a"), said(True, False))
    equal(signal(wires["own"], job, "b", value=1), said(True, False))
    equal(result(wires["own"], job), 1)
    for wire in wires.values():
        wire.close()


# --- looking ---

@test
def given_a_job_that_waits_then_stack_and_explain_name_the_event():
    daemon = Daemon()
    with daemon.wire() as wire:
        job = submit(wire, [{"gather": [{"event": "approved", "timeout": 60},
                                        {"event": "say \"yes\" now"}]}])
        rows = wire.call("job.stack", id=job)["stack"][1:]
        equal([(row["op"], row["state"], row["waiting_for"]) for row in rows],
              [("event", "waiting", "approved"), ("event", "waiting", "say \"yes\" now")])
        told = wire.call("job.explain", id=job)
        equal(told["why"], [
            f'/0/gather/0 waits for the event "approved": gatherctl signal {job} approved',
            '/0/gather/1 waits for the event "say \\"yes\\" now"'])
        equal([(row["kind"], row.get("name")) for row in told["waits"]],
              [("branches", None), ("event", "approved"), ("event", "say \"yes\" now")])


# --- gatherctl ---

@test
def given_gatherctl_signal_then_the_value_is_json_or_text():
    daemon = Daemon()
    for words, value in ((["yes"], "yes"), (["{\"a\": [1]}"], {"a": [1]}), (["true"], True),
                         (["--text", "true"], "true"), ([], None), ([""], ""),
                         (["--", "-5"], -5), (["\"x\""], "x"), (["1e"], "1e")):
        job = daemon.ctl("submit", json.dumps(EVENT)).stdout.strip()
        done = daemon.ctl("signal", job, "go", *words)
        equal((done.returncode, done.stdout), (0, f"{job}  signalled\n"), done.stderr)
        equal(json.loads(daemon.ctl("result", job).stdout), value)


@test
def given_gatherctl_signal_with_a_key_then_it_says_what_was_known():
    daemon = Daemon()
    job = daemon.ctl("submit", '[{"event": "go"}, {"event": "end"}]').stdout.strip()
    equal(daemon.ctl("signal", job, "go", "1", "--key", "k").stdout, f"{job}  signalled\n")
    equal(daemon.ctl("signal", job, "go", "1", "--key", "k").stdout, f"{job}  signalled before\n")
    equal(json.loads(daemon.ctl("signal", job, "go", "1", "--json").stdout), said(True, False))
    bad = daemon.ctl("signal", job, "go", "2", "--key", "k")
    equal(bad.returncode, 1)
    true("under this key" in bad.stderr, bad.stderr)
    for words in (["signal", job], ["signal", "seven", "go"], ["signal", job, "a", "b", "c"]):
        equal(daemon.ctl(*words).returncode, 2, f"{words}")
    equal(ctl("signal", "--socket", daemon.home / "none", job, "go").returncode, 3)


# --- through crashes ---

class Host:
    """A daemon on a host whose wall and boots are ours: days pass while it is down."""

    def __init__(self):
        home = scratch()
        self.file, self.boot = home / "shift", home / "boot"
        self.shift = 0.0
        self.file.write_bytes(struct.pack("=q", 0))
        self.boot.write_text(f"{uuid.uuid4()}\n")
        self.daemon = Daemon("--loops", "2", home=home, env={
            "LD_PRELOAD": str(LIBRARY), "WALL_SHIFT": str(self.file),
            "WALL_SHIFT_BOOT": str(self.boot)})

    def restart(self, seconds):
        """The host goes down, and is back when so many seconds have passed."""
        self.daemon.kill()
        self.shift += seconds
        self.file.write_bytes(struct.pack("=q", int(self.shift * 1e9)))
        self.boot.write_text(f"{uuid.uuid4()}\n")
        self.daemon.start()


def approval():
    """The example of JOBS.md."""
    text = pathlib.Path(SOURCE / "proto" / "JOBS.md").read_text()
    section = re.search(r"^### event\n.*?^```\n(.*?)^```", text, re.M | re.S)[1]
    return json.loads(section)


@test
def given_an_approval_just_before_its_deadline_when_the_daemon_dies_then_it_counts():
    host = Host()
    with host.daemon.wire() as wire:
        job = submit(wire, approval())
    host.restart(2.9 * DAY)
    with host.daemon.wire() as wire:
        equal(status(wire, job), "running")
        late = submit(wire, approval())
        equal(signal(wire, job, "approved", value="ann", key="k"), said(True, False))
        host.restart(2.9 * DAY)
    with host.daemon.wire() as wire:
        equal(result(wire, job), "deployed, approved by ann")
        equal(signal(wire, job, "approved", value="ann", key="k"), said(True, True))
        equal(status(wire, late), "running")


@test
def given_an_approval_just_after_its_deadline_then_it_is_too_late_whenever_the_daemon_is_back():
    host = Host()
    with host.daemon.wire() as wire:
        job = submit(wire, approval())
        other = submit(wire, [{"try": {"event": "approved", "timeout": "3d"},
                               "except": {"TimeoutError": {"yield": "late"}}},
                              {"event": "approved"}])
        equal(status(wire, job), "running")
    host.restart(3 * DAY)
    with host.daemon.wire() as wire:
        error = refused("Conflict", signal, wire, job, "approved", value="ann", key="k")
        equal((error.data["why"], error.message), ("ended", "the job has ended: failed"))
        equal(result(wire, job)["type"], "NotApproved")
        equal(refused("Conflict", signal, wire, job, "approved", value="ann", key="k").data["why"],
              "ended")
        equal(signal(wire, other, "approved", value="bob"), said(True, False))
        equal(result(wire, other), "bob")


class Approver(threading.Thread):
    """Tells jobs, each under a key of its own, until it was told that they know."""

    def __init__(self, daemon, jobs):
        super().__init__(daemon=True)
        self.daemon_, self.jobs, self.told, self.again = daemon, jobs, 0, 0

    def run(self):
        for job in self.jobs:
            while True:
                done = self.daemon_.ctl("signal", job, "go", job, "--key", f"key {job}", "--json")
                if done.returncode == 0:
                    self.again += json.loads(done.stdout)["already"]
                    self.told += 1
                    break


@test
def given_kills_while_jobs_are_told_then_each_hears_it_once():
    daemon = Daemon("--loops", "2")
    with daemon.wire() as wire:
        jobs = [job["id"] for job in wire.call("job.submit", specs=[
            [{"event": "go", "as": "x"}, {"yield": "${x}"}, {"return": "${x}"}]] * 60)["jobs"]]
    approvers = [Approver(daemon, jobs[n::3]) for n in range(3)]
    for thread in approvers:
        thread.start()
    for n in range(4):
        until(lambda n=n: sum(a.told for a in approvers) >= 10 * (n + 1), "some that were told")
        daemon.kill()
        daemon.start()
    for thread in approvers:
        thread.join()
    with daemon.wire() as wire:
        for job in jobs:
            equal(result(wire, job), job)
        page = wire.call("events.read", after=0, limit=1000, kinds=["yield"])
        equal(sorted(event["data"] for event in page["events"]), sorted(jobs), "yields")


run()
