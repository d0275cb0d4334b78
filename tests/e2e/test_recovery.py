#!/usr/bin/env python3
"""What is promised about crashes, restarts and damaged or foreign files."""

import hashlib
import json
import os
import socket
import sqlite3
import sys

sys.dont_write_bytecode = True
from harness import (Daemon, at_end, ctl_start, equal, is_end, refused, run, scratch,  # noqa: E402
                     test, true)

STEPS = 12
STEP = 0.05
STEPPING = {"title": "steps", "do": [
    {"do": [{"sleep": STEP}, {"yield": "${n}"}], "for": "n", "in": f"${{range({STEPS})}}"},
    {"return": "done"}]}


def expect_whole_stream(events):
    """All steps, each once, at the times that their deadlines say."""
    equal([e["seq"] for e in events], sorted({e["seq"] for e in events}), "numbers")
    equal([e["data"] for e in events if e["kind"] == "yield"], list(range(STEPS)), "steps")
    started = next(e["time"] for e in events if e["kind"] == "job.started")
    took = events[-1]["time"] - started
    # Logical time: exact, however long the daemon was away.
    true(abs(took - STEPS * STEP) < 1e-5, f"the job took {took} s")


@test
def given_kill_9_in_the_middle_of_a_job_then_its_stream_goes_on_whole():
    daemon = Daemon()
    with daemon.wire() as wire:
        job = wire.call("job.submit", spec=STEPPING, key="k")
        wire.call("events.subscribe", after=job["seq"] - 1, job=job["id"])
        events = []
        while len([e for e in events if e["kind"] == "yield"]) < 3:
            events.append(wire.event())
        daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        wire.call("events.subscribe", after=events[-1]["seq"], job=job["id"])
        while not is_end(events[-1]):
            events.append(wire.event())
        expect_whole_stream(events)
        equal(wire.call("job.submit", spec=STEPPING, key="k")["existing"], True)


@test
def given_kill_9_again_and_again_then_gatherctl_run_prints_each_event_once():
    daemon = Daemon()
    process = ctl_start("run", "--socket", daemon.socket, "--jsonl", json.dumps(STEPPING))
    events = []
    kills = [2, 5, 6, 9]
    for line in process.stdout:
        events.append(json.loads(line))
        if kills and events[-1].get("data") == kills[0]:
            kills.pop(0)
            daemon.kill()
            daemon.start()
    equal(process.wait(), 0, "exit code")
    equal(kills, [], "kills that were left")
    expect_whole_stream(events)


@test
def given_kill_9_then_no_acknowledged_job_is_lost():
    daemon = Daemon()
    acknowledged = []
    with daemon.wire() as wire:
        for n in range(300):
            wire.request("job.submit", spec={"sleep": 0.001 * (n % 50), "result": n}, key=f"k{n}")
        try:
            while len(acknowledged) < 150:
                acknowledged.append(wire.message()["result"]["id"])
            daemon.kill()
            while True:
                acknowledged.append(wire.message()["result"]["id"])
        except EOFError:
            pass
    daemon.start()
    with daemon.wire() as wire:
        for first in range(0, len(acknowledged), 50):
            ids = acknowledged[first:first + 50]
            done = wire.call("job.wait", ids=ids, timeout=30)
            equal({j["status"] for j in done["done"]}, {"completed"})
            equal(done["pending"], [])


@test
def given_a_cancel_that_was_accepted_then_it_holds_after_kill_9():
    daemon = Daemon()
    with daemon.wire() as wire:
        job = wire.call("job.submit", spec={"sleep": 3600})["id"]
        wire.call("job.cancel", id=job)
        daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        equal(wire.call("job.wait", ids=[job], timeout=30)["done"],
              [{"id": job, "status": "cancelled"}])


@test
def given_deadlines_that_passed_meanwhile_then_they_fire_in_their_order():
    daemon = Daemon()
    spec = {"as_completed": {"c": {"sleep": 0.03}, "a": {"sleep": 0.01}, "b": {"sleep": 0.02}},
            "do": {"yield": "${c.name}"}, "as": "c"}
    with daemon.wire() as wire:
        job = wire.call("job.submit", spec=spec)
        daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        wire.call("events.subscribe", after=job["seq"] - 1, job=job["id"])
        events = wire.events_until_end()
        equal([e["data"] for e in events if e["kind"] == "yield"], ["a", "b", "c"])
        took = events[-1]["time"] - next(e["time"] for e in events if e["kind"] == "job.started")
        true(abs(took - 0.03) < 1e-5, f"the job took {took} s")


@test
def given_a_second_daemon_on_the_same_state_then_it_exits_75_and_the_first_lives():
    daemon = Daemon()
    second = Daemon(home=daemon.home, name="2", wait=False)
    equal(second.wait(), 75, "exit code")
    with daemon.wire() as wire:
        equal(wire.call("job.run", spec={"value": 1})["result"], 1)


def database(daemon):
    found = [p for p in daemon.state.iterdir() if p.is_file() and
             p.read_bytes()[:15] == b"SQLite format 3"]
    equal(len(found), 1, f"databases in {list(daemon.state.iterdir())}")
    return found[0]


def snapshot(directory):
    """What the files hold, but for the lock (a process id) and what is empty."""
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in directory.iterdir()
            if p.is_file() and p.stat().st_size > 0 and p.name != "lock" and
            not p.name.endswith("-shm")}


def expect_refusal(daemon):
    """It does not start, exits 78 with words, and no file has changed."""
    before = snapshot(daemon.state)
    said = len(daemon.log())
    daemon.start(wait=False)
    equal(daemon.wait(), 78, "exit code")
    true(daemon.log()[said:].strip(), "words")
    equal(snapshot(daemon.state), before, "files")


def stopped_daemon():
    daemon = Daemon()
    with daemon.wire() as wire:
        for n in range(50):
            wire.call("job.run", spec={"value": n})
    equal(daemon.stop(), 0, "exit code")
    return daemon


@test
def given_a_database_of_another_program_then_it_is_left_alone():
    daemon = stopped_daemon()
    path = database(daemon)
    path.unlink()
    with sqlite3.connect(path) as foreign:
        foreign.execute("create table letters (a text)")
        foreign.execute("insert into letters values ('dear')")
    foreign.close()
    expect_refusal(daemon)


@test
def given_a_database_of_a_newer_version_then_it_is_left_alone():
    daemon = stopped_daemon()
    with sqlite3.connect(database(daemon)) as newer:
        newer.execute("pragma user_version = 999999")
    newer.close()
    expect_refusal(daemon)


@test
def given_a_file_that_is_no_database_then_it_is_left_alone():
    daemon = stopped_daemon()
    database(daemon).write_bytes(b"precious notes\n" * 1000)
    expect_refusal(daemon)


@test
def given_a_damaged_page_then_nothing_is_overwritten():
    daemon = stopped_daemon()
    path = database(daemon)
    bytes_ = bytearray(path.read_bytes())
    for page in range(1, len(bytes_) // 4096):
        bytes_[page * 4096:page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(bytes_)
    expect_refusal(daemon)


@test
def given_a_state_directory_that_cannot_be_written_then_it_says_so():
    home = scratch()
    (home / "state").write_text("a file where the directory should be")
    daemon = Daemon(home=home, wait=False)
    true(daemon.wait() not in (0, 75), f"exit code {daemon.process.returncode}")
    true("state" in daemon.log(), daemon.log())
    if os.getuid() != 0:  # root may write everywhere
        other = scratch()
        (other / "state").mkdir(mode=0o500)
        daemon = Daemon(home=other, wait=False)
        true(daemon.wait() != 0, "exit code")


@test
def given_sigterm_then_what_was_accepted_is_answered_and_goes_on_later():
    daemon = Daemon()
    with daemon.wire() as wire:
        long = wire.call("job.submit", spec={"sleep": 0.5, "result": "later"})["id"]
        for n in range(20):
            wire.request("job.submit", spec={"value": n})
        got = [wire.message() for _ in range(20)]
        true(all("result" in m for m in got), got)
        equal(daemon.stop(), 0, "exit code")
        for message in wire.rest():
            true("error" in message, f"after the end: {message}")
    true(not daemon.socket.exists(), "the socket is gone")
    daemon.start()
    with daemon.wire() as wire:
        equal(wire.call("job.wait", ids=[long], timeout=30)["done"],
              [{"id": long, "status": "completed"}])


@test
def given_a_socket_that_a_crash_left_behind_then_the_next_start_takes_it():
    daemon = Daemon()
    daemon.kill()
    true(daemon.socket.exists(), "the socket of the dead")
    daemon.start()
    with daemon.wire() as wire:
        wire.call("ping")


@test
def given_a_socket_where_somebody_else_listens_then_it_is_not_taken():
    home = scratch()
    other = socket.socket(socket.AF_UNIX)
    at_end(other.close)
    other.bind(str(home / "s"))
    other.listen(1)
    daemon = Daemon(home=home, wait=False)
    true(daemon.wait() != 0, "exit code")
    true((home / "s").exists(), "the socket of the other")


@test
def given_the_same_key_then_there_is_one_job_also_after_a_restart():
    daemon = Daemon()
    spec = {"args": {"a": 0}, "do": {"value": "${a}"}}
    with daemon.wire() as wire:
        first = wire.call("job.submit", spec=spec, args={"a": 1}, key="once")
        again = wire.call("job.submit", spec=spec, args={"a": 1}, key="once")
        equal((again["id"], again["seq"], again["existing"]), (first["id"], first["seq"], True))
        error = refused("Conflict", wire.call, "job.submit", spec={"value": 2}, key="once")
        equal(error.data["id"], first["id"])
        refused("Conflict", wire.call, "job.submit", spec=spec, args={"a": 2}, key="once")
        daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        equal(wire.call("job.submit", spec=spec, args={"a": 1}, key="once")["id"], first["id"])
        done = wire.call("job.run", spec=spec, args={"a": 1}, key="once")
        equal((done["id"], done["result"]), (first["id"], 1))
        equal(len(wire.call("job.list")["jobs"]), 1)


@test
def given_the_same_key_at_the_same_time_then_there_is_still_one_job():
    daemon = Daemon()
    wires = [daemon.wire() for _ in range(8)]
    ids = [wire.request("job.submit", spec={"sleep": 0.01}, key="race") for wire in wires]
    replies = [wire.reply(id_)["result"] for wire, id_ in zip(wires, ids)]
    equal(len({r["id"] for r in replies}), 1, "jobs")
    equal(sum(r.get("existing", False) for r in replies), 7, "replies about an existing one")
    for wire in wires:
        wire.close()


@test
def given_a_job_that_ended_before_a_restart_then_its_result_and_numbers_stay():
    daemon = Daemon()
    with daemon.wire() as wire:
        job = wire.call("job.run", spec={"value": {"a": 0.1}})["id"]
        before = wire.call("events.read", after=0)
        daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        equal(wire.call("job.get", id=job, include=["result"])["result"], {"a": 0.1})
        equal(wire.call("events.read", after=0)["events"], before["events"])
        true(wire.call("job.run", spec={"value": 1})["id"] > job, "ids go up")


if __name__ == "__main__":
    run()
