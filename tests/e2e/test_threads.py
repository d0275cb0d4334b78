#!/usr/bin/env python3
"""to_thread: what the built-in functions give, and what becomes of calls that nobody wants."""

import json
import os
import sqlite3
import sys
import time

sys.dont_write_bytecode = True
from harness import (SOURCE, Daemon, equal, fences, refused, run, scratch, test,  # noqa: E402
                     true)

# Runs until nobody wants it, or for a minute.
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS m FROM n"


def place():
    """A folder with roots: `in` to read, `out` to write and to read, and a database."""
    home = scratch()
    for name in ("in", "out", "secret"):
        (home / name).mkdir()
    (home / "in" / "a").write_text("text")
    (home / "secret" / "s").write_text("what nobody may see")
    with sqlite3.connect(home / "in" / "db") as db:
        db.executescript("CREATE TABLE sale (item, n);"
                         "INSERT INTO sale VALUES ('apple', 2), ('apple', 3), ('pear', 2)")
    db.close()
    return home


def start(home, *flags):
    return Daemon("--read-root", str(home / "in"), "--read-root", str(home / "out"),
                  "--write-root", str(home / "out"), *flags, home=home)


def call(function, *args, **named):
    return {"to_thread": function, "args": list(args) or named}


def finish(daemon, id_):
    with daemon.wire() as wire:
        true(wire.call("job.wait", ids=[id_], timeout=60)["done"], f"job {id_} does not end")
        job = wire.call("job.get", id=id_, include=["result"])
        return job["status"], job.get("result", job.get("error"))


def submit(daemon, spec, **more):
    with daemon.wire() as wire:
        return wire.call("job.submit", spec=spec, **more)["id"]


def result_of(daemon, spec):
    return finish(daemon, submit(daemon, [spec]))


@test
def given_the_examples_of_the_job_language_then_each_gives_the_result_below_it():
    home = place()
    os.rename(home / "in" / "db", home / "out" / "sales.db")
    daemon = start(home)
    blocks = fences(SOURCE / "proto" / "JOBS.md", "job", "result")
    pairs = [(a, b) for a, b in zip(blocks, blocks[1:])
             if (a[0], b[0]) == ("job", "result") and "to_thread" in a[1]]
    true(len(pairs) >= 2, f"examples: {len(pairs)}")
    for (_, spec, line), (_, result, _) in pairs:
        spec = json.loads(spec.replace("/srv/reports", str(home / "out")))
        equal(finish(daemon, submit(daemon, spec)), ("completed", json.loads(result)),
              f"JOBS.md:{line}")


@test
def given_each_function_then_its_result_comes():
    home = place()
    daemon = start(home)
    a = str(home / "in" / "a")
    for spec, wanted in [
            (call("read_file", a), "text"),
            (call("read_file", path=a, offset=1, length=2), "ex"),
            (call("write_file", str(home / "out" / "b"), {"base64": "/w=="}), {"bytes": 1}),
            (call("read_file", str(home / "out" / "b")), {"base64": "/w=="}),
            (call("list_dir", str(home / "in")), ["a", "db"]),
            (call("sha256", a), "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"),
            (call("resolve", "127.0.0.1", 80), ["127.0.0.1:80"]),
            (call("sqlite_query", str(home / "in" / "db"), "SELECT sum(n) AS n FROM sale"),
             [{"n": 7}])]:
        equal(result_of(daemon, spec), ("completed", wanted), json.dumps(spec))
    status, found = result_of(daemon, call("stat", a))
    equal((status, found["type"], found["size"]), ("completed", "file", 4))


@test
def given_a_constant_path_outside_the_roots_then_it_is_a_problem_of_the_spec():
    home = place()
    daemon = start(home)
    with daemon.wire() as wire:
        for args, pointer, words in [
                (["/etc/passwd"], "/0/args/0", "below no read-root: /etc/passwd"),
                ({"path": "/etc/passwd"}, "/0/args/path", "below no read-root: /etc/passwd"),
                ([f"{home}/in/../secret/s"], "/0/args/0", '".." in a path'),
                (["in/a"], "/0/args/0", "not an absolute path: in/a")]:
            error = refused("InvalidSpec", wire.call, "job.submit",
                            spec=[{"to_thread": "read_file", "args": args}])
            problem = error.data["errors"][0]
            equal(problem["pointer"], pointer)
            true(words in problem["message"], problem)
        refused("InvalidSpec", wire.call, "job.submit",
                spec=[call("write_file", str(home / "in" / "a"), "x")])


@test
def given_a_path_that_is_worked_out_or_a_link_then_the_call_fails():
    home = place()
    (home / "in" / "link").symlink_to("../secret/s")
    daemon = start(home)
    for path, words in [("/etc/passwd", "below no read-root"), (f"{home}/in/link", "leads out"),
                        (f"{home}/in/../secret/s", '".." in a path')]:
        status, error = finish(daemon, submit(
            daemon, {"args": {"p": path}, "do": [call("read_file", "${p}")]}))
        equal((status, error["type"]), ("failed", "PermissionError"), path)
        true(words in error["message"], error)


@test
def given_a_file_that_is_not_there_then_except_takes_it_by_its_type():
    home = place()
    daemon = start(home)
    spec = {"try": call("read_file", str(home / "in" / "none")),
            "except": {"FileNotFoundError": {"value": "${error.data.errno}"}}}
    equal(result_of(daemon, spec), ("completed", "ENOENT"))


@test
def given_a_call_that_is_cancelled_then_its_job_does_not_wait_and_its_thread_is_free_soon():
    home = place()
    daemon = start(home, "--threads", "1")
    endless = submit(daemon, [call("sqlite_query", str(home / "in" / "db"), ENDLESS)])
    waits = submit(daemon, [call("read_file", str(home / "in" / "a"))])
    begun = time.monotonic()
    with daemon.wire() as wire:
        true(wire.call("job.cancel", id=endless)["accepted"], "cancel")
    equal(finish(daemon, endless)[0], "cancelled")
    equal(finish(daemon, waits), ("completed", "text"))
    true(time.monotonic() - begun < 50, "the query went on for its minute")


@test
def given_a_timeout_around_a_call_then_it_ends_in_time():
    home = place()
    daemon = start(home)
    spec = dict(call("sqlite_query", str(home / "in" / "db"), ENDLESS), timeout=0.05)
    status, error = result_of(daemon, spec)
    equal((status, error["type"]), ("failed", "TimeoutError"))


@test
def given_kill_9_in_the_middle_of_a_call_then_on_interrupt_decides():
    home = place()
    daemon = start(home)
    endless = call("sqlite_query", str(home / "in" / "db"), ENDLESS)
    fails = submit(daemon, [dict(endless, on_interrupt="fail")])
    again = submit(daemon, [endless])
    with daemon.wire() as wire:  # a command of a later job shows that both calls are durable
        wire.call("job.run", spec={"sleep": 0.1})
    daemon.kill()
    (home / "in" / "db").unlink()
    daemon.start()
    status, error = finish(daemon, fails)
    equal((status, error["type"]), ("failed", "InterruptedError"))
    status, error = finish(daemon, again)
    equal((status, error["type"]), ("failed", "FileNotFoundError"), "it was tried again")


@test
def given_an_orderly_stop_while_a_thread_blocks_then_the_daemon_ends():
    home = place()
    daemon = start(home)
    submit(daemon, [call("sqlite_query", str(home / "in" / "db"), ENDLESS)])
    begun = time.monotonic()
    equal(daemon.stop(), 0)
    true(time.monotonic() - begun < 30, "it waited for the thread")
    true("threads.left" not in daemon.log(), daemon.log())


@test
def given_a_root_that_holds_the_state_directory_then_the_daemon_does_not_start():
    home = scratch()
    (home / "state").mkdir()
    daemon = Daemon("--read-root", str(home), home=home, wait=False)
    equal(daemon.wait(), 78)
    true("no job may reach" in daemon.log(), daemon.log())


if __name__ == "__main__":
    run()
