#!/usr/bin/env python3
"""gatherctl backup and fsck, and what a start says of a database that is older than it was."""

import json
import os
import shutil
import signal
import sqlite3
import sys
import threading

sys.dont_write_bytecode = True
from harness import (Daemon, ctl, ctl_start, equal, refused, run, scratch, test, true,  # noqa: E402
                     until)


SLEEPER = '{"sleep": 3600}'


def output(done, code=0):
    equal(done.returncode, code, f"exit code ({done.stderr.strip()})")
    return done.stdout


def submit(daemon, count, spec=SLEEPER):
    return [int(output(daemon.ctl("submit", spec))) for _ in range(count)]


def back_up(daemon, path):
    output(daemon.ctl("backup", path))
    return path


def restored(backup):
    """The home of a daemon that is still to start, with nothing but this file in its state."""
    home = scratch()
    (home / "state").mkdir(mode=0o700)
    shutil.copy(backup, home / "state" / "gatherd.db")
    true("clean" in output(ctl("fsck", home / "state")), "fsck")
    return home


@test
def given_a_backup_when_it_is_put_into_a_new_place_then_the_jobs_go_on():
    daemon = Daemon()
    jobs = submit(daemon, 3)
    output(daemon.ctl("run", '{"value": 7}'))
    path = back_up(daemon, scratch() / "backup")
    equal(os.stat(path).st_mode & 0o777, 0o600, "mode")
    equal(os.listdir(path.parent), ["backup"], "nothing else is left")
    equal([n for n in os.listdir(daemon.state) if n.startswith("backup")], [], "in the daemon")
    with Daemon(home=restored(path), name="2").wire() as wire:
        for job in jobs:
            equal(wire.call("job.get", id=job)["status"], "running", "status")


@test
def given_a_target_that_exists_then_it_is_not_overwritten():
    daemon = Daemon()
    path = scratch() / "precious"
    path.write_text("mine")
    true("overwrites nothing" in daemon.ctl("backup", path).stderr, "words")
    equal(path.read_text(), "mine", "content")
    output(daemon.ctl("backup", scratch() / "no" / "such"), 1)


@test
def given_submits_all_the_while_then_the_backup_is_one_moment():
    daemon = Daemon()
    submit(daemon, 1, json.dumps({"return": "x" * 100000}))
    stop = threading.Event()
    acknowledged = []

    def flood():
        with daemon.wire() as wire:
            while not stop.is_set():
                acknowledged.append(wire.call("job.submit", spec={"sleep": 3600})["id"])

    thread = threading.Thread(target=flood)
    thread.start()
    until(lambda: len(acknowledged) > 50, "submits")
    before = len(acknowledged)
    path = back_up(daemon, scratch() / "backup")
    stop.set()
    thread.join()
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as link:
        equal(link.execute("PRAGMA integrity_check").fetchone(), ("ok",), "integrity")
        ids = [row[0] for row in link.execute("SELECT id FROM jobs WHERE status < 2 ORDER BY id")]
    true(set(acknowledged[:before]) <= set(ids), "what was acknowledged before is in it")
    restored(path)


@test
def given_the_wrong_scope_or_no_such_backup_then_it_is_refused():
    daemon = Daemon(tcp=True, token="operator")
    with daemon.tcp_wire() as wire:
        equal(refused("Forbidden", wire.call, "backup.start").data["scope"], ["admin"], "scope")
    with daemon.wire() as wire:
        refused("NotFound", wire.call, "backup.status", backup=1)
        refused("InvalidParams", wire.call, "backup.read", backup=1)
        id_ = wire.call("backup.start")["backup"]
        refused("Conflict", wire.call, "backup.start")
        wire.call("backup.end", backup=id_)


@test
def given_another_backup_under_way_then_it_is_refused_and_leaves_no_file():
    daemon = Daemon()
    folder = scratch()
    with daemon.wire() as wire:
        held = wire.call("backup.start")["backup"]
        output(daemon.ctl("backup", folder / "backup"), 1)
        wire.call("backup.end", backup=held)
    equal(os.listdir(folder), [], "files")


@test
def given_a_client_that_is_interrupted_then_no_half_file_stays():
    daemon = Daemon()
    submit(daemon, 1)
    folder = scratch()
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        process = ctl_start("backup", "--socket", daemon.socket, folder / "backup")
        until(lambda: os.listdir(folder), "the file that is not whole")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
    finally:
        daemon.process.send_signal(signal.SIGCONT)
    words = process.communicate()[1]
    true(process.returncode in (0, 130), f"exit code {process.returncode}: {words}")
    true(os.listdir(folder) in ([], ["backup"]), "whole or not at all")


@test
def given_an_old_backup_in_the_place_of_a_newer_state_then_a_start_refuses_it():
    daemon = Daemon()
    with daemon.wire() as wire:
        store = wire.call("hello")["store"]
    submit(daemon, 2)
    path = back_up(daemon, scratch() / "backup")
    newest = max(submit(daemon, 3))
    equal(daemon.stop(), 0, "exit code")
    shutil.copy(path, os.path.join(daemon.state, "gatherd.db"))
    output(ctl("fsck", daemon.state), 1)
    daemon.start(wait=False)
    equal(daemon.wait(), 78, "exit code")
    true("--accept-rollback" in daemon.log(), "the log says what to do")
    daemon.flags = daemon.flags + ["--accept-rollback"]
    daemon.start()
    with daemon.wire() as wire:
        true(wire.call("hello")["store"] != store, "cursors of before mean nothing here")
        equal(len(wire.call("job.list")["jobs"]), 2, "jobs")
        true(wire.call("job.submit", spec={"value": 1})["id"] > newest, "no id is used twice")
    true("store.rolled_back" in daemon.log(), daemon.log())


@test
def given_a_log_that_was_cut_after_a_crash_then_a_start_refuses_it():
    daemon = Daemon()
    submit(daemon, 4)
    daemon.kill()
    wal = os.path.join(daemon.state, "gatherd.db-wal")
    whole = open(wal, "rb").read()
    os.truncate(wal, 20000)  # the file is longer than the log
    done = ctl("fsck", daemon.state)
    equal(done.returncode, 1, "exit code of fsck")
    true("were acknowledged" in done.stdout, done.stdout)
    daemon.start(wait=False)
    equal(daemon.wait(), 78, "exit code")
    with open(wal, "wb") as file:
        file.write(whole)
    daemon.start()
    with daemon.wire() as wire:
        equal(len(wire.call("job.list")["jobs"]), 4, "jobs")


@test
def given_a_running_daemon_then_fsck_leaves_it_alone():
    daemon = Daemon()
    done = ctl("fsck", daemon.state)
    equal(done.returncode, 75, "exit code")
    true("another gatherd" in done.stderr, done.stderr)
    output(ctl("fsck", "--socket", daemon.socket, daemon.state), 2)
    output(ctl("fsck", ""), 2)


if __name__ == "__main__":
    run()
