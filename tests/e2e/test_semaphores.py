#!/usr/bin/env python3
"""Semaphores of the daemon: one line for all jobs, on every loop, also across kill -9."""

import json
import sys

sys.dont_write_bytecode = True
from harness import Daemon, equal, refused, run, test, true, until  # noqa: E402

HOLD = {"with": "db", "sleep": 3600}


def marked(seconds, loop=0):
    """Says when it goes in and when it comes out."""
    return {"loop": loop, "do": [
        {"do": [{"yield": "in"}, {"sleep": seconds}, {"yield": "out"}], "with": "db"}]}


def state_of(wire, name="db"):
    """permits, held, waiting; None where nobody knows it."""
    for row in wire.call("semaphore.list")["semaphores"]:
        if row["name"] == name:
            return row["permits"], row["held"], row["waiting"]
    return None


def wait_for_state(wire, *expected):
    until(lambda: state_of(wire) == expected, f"{expected}")


def is_acquiring(wire, job):
    stack = wire.call("job.stack", id=job)["stack"]
    return any(row["state"] == "acquiring" for row in stack)


def expect_one_at_a_time(wire, jobs):
    """In the order of commits, and in the jobs' own time."""
    events = [e for e in wire.call("events.read", after=0, limit=1000, kinds=["yield"])["events"]
              if e["job"] in jobs]
    equal([e["data"] for e in events], ["in", "out"] * len(jobs))
    equal([e["job"] for e in events[0::2]], [e["job"] for e in events[1::2]], "who is in")
    times = [e["time"] for e in events]
    equal(times, sorted(times), "times")


def expect_completed(wire, jobs):
    done = wire.call("job.wait", ids=jobs, timeout=30)
    equal((sorted(d["id"] for d in done["done"]), done["pending"]), (sorted(jobs), []))
    equal({d["status"] for d in done["done"]}, {"completed"})


@test
def given_jobs_on_two_loops_then_only_one_of_them_is_in_at_a_time():
    daemon = Daemon("--loops", "2")
    with daemon.wire() as wire:
        jobs = [wire.call("job.submit", spec=marked(0.002, n % 2))["id"] for n in range(12)]
        expect_completed(wire, jobs)
        expect_one_at_a_time(wire, jobs)
        until(lambda: state_of(wire) is None, "an idle semaphore to be forgotten")


@test
def given_tasks_of_one_job_then_they_wait_for_each_other_too():
    daemon = Daemon()
    with daemon.wire() as wire:
        done = wire.call("job.run", spec={
            "gather": {"sleep": 0.001, "with": "db", "result": "${n}"}, "for": "n",
            "in": "${range(20)}"})
        equal(done["result"], list(range(20)))
        job = wire.call("job.get", id=done["id"])
        true(job["ended"] - job["started"] >= 0.02, job)


@test
def given_one_who_waits_when_cancelled_then_the_next_one_goes_in():
    daemon = Daemon("--loops", "2")
    with daemon.wire() as wire:
        holder = wire.call("job.submit", spec=dict(HOLD, loop=0))["id"]
        wait_for_state(wire, 1, 1, 0)
        second = wire.call("job.submit", spec=dict(HOLD, loop=1))["id"]
        wait_for_state(wire, 1, 1, 1)
        third = wire.call("job.submit", spec=marked(0.001))["id"]
        wait_for_state(wire, 1, 1, 2)
        equal(wire.call("job.stack", id=second)["stack"][0]["waiting_for"], "db")
        true(is_acquiring(wire, third), "the third waits")

        wire.call("job.cancel", id=second)
        wait_for_state(wire, 1, 1, 1)
        true(is_acquiring(wire, third), "the third still waits")
        wire.call("job.cancel", id=holder)

        expect_completed(wire, [third])


@test
def given_whatever_ends_the_body_then_the_permit_comes_back():
    daemon = Daemon()
    with daemon.wire() as wire:
        for body in ({"raise": "ValueError"}, {"return": 1}, {"sleep": 60, "timeout": 0.001},
                     {"sleep": 60, "with": "inner", "timeout": 0.001}):
            wire.call("job.run", spec=[{"do": body, "with": "db"}])
        cancelled = wire.call("job.submit", spec=HOLD)["id"]
        wait_for_state(wire, 1, 1, 0)
        wire.call("job.cancel", id=cancelled)
        equal(wire.call("job.run", spec={"with": "db", "value": 2})["result"], 2)
        until(lambda: wire.call("semaphore.list")["semaphores"] == [], "nothing to be left")


@test
def given_a_wait_that_took_too_long_then_it_asks_no_more():
    daemon = Daemon()
    with daemon.wire() as wire:
        wire.call("job.submit", spec=HOLD)
        wait_for_state(wire, 1, 1, 0)
        done = wire.call("job.run", spec={"do": {"with": "db", "value": 1}, "timeout": 0.002})
        equal(done["error"]["type"], "TimeoutError")
        wait_for_state(wire, 1, 1, 0)


@test
def given_kill_9_while_one_holds_and_others_wait_then_it_is_still_one_at_a_time():
    daemon = Daemon("--loops", "2")
    with daemon.wire() as wire:
        jobs = []
        for n in range(3):
            jobs.append(wire.call("job.submit", spec=marked(0.3, n % 2))["id"])
            wait_for_state(wire, 1, 1, n)
        daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        # Where the start was slow, the first one has had its time.
        true(state_of(wire) in ((1, 1, 2), (1, 1, 1), (1, 1, 0)), f"one at a time: {state_of(wire)}")
        expect_completed(wire, jobs)
        expect_one_at_a_time(wire, jobs)
        order = [e["job"] for e in
                 wire.call("events.read", after=0, kinds=["yield"])["events"]][::2]
        equal(order, jobs, "the line")


@test
def given_kill_9_again_and_again_then_nobody_is_lost_and_nobody_is_in_twice():
    daemon = Daemon("--loops", "2")
    jobs = []
    for _ in range(5):
        with daemon.wire() as wire:
            for n in range(16):
                jobs.append(wire.call("job.submit", spec=marked(0.001, n % 2), key=f"{len(jobs)}")
                            ["id"])
            daemon.kill()
        daemon.start()
    with daemon.wire() as wire:
        expect_completed(wire, jobs)
        expect_one_at_a_time(wire, jobs)


@test
def given_a_clean_stop_then_the_line_is_as_it_was():
    daemon = Daemon("--loops", "2")
    with daemon.wire() as wire:
        for n in range(3):
            wire.call("job.submit", spec=dict(HOLD, loop=n % 2))
            wait_for_state(wire, 1, 1, n)
        equal(daemon.stop(), 0, "exit code")
    daemon.start()
    with daemon.wire() as wire:
        equal(state_of(wire), (1, 1, 2))


@test
def given_a_put_then_it_counts_at_once_and_stays():
    daemon = Daemon("--loops", "2")
    with daemon.wire() as wire:
        equal(wire.call("semaphore.put", name="db", permits=0),
              {"name": "db", "permits": 0, "held": 0, "waiting": 0})
        jobs = [wire.call("job.submit", spec=dict(HOLD, loop=n % 2))["id"] for n in range(3)]
        wait_for_state(wire, 0, 0, 3)

        equal(wire.call("semaphore.put", name="db", permits=2),
              {"name": "db", "permits": 2, "held": 2, "waiting": 1})
        until(lambda: not is_acquiring(wire, jobs[0]) and not is_acquiring(wire, jobs[1]),
              "two to be in")
        true(is_acquiring(wire, jobs[2]), "the third waits")

        equal(wire.call("semaphore.put", name="db", permits=1)["held"], 2)
        daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        equal(state_of(wire), (1, 2, 1))
        wire.call("job.cancel", id=jobs[0])
        wait_for_state(wire, 1, 1, 1)
        true(is_acquiring(wire, jobs[2]), "the third still waits")
        wire.call("job.cancel", id=jobs[1])
        until(lambda: not is_acquiring(wire, jobs[2]), "the third to be in")
        wire.call("semaphore.put", name="db", permits=3)
        daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        equal(state_of(wire), (3, 1, 0))


@test
def given_puts_from_two_loops_then_what_is_stored_is_what_counts():
    daemon = Daemon("--loops", "2")
    wires = [daemon.wire() for _ in range(6)]  # connections take turns on the loops
    for round_ in range(10):
        sent = [(wire, wire.request("semaphore.put", name="db", permits=2 + n + 6 * round_))
                for n, wire in enumerate(wires)]
        for wire, id_ in sent:
            true("result" in wire.reply(id_), "an answer")
    before = state_of(wires[0])
    daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        equal(state_of(wire), before)


@test
def given_many_semaphores_then_they_are_listed_page_by_page():
    daemon = Daemon()
    names = sorted(f'{n:03}"\N{SNOWMAN}' for n in range(30)) + ["z" * 200]
    with daemon.wire() as wire:
        for name in reversed(names):
            wire.call("semaphore.put", name=name, permits=7)
        found, after = [], None
        while True:
            page = wire.call("semaphore.list", after=after, limit=4)
            found += [row["name"] for row in page["semaphores"]]
            after = page["next"]
            if after is None:
                break
            equal(len(page["semaphores"]), 4)
        equal(found, names)
        wire.call("hello", max_line=4096)
        page = wire.call("semaphore.list", limit=1000)
        true(page["next"] is not None and page["semaphores"], "a short line is a short page")
        for name in names:
            wire.call("semaphore.put", name=name, permits=1)
        equal(wire.call("semaphore.list"), {"semaphores": [], "next": None})


@test
def given_wrong_params_then_each_is_refused():
    daemon = Daemon()
    with daemon.wire() as wire:
        for params in ({}, {"name": "db"}, {"permits": 1}, {"name": "", "permits": 1},
                       {"name": "x" * 201, "permits": 1}, {"name": 5, "permits": 1},
                       {"name": "db", "permits": -1}, {"name": "db", "permits": 2 ** 31},
                       {"name": "db", "permits": 1.5}, {"name": "db", "permits": "1"},
                       {"name": "db", "permits": 1, "more": 1}):
            refused("InvalidParams", wire.call, "semaphore.put", params)
        refused("InvalidParams", wire.call, "semaphore.list", limit=0)
        wire.call("semaphore.put", name="x" * 200, permits=2 ** 31 - 1)


@test
def given_a_name_that_is_none_then_the_job_fails():
    daemon = Daemon()
    with daemon.wire() as wire:
        for value in ("", "x" * 201, 5, None):
            done = wire.call("job.run", spec={"args": {"n": value},
                                              "do": {"with": "${n}", "value": 1}})
            equal(done["error"]["type"], "TypeError")


@test
def given_a_role_then_only_an_admin_puts_and_who_sees_all_may_list():
    daemon = Daemon(tcp=True)
    for role, may_list in (("viewer", True), ("operator", True), ("submitter", False)):
        daemon.token = daemon.new_token(role, role)
        daemon.process.send_signal(1)  # SIGHUP: reads the tokens again

        def is_known():
            try:
                with daemon.tcp_wire():
                    return True
            except Exception:  # pylint: disable=broad-except
                return False
        until(is_known, "the token")
        with daemon.tcp_wire() as wire:
            refused("Forbidden", wire.call, "semaphore.put", name="db", permits=2)
            if may_list:
                equal(wire.call("semaphore.list")["semaphores"], [])
            else:
                refused("Forbidden", wire.call, "semaphore.list")


@test
def given_gatherctl_then_it_puts_and_lists():
    daemon = Daemon()
    done = daemon.ctl("semaphore", "put", "db", "4")
    equal((done.returncode, [line.split() for line in done.stdout.splitlines()]),
          (0, [["NAME", "PERMITS", "HELD", "WAITING"], ["db", "4", "0", "0"]]))
    equal(daemon.ctl("semaphore", "list").stdout, done.stdout)
    equal(daemon.ctl("semaphore").stdout, done.stdout)
    equal(json.loads(daemon.ctl("semaphore", "--json").stdout),
          [{"name": "db", "permits": 4, "held": 0, "waiting": 0}])
    for words in (("put",), ("put", "db"), ("put", "db", "many"), ("put", "db", "-1"),
                  ("drop", "db"), ("put", "db", "5000000000")):
        equal(daemon.ctl("semaphore", *words).returncode, 2, f"exit code of {words}")


if __name__ == "__main__":
    run()
