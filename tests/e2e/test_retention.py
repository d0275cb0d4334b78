#!/usr/bin/env python3
"""What leaves when its time has come, and what a cursor is told that came too late."""

import signal
import sys

sys.dont_write_bytecode = True
from harness import Daemon, Refused, equal, refused, run, scratch, test, true, until  # noqa: E402


def is_gone(wire, id_):
    try:
        wire.call("job.get", id=id_)
        return False
    except Refused as error:
        equal(error.type, "NotFound")
        return True


def flood(wire, events, text="x" * 1000):
    """A job of so many events, and the seq before its first one."""
    before = wire.call("ping")["seq"]
    reply = wire.call("job.run", spec=[
        {"do": {"yield": f"{text}${{n}}"}, "for": "n", "in": f"${{range({events})}}"},
        {"return": 0}])
    equal(reply["status"], "completed")
    return before


def expired(wire, method="events.read", **params):
    """Calls, expects CursorExpired, gives its data."""
    error = refused("CursorExpired", wire.call, method, **params)
    equal(error.code, -32006, "code")
    return error.data


@test
def given_a_job_that_asks_for_a_moment_then_it_is_gone_after_it_and_others_stay():
    daemon = Daemon()
    with daemon.wire() as wire:
        short = wire.call("job.run", spec={"value": 1}, retain=0.02)["id"]
        text = wire.call("job.run", spec={"value": 2}, retain="20ms")["id"]
        stays = wire.call("job.run", spec={"value": 3}, retain="1d")["id"]
        usual = wire.call("job.run", spec={"value": 4})["id"]
        until(lambda: is_gone(wire, short) and is_gone(wire, text), "both gone")
        equal(wire.call("job.get", id=stays)["result"], 3)
        equal(wire.call("job.get", id=usual)["result"], 4)
        equal(completed(wire), 2)


@test
def given_a_job_that_still_runs_then_its_retain_has_not_begun():
    daemon = Daemon()
    with daemon.wire() as wire:
        id_ = wire.call("job.submit", spec={"sleep": 3600}, retain=0)["id"]
        marker = wire.call("job.run", spec={"value": 1}, retain=0)["id"]
        until(lambda: is_gone(wire, marker), "the marker gone")
        equal(wire.call("job.get", id=id_)["status"], "running")
        wire.call("job.cancel", id=id_)
        until(lambda: is_gone(wire, id_), "it too")


@test
def given_a_key_then_it_lives_as_long_as_its_job():
    daemon = Daemon()
    with daemon.wire() as wire:
        stays = {"spec": {"value": 1}, "key": "stays", "retain": "1d"}
        goes = {"spec": {"value": 1}, "key": "goes", "retain": 0.02}
        first, second = (wire.call("job.submit", **params) for params in (stays, goes))
        until(lambda: is_gone(wire, second["id"]), "gone")
        equal(wire.call("job.submit", **stays), dict(first, existing=True))
        again = wire.call("job.submit", **goes)
        true(again["id"] > second["id"] and "existing" not in again, f"a new job: {again}")


@test
def given_a_retain_that_is_none_then_it_is_refused():
    daemon = Daemon("--retain-max", "3600")
    with daemon.wire() as wire:
        for retain in (-1, "soon", [], True, 3601, "2h"):
            error = refused("InvalidParams", wire.call, "job.submit", spec={"value": 1},
                            retain=retain)
            equal(error.data["pointer"], "/retain", f"pointer for {retain!r}")
        equal(completed(wire), 0)
        wire.call("job.run", spec={"value": 1}, retain="1h")


@test
def given_a_kill_then_what_was_due_goes_after_the_restart():
    daemon = Daemon()
    with daemon.wire() as wire:
        ids = [wire.call("job.run", spec={"value": n}, retain=0.05)["id"] for n in range(20)]
        stays = wire.call("job.run", spec={"value": "s"})["id"]
    daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        until(lambda: all(is_gone(wire, id_) for id_ in ids), "gone")
        equal(wire.call("job.get", id=stays)["result"], "s")


@test
def given_a_kill_while_jobs_leave_then_each_is_there_or_gone_and_all_go():
    daemon = Daemon("--keep-jobs", "2000")
    count = 2000
    with daemon.wire() as wire:
        for _ in range(count // 500):
            wire.call("job.submit", specs=[{"value": 1}] * 500, retain=0.5)
        left = until(lambda: (info := completed(wire)) < count and info or 0, "the first leave")
        true(left > 0, f"{left} of {count} are left")
    daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        until(lambda: completed(wire) == 0, "the last leave")
        equal(wire.call("job.list", limit=10)["jobs"], [])


def completed(wire):
    return wire.call("server.info")["jobs"]["completed"]


@test
def given_more_jobs_than_are_kept_then_the_oldest_go():
    daemon = Daemon("--keep-jobs", "10")
    with daemon.wire() as wire:
        ids = [wire.call("job.run", spec={"value": n})["id"] for n in range(30)]
        until(lambda: completed(wire) == 10, "ten are left")
        equal([is_gone(wire, id_) for id_ in ids], [True] * 20 + [False] * 10)


@test
def given_bounds_that_a_reload_narrows_then_the_database_file_gets_smaller():
    config = scratch() / "config"
    config.write_text("[gatherd]\nretain = 3600\n")
    daemon = Daemon("--config", str(config))
    with daemon.wire() as wire:
        # Each result is in its job and in the log; the last 4 MiB of the log may wait for more.
        for _ in range(60):
            wire.call("job.run", spec={"value": "${'x' * 200000}"})
        until(lambda: wire.call("server.info")["database_bytes"] > 12 << 20, "a checkpoint")
        config.write_text("[gatherd]\nkeep-jobs = 1\nkeep-events = 1\n")
        daemon.process.send_signal(signal.SIGHUP)
        until(lambda: completed(wire) == 1, "one job is left")
        until(lambda: wire.call("server.info")["database_bytes"] < 6 << 20, "a smaller file")


@test
def given_a_log_with_an_end_then_a_cursor_behind_it_is_told_so():
    daemon = Daemon("--keep-events", "100")
    with daemon.wire() as wire:
        before = flood(wire, 500)
        oldest = until(lambda: oldest_of(wire), "a trimmed log")
        seq = wire.call("ping")["seq"]
        true(seq - oldest + 1 >= 100, f"{oldest} to {seq} are fewer than 100 events")
        for method in ("events.read", "events.subscribe"):
            data = expired(wire, method, after=before)
            equal((data["oldest"], data["seq"]), (oldest, seq), "where it could go on")
            equal(data["store"], wire.call("hello", protocol=[1])["store"])
        page = wire.call("events.read", after=oldest - 1, limit=1000)
        equal([e["seq"] for e in page["events"]], list(range(oldest, seq + 1)))

        daemon.kill()
        daemon.start()
    with daemon.wire() as wire:
        equal(expired(wire, after=oldest - 2)["oldest"], oldest)
        last = wire.call("job.run", spec={"value": 1})["id"]
        page = wire.call("events.read", after=oldest - 1, limit=1000)
        seqs = [e["seq"] for e in page["events"]]
        equal(seqs[:seq - oldest + 1], list(range(oldest, seq + 1)), "the same as before")
        equal(page["events"][-1]["job"], last)


def oldest_of(wire):
    """The oldest seq that is kept, or None while nothing has left."""
    try:
        wire.call("events.read", after=0, limit=1)
        return None
    except Refused as error:
        return error.data["oldest"]


@test
def given_a_job_whose_own_events_are_all_kept_then_it_may_be_read_from_the_start():
    daemon = Daemon("--keep-events", "100")
    with daemon.wire() as wire:
        flood(wire, 500)
        until(lambda: oldest_of(wire), "a trimmed log")
        id_ = wire.call("job.run", spec=[{"yield": 1}, {"return": 2}])["id"]
        page = wire.call("events.read", after=0, job=id_)
        equal([e["kind"] for e in page["events"]],
              ["job.queued", "job.started", "yield", "job.completed"])


@test
def given_a_reader_that_the_log_has_overtaken_then_its_connection_ends_and_it_is_told():
    daemon = Daemon("--keep-events", "100")
    with daemon.wire() as writer, daemon.wire() as reader:
        reader.call("events.subscribe", after=writer.call("ping")["seq"])
        for _ in range(5):  # far more than its connection takes
            flood(writer, 2000)
        seqs = [m["params"]["seq"] for m in reader.rest()]
        equal(seqs, list(range(seqs[0], seqs[0] + len(seqs))), "no gap in what it got")
        true(seqs[-1] < writer.call("ping")["seq"], "it got all of it")
        expired(writer, "events.subscribe", after=seqs[-1])


@test
def given_a_slow_reader_of_a_job_that_is_gone_with_its_events_then_it_is_told():
    daemon = Daemon("--keep-events", "10")
    with daemon.wire() as writer, daemon.wire() as reader:
        job = writer.call("job.submit", spec=[{"sleep": 0.2}, {
            "do": {"yield": f"{'x' * 1000}${{n}}"}, "for": "n", "in": "${range(5000)}"},
            {"return": 0}], retain=0)
        reader.call("events.subscribe", after=job["seq"] - 1, job=job["id"])
        until(lambda: is_gone(writer, job["id"]), "gone")
        flood(writer, 200)
        events = [m["params"] for m in reader.rest()]
        true(len(events) < 5000, f"{len(events)} events")
        equal([e["seq"] for e in events], list(range(job["seq"], job["seq"] + len(events))))
        refused("NotFound", writer.call, "events.subscribe", after=events[-1]["seq"],
                job=job["id"])


@test
def given_an_expired_job_then_a_slow_reader_still_gets_every_event_of_it():
    daemon = Daemon()
    with daemon.wire() as writer, daemon.wire() as all_, daemon.wire() as some:
        before = writer.call("ping")["seq"]
        all_.call("events.subscribe", after=before, kinds=["yield"])
        some.call("events.subscribe", after=before, kinds=["yield"], label="l")
        text = "x" * 1000
        ids = [writer.call("job.run", labels=["l"], retain=0, spec=[
            {"do": {"yield": f"{text}${{n}}"}, "for": "n", "in": "${range(1000)}"},
            {"return": 0}])["id"] for _ in range(4)]
        until(lambda: all(is_gone(writer, id_) for id_ in ids), "gone")
        for reader in (all_, some):
            equal([int(reader.event()["data"][len(text):]) for _ in range(4000)],
                  list(range(1000)) * 4)


@test
def given_a_live_job_whose_events_have_left_then_a_restart_repeats_none():
    daemon = Daemon("--keep-events", "50")
    with daemon.wire() as wire:
        id_ = wire.call("job.submit", spec=[
            {"do": {"yield": "${n}"}, "for": "n", "in": "${range(300)}"}, {"sleep": 0.2},
            {"yield": "end"}, {"return": 0}])["id"]
        flood(wire, 300)
        until(lambda: oldest_of(wire), "a trimmed log")
        seq = wire.call("ping")["seq"]
    daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        wire.call("job.wait", ids=[id_])
        events = wire.call("events.read", after=seq, limit=1000)["events"]
        equal([(e["kind"], e.get("data")) for e in events], [("yield", "end"), ("job.completed", 0)])


@test
def given_a_heartbeat_then_it_comes_with_the_newest_seq_while_nothing_happens():
    daemon = Daemon()
    with daemon.wire() as wire:
        wire.call("job.run", spec={"value": 1})
        seq = wire.call("ping")["seq"]
        wire.call("events.subscribe", after=seq, heartbeat=1)
        beat = wire.message()["params"]
        equal((beat["kind"], beat["seq"], "job" in beat), ("heartbeat", seq, False))


@test
def given_gatherctl_retain_then_the_job_has_it():
    daemon = Daemon()
    with daemon.wire() as wire:
        made = daemon.ctl("submit", "--retain", "0.02", "-", stdin='{"value": 1}')
        equal(made.returncode, 0, made.stderr)
        until(lambda: is_gone(wire, int(made.stdout)), "gone")
        made = daemon.ctl("run", "--retain", "1h30m", "-", stdin='{"value": 1}')
        equal(made.stdout.splitlines()[-1:], ["1"], made.stderr)
        made = daemon.ctl("submit", "--retain", "soon", "-", stdin='{"value": 1}')
        true(made.returncode != 0 and "/retain" in made.stderr + made.stdout, made.stderr)


run()
