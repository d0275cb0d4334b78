#!/usr/bin/env python3
"""job.explain and job.resume: what a job waits for, and how a command that is held goes on."""

import os
import pathlib
import signal
import sys

sys.dont_write_bytecode = True
from harness import Daemon, at_end, equal, refused, run, scratch, test, true, until  # noqa: E402


def runner_pid(daemon):
    return int((daemon.state / "runner" / "lock").read_text())


def start(*flags, **more):
    daemon = Daemon(*flags, home=scratch(), **more)

    def end():
        try:
            os.kill(runner_pid(daemon), signal.SIGTERM)
        except (OSError, ValueError):
            pass
    at_end(end)
    return daemon


def until_there(path):
    """A command that says that it runs, and ends when PATH.go is there."""
    return ["sh", "-c", f"touch {path}; while [ ! -e {path}.go ]; do sleep 0.01; done"]


def waits(wire, job, kind, count=1):
    """Those of this kind, once there are as many."""
    def look():
        found = [w for w in wire.call("job.explain", id=job)["waits"] if w["kind"] == kind]
        return found if len(found) == count else None
    return until(look, f"{count} of {kind} in job {job}")


def words(wire, job):
    return wire.call("job.explain", id=job)["why"]


@test
def given_time_tasks_and_branches_then_each_is_told():
    daemon = Daemon("--loops", "2")
    with daemon.wire() as wire:
        job = wire.call("job.submit", loop=1, spec=[
            {"create_task": {"sleep": 3600}, "name": "nap", "as": "t"},
            {"gather": {"a": {"await": "${t}"}, "b": [{"await": "${t}"}, {"value": 1}],
                        "c": {"value": 2, "after": ["b"]}}}])["id"]
        kinds = until(lambda: {w["kind"]: w for w in wire.call("job.explain", id=job)["waits"]},
                      "its tasks")
        equal(sorted(kinds), ["after", "branches", "task", "time"])
        equal((kinds["branches"]["left"], kinds["branches"]["count"]), (3, 3))
        equal(kinds["task"]["on"], kinds["time"]["address"])
        equal((kinds["time"]["op"], kinds["time"]["label"]), ("sleep", "nap"))
        told = wire.call("job.explain", id=job)
        equal((told["id"], told["status"], len(told["why"])), (job, "running", 1))
        true(" waits until 2" in told["why"][0], told["why"])

        early = wire.call("job.submit", spec={"value": 1}, start_at=4000000000)["id"]
        told = wire.call("job.explain", id=early)
        equal((told["status"], told["waits"], told["start_at"], told["why"]),
              ("queued", [], 4000000000, ["it does not begin before 2096-10-02T07:06:40Z"]))


@test
def given_a_job_that_is_over_then_it_says_how_and_when():
    daemon = Daemon()
    with daemon.wire() as wire:
        done = wire.call("job.run", spec={"value": 1})["id"]
        true(words(wire, done)[0].startswith("it has ended: completed 2"), words(wire, done))
        failed = wire.call("job.run", spec={"raise": {"type": "Odd", "message": "no luck"}})["id"]
        told = wire.call("job.explain", id=failed)
        true("failed 2" in told["why"][0] and "Odd: no luck" in told["why"][0], told)
        equal((told["error"]["type"], told["waits"]), ("Odd", []))
        refused("NotFound", wire.call, "job.explain", id=99)
        refused("InvalidParams", wire.call, "job.explain")


@test
def given_a_semaphore_then_the_place_in_line_and_who_holds_it_are_told():
    daemon = Daemon("--loops", "2")
    with daemon.wire() as wire:
        jobs = []
        for n in range(3):
            jobs.append(wire.call("job.submit", loop=n % 2,
                                  spec={"with": "printer", "sleep": 3600})["id"])
            until(lambda: sum(row["held"] + row["waiting"] for row in
                              wire.call("semaphore.list")["semaphores"]) == n + 1, "the claim")
        line = waits(wire, jobs[2], "semaphore")[0]
        equal((line["name"], line["permits"], line["held"], line["waiting"], line["before"]),
              ("printer", 1, 1, 2, 1))
        equal([h["job"] for h in line["holders"]], [jobs[0]])
        equal(line["more_holders"], 0)
        true(line["holders"][0]["since"] <= line["since"], line)
        equal(len(words(wire, jobs[2])), 1)
        true(f'waits for the semaphore "printer" (1 of 1 held), behind 1, held by job {jobs[0]} '
             in words(wire, jobs[2])[0], words(wire, jobs[2]))
        true("is next" in words(wire, jobs[1])[0], words(wire, jobs[1]))
        wire.call("semaphore.put", name="printer", permits=0)
        true("(1 of 0 held: it is paused)" in words(wire, jobs[1])[0], words(wire, jobs[1]))


@test
def given_who_sees_only_own_jobs_then_the_others_are_counted():
    daemon = Daemon(tcp=True)
    daemon.token = daemon.new_token("other", "submitter")
    daemon.process.send_signal(signal.SIGHUP)

    def is_known():
        try:
            with daemon.tcp_wire():
                return True
        except Exception:  # pylint: disable=broad-except
            return False
    until(is_known, "the token")
    spec = {"with": "db", "sleep": 3600}
    with daemon.wire() as wire, daemon.tcp_wire() as other:
        wire.call("semaphore.put", name="db", permits=2)
        theirs = wire.call("job.submit", spec=spec)["id"]
        mine = other.call("job.submit", spec=spec)["id"]
        until(lambda: wire.call("semaphore.list")["semaphores"][0]["held"] == 2, "both to be in")
        last = other.call("job.submit", spec=spec)["id"]
        line = waits(other, last, "semaphore")[0]
        equal(([h["job"] for h in line["holders"]], line["more_holders"]), ([mine], 1))
        true(f"held by job {mine} " in words(other, last)[0] and
             words(other, last)[0].endswith(" and 1 more"), words(other, last))
        equal(sorted(h["job"] for h in waits(wire, last, "semaphore")[0]["holders"]),
              sorted([theirs, mine]))
        refused("NotFound", other.call, "job.explain", id=theirs)
        refused("NotFound", other.call, "job.resume", id=theirs, what="retry")
        wire.call("job.cancel", id=mine)
        until(lambda: wire.call("job.get", id=mine)["status"] == "cancelled", "the cancel")
        next_ = other.call("job.submit", spec=spec)["id"]
        until(lambda: [h["job"] for h in waits(other, next_, "semaphore")[0]["holders"]] == [last],
              "the line to go on")


@test
def given_a_pool_of_one_then_the_line_is_by_priority_and_a_change_counts_at_once():
    daemon = start("--loops", "2")
    with daemon.wire() as wire:
        wire.call("pool.put", name="one", permits=1)
        path = daemon.home / "first"
        first = wire.call("job.submit", spec={"exec": until_there(path), "pool": "one"})["id"]
        until(path.exists, "the first runs")
        jobs = {}
        log = daemon.home / "order"
        for n, priority in enumerate((-1, 3, 0, 3)):
            spec = {"exec": ["sh", "-c", f"echo {n} >>{log}"], "pool": "one"}
            jobs[n] = wire.call("job.submit", spec=spec, loop=n % 2, priority=priority)["id"]
            until(lambda: wire.call("pool.list")["pools"] == [
                {"name": "one", "permits": 1, "held": 1, "waiting": n + 1}], "the claim")
        equal(wire.call("server.info")["processes"], {"running": 1, "waiting": 4})
        line = waits(wire, jobs[0], "pool")[0]
        equal((line["name"], line["before"], line["command"], line["attempt"],
               [h["job"] for h in line["holders"]]), ("one", 3, "sh", 1, [first]))
        true('waits for its turn in the pool "one" (1 of 1 held), behind 3' in
             words(wire, jobs[0])[0], words(wire, jobs[0]))
        true("is next" in words(wire, jobs[1])[0], words(wire, jobs[1]))
        until(lambda: "pid" in waits(wire, first, "command")[0], "the runner to tell of it")
        running = waits(wire, first, "command")[0]
        true(running["pid"] > 1 and running["since"] > 1e9, running)
        true(f'waits for the end of "sh", process {running["pid"]}' in words(wire, first)[0],
             words(wire, first))

        pathlib.Path(f"{path}.go").touch()
        wire.call("job.wait", ids=list(jobs.values()), timeout=30)
        equal(log.read_text().split(), ["1", "3", "2", "0"], "the order of starts")

        wire.call("pool.put", name="one", permits=0)
        paused = [wire.call("job.submit", spec={"exec": ["true"], "pool": "one"})["id"]
                  for _ in range(3)]
        until(lambda: wire.call("pool.list")["pools"][0]["waiting"] == 3, "three to wait")
        wire.call("pool.put", name="one", permits=2)
        equal(len(wire.call("job.wait", ids=paused, timeout=30)["done"]), 3)


@test
def given_a_pool_when_the_daemon_is_killed_then_its_line_is_as_it_was():
    daemon = start("--loops", "2")
    log = daemon.home / "order"
    path = daemon.home / "first"
    jobs = []
    with daemon.wire() as wire:
        wire.call("pool.put", name="one", permits=1)
        first = wire.call("job.submit", spec={"exec": until_there(path), "pool": "one"})["id"]
        until(path.exists, "the first runs")
        for n, priority in enumerate((0, 5, 0)):
            spec = {"exec": ["sh", "-c", f"echo {n} >>{log}"], "pool": "one"}
            jobs.append(wire.call("job.submit", spec=spec, loop=n % 2, priority=priority)["id"])
            until(lambda: wire.call("pool.list")["pools"][0]["waiting"] == n + 1, "the claim")
        daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        equal(wire.call("pool.list")["pools"],
              [{"name": "one", "permits": 1, "held": 1, "waiting": 3}])
        equal([h["job"] for h in waits(wire, jobs[2], "pool")[0]["holders"]], [first])
        pathlib.Path(f"{path}.go").touch()
        wire.call("job.wait", ids=jobs, timeout=30)
        equal(log.read_text().split(), ["1", "0", "2"], "the order of starts")


@test
def given_a_command_that_is_being_stopped_then_it_says_so():
    daemon = start()
    path = daemon.home / "deaf"
    with daemon.wire() as wire:
        job = wire.call("job.submit", spec={
            "exec": ["sh", "-c", f"trap '' TERM; touch {path}; "
                                 "while :; do sleep 0.01; done"], "grace": 5})["id"]
        until(path.exists, "it runs")
        wire.call("job.cancel", id=job)
        equal(waits(wire, job, "stopping")[0]["grace"], 5)
        true("is being stopped: TERM, and KILL after 5 s" in words(wire, job)[0],
             words(wire, job))


def held_job(daemon, name, loop=0):
    """A command that was interrupted and is held; its job."""
    path = daemon.home / name
    with daemon.wire() as wire:
        job = wire.call("job.submit", loop=loop, spec={"try": [
            {"exec": until_there(path), "on_interrupt": "hold", "check": False}],
            "except": {"InterruptedError": {"value": "interrupted"}}})["id"]
    until(path.exists, f"{name} runs")
    return job, path


@test
def given_a_held_command_after_kill_9_of_daemon_and_runner_then_it_goes_on_as_it_is_told():
    daemon = start("--loops", "2")
    retried, path = held_job(daemon, "retried", 1)
    failed, _ = held_job(daemon, "failed")
    daemon.kill()
    os.kill(runner_pid(daemon), signal.SIGKILL)
    path.unlink()
    daemon.start()
    with daemon.wire() as wire:
        for job in (retried, failed):
            held = waits(wire, job, "held")[0]
            equal((held["command"], held["attempt"]), ("sh", 1))
            true("job.resume" in words(wire, job)[0], words(wire, job))
        for params in ({"what": "wait"}, {}, {"what": "retry", "path": ""}):
            refused("InvalidParams", wire.call, "job.resume", id=retried, **params)
        refused("Conflict", wire.call, "job.resume", id=retried, what="retry", path="/nowhere")

        equal(wire.call("job.resume", id=retried, what="retry", path=held["address"]),
              {"id": retried, "resumed": 1})
        refused("Conflict", wire.call, "job.resume", id=retried, what="retry")
        until(path.exists, "it runs again")
        equal(waits(wire, retried, "command")[0]["attempt"], 2)
        pathlib.Path(f"{path}.go").touch()
        equal(wire.call("job.resume", id=failed, what="fail"), {"id": failed, "resumed": 1})
        equal(wire.call("job.wait", ids=[retried, failed], timeout=30)["pending"], [])
        equal(wire.call("job.get", id=failed)["result"], "interrupted")
        equal(wire.call("job.get", id=retried)["result"]["code"], 0)
        refused("Conflict", wire.call, "job.resume", id=failed, what="fail")
        refused("NotFound", wire.call, "job.resume", id=99, what="fail")


@test
def given_very_long_names_and_many_tasks_then_the_answer_stays_a_line():
    daemon = Daemon()
    with daemon.wire() as wire:
        branches = {f"{n}" + "\x01" * 900: {"sleep": 3600} for n in range(80)}
        job = wire.call("job.submit", spec={"gather": branches})["id"]
        told = until(lambda: wire.call("job.explain", id=job), "an answer")
        equal(len(told["waits"]) + told["more"], 81)
        true(told["why"][-1].endswith("more tasks are not shown here"), told["why"][-1][-60:])
        true(0 < len(wire.call("job.stack", id=job)["stack"]) < 81, "a stack of whole rows")


if __name__ == "__main__":
    run()
