#!/usr/bin/env python3
"""Very many deadlines that passed while the daemon was away: in order, and sockets are served."""

import os
import sys
import threading
import time

sys.dont_write_bytecode = True
from harness import GATHERD, Daemon, equal, is_sanitized, run, test, true  # noqa: E402

IS_LONG = "GATHERD_TORTURE" in os.environ
JOBS = 200_000 if IS_LONG else 10_000
AT_ONCE = 1000
ANSWER_MAX = 2.0 if is_sanitized(GATHERD) else 0.25  # seconds


def submit_some(wire, first, last):
    """They end in another order than they begin, in the half second before `last`."""
    specs = [{"args": {"until": last - 0.5 * ((n * 7919) % JOBS) / JOBS},
              "do": {"sleep_until": "${until}"}} for n in range(first, first + AT_ONCE)]
    rows = wire.call("job.submit", specs=specs)["jobs"]
    true(all("id" in row for row in rows), f"accepted: {rows[0]}")


def submit(daemon):
    """As soon as this machine can have handed in all of them; gives the moment of the last one."""
    with daemon.wire() as wire:
        start = time.monotonic()
        submit_some(wire, 0, time.time())
        last = time.time() + 0.6 + 2 * (time.monotonic() - start) * JOBS / AT_ONCE
        for first in range(0, JOBS, AT_ONCE):
            submit_some(wire, first, last)
    return last


def live(wire):
    jobs = wire.call("server.info")["jobs"]
    return jobs["queued"] + jobs["running"]


class Probe(threading.Thread):
    """Asks, again and again, and remembers the longest wait for an answer."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.wire = daemon.wire()
        self.is_over = threading.Event()
        self.longest = 0
        self.answers = 0

    def run(self):
        while not self.is_over.is_set():
            start = time.monotonic()
            self.wire.call("ping")
            self.longest = max(self.longest, time.monotonic() - start)
            self.answers += 1
            self.is_over.wait(0.001)

    def end(self):
        self.is_over.set()
        self.join()
        self.wire.close()


@test
def given_very_many_overdue_sleeps_then_they_end_in_order_and_a_probe_is_answered():
    daemon = Daemon("--loops", "1")
    last = submit(daemon)
    with daemon.wire() as wire:
        seq = wire.call("ping")["seq"]
    daemon.kill()
    time.sleep(max(0, last - time.time()))
    daemon.start()
    probe = Probe(daemon)
    probe.start()
    with daemon.wire() as wire:
        ends = []
        after = seq
        while True:
            left = live(wire)
            page = wire.call("events.read", after=after, limit=1000, kinds=["job.completed"])
            ends += [event["time"] for event in page["events"]]
            after = page["next"]
            if left == 0 and after >= page["seq"]:
                break
    probe.end()
    print(f"# {len(ends)} ends, {probe.answers} answers, the slowest after "
          f"{1000 * probe.longest:.0f} ms")
    true(len(ends) > JOBS // 2, f"only {len(ends)} were overdue")
    equal(ends, sorted(ends), "deadlines in the order in which they fired")
    true(probe.longest < ANSWER_MAX, f"an answer took {probe.longest:.3f} s")


run()
