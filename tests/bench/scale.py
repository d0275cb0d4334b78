"""A million of each: jobs that are pending, jobs in a burst, events before a reader that is slow.

Part of bench.py, which has the table and the daemons. The limits are those of what is promised.
"""

import contextlib
import json
import os
import pathlib
import select
import subprocess
import threading
import time

import harness

MIB = 1 << 20
TICKS = os.sysconf("SC_CLK_TCK")
ENDS = '{"jsonrpc":"2.0","id":1000000,"method":"job.submit","params":{"spec":{"value":1}}}\n'
PENDING = ('{"jsonrpc":"2.0","id":1000000,"method":"job.submit",'
           '"params":{"spec":{"sleep":36000}}}\n')

READS_SECONDS = 1
ARMED_SECONDS = 20
JOB_BYTES = 600
WAL_MB = 64 * MIB / 1e6
SUBSCRIBER_MB = 8 * MIB / 1e6
FLAT = 1.25  # what the machine's own noise may do to what is flat


def cpu(pid):
    """Seconds of CPU that a process has used, all threads, from /proc/PID/stat."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Most:
    """The highest value of something, looked at again and again while the block runs."""

    def __init__(self, look):
        self.look = look
        self.value = 0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.is_over.wait(0.01):
            with contextlib.suppress(OSError):
                self.value = max(self.value, self.look())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()


def state_bytes(daemon, name):
    return (daemon.state / name).stat().st_size


def wal_bytes(daemon):
    return state_bytes(daemon, "gatherd.db-wal")


class Scale:
    def __init__(self, bench):
        self.bench = bench
        self.sizes = bench.sizes
        self.table = bench.table

    def load(self, daemon, count, request):
        return self.bench.load(daemon.socket, 64, 16, count, request)

    def put(self, what, value, limit=None, more_is_better=False):
        self.table.put(what, "gatherd", value, more_is_better)
        if limit is not None:
            self.table.limit(what, limit)

    # --- restart ---

    def restart(self):
        """Killed with so many pending, and started again."""
        count = self.sizes.pending
        with self.bench.daemon() as daemon:
            base = daemon.rss()
            self.load(daemon, count, PENDING)
            self.put("a pending job, bytes of memory", (daemon.rss() - base) / count, JOB_BYTES)
            daemon.kill()
            self.start_again(daemon, f"restart with {count:,} pending: ")
            self.put("the same after the restart", (daemon.rss() - base) / count, JOB_BYTES)
            with daemon.wire() as wire:
                jobs = wire.call("server.info")["jobs"]
            harness.equal(jobs["running"], count, "jobs")
        self.overdue()

    def overdue(self):
        """Killed with many asleep, and started again when all of them are late."""
        count = self.sizes.overdue
        what = f"restart with {count:,} overdue: "
        due = time.time() + count / 10000 + 1
        with self.bench.daemon() as daemon:
            self.load(daemon, count, PENDING.replace('"sleep":36000', f'"sleep_until":{due:.3f}'))
            daemon.kill()
            time.sleep(max(0.0, due - time.time()))
            begin = time.monotonic()
            daemon.start(wait=False)
            wire = self.connect(daemon)
            slowest = 0
            while True:
                asked = time.monotonic()
                wire.call("job.get", id=1)
                jobs = wire.call("server.info")["jobs"]
                slowest = max(slowest, time.monotonic() - asked)
                if jobs["completed"] == count:
                    break
                time.sleep(0.005)
            wire.close()
            self.put(what + "all have ended, s", time.monotonic() - begin)
            self.put(what + "the slowest read meanwhile, s", slowest, READS_SECONDS)

    def start_again(self, daemon, what):
        begin = time.monotonic()
        daemon.start(wait=False)
        wire = self.connect(daemon)
        slowest = 0
        for method, params in (("hello", {}), ("job.get", {"id": 1}), ("job.list", {}),
                               ("server.info", {}), ("events.read", {"after": 0}),
                               ("events.subscribe", {"after": 0})):
            wire.call(method, params)
        self.put(what + "the first reads answered, s", time.monotonic() - begin, READS_SECONDS)
        wire.close()
        wire = daemon.wire()
        while True:
            asked = time.monotonic()
            wire.call("job.get", id=1)
            slowest = max(slowest, time.monotonic() - asked)
            if wire.call("server.info")["recovering"] == 0:
                break
            time.sleep(0.005)
        self.put(what + "the slowest read meanwhile, s", slowest, READS_SECONDS)
        self.put(what + "all timers armed, s", time.monotonic() - begin, ARMED_SECONDS)
        wire.close()

    @staticmethod
    def connect(daemon):
        def attempt():
            with contextlib.suppress(OSError):
                return daemon.wire()
            return None
        return harness.until(attempt, "a daemon that listens")

    # --- submit ---

    def submit(self):
        """What a submit costs beside so many that are pending already."""
        rates, costs = [], []
        with self.bench.daemon() as daemon:
            for before in (0, self.sizes.pending):
                if before > 0:
                    self.load(daemon, before, PENDING)
                used = cpu(daemon.process.pid)
                rate = self.load(daemon, self.sizes.submits, PENDING)[0]
                costs.append((cpu(daemon.process.pid) - used) * 1e6 / self.sizes.submits)
                rates.append(rate)
                self.put(f"submit with {before:,} pending, a second", rate, None, True)
                self.put(f"submit with {before:,} pending, us of CPU", costs[-1])
        if min(costs) > 0:
            self.put("submit, CPU with many pending by CPU with none", costs[1] / costs[0], FLAT)

    # --- burst ---

    def burst(self):
        """How large the log and the file get, and whether they shrink again."""
        count = self.sizes.pending
        self.burst_of(f"{count:,} jobs that end at once", ENDS)
        self.burst_of(f"{count:,} jobs that stay", PENDING)

    def burst_of(self, what, request):
        with self.bench.daemon("--retain", "1", "--retain-events", "1") as daemon:
            with Most(lambda: wal_bytes(daemon)) as wal:
                self.load(daemon, self.sizes.pending, request)
                largest = state_bytes(daemon, "gatherd.db") / 1e6
                self.put(what + ": the file then, MB", largest)
                self.put(what + ": the file when it is quiet, MB", self.quiet(daemon, request),
                         largest if request == ENDS else None)
            self.put(what + ": the log at its largest, MB", wal.value / 1e6, WAL_MB)
            self.put(what + ": the log at last, MB", wal_bytes(daemon) / 1e6, WAL_MB)

    def quiet(self, daemon, request):
        """MB of the database when what expires has left."""
        if request == ENDS:
            with daemon.wire() as wire:
                harness.until(lambda: wire.call("server.info")["jobs"]["completed"] == 0,
                              "jobs that leave")
        before, since = -1, time.monotonic()
        while time.monotonic() - since < self.sizes.quiet:
            size = state_bytes(daemon, "gatherd.db")
            if size != before:
                before, since = size, time.monotonic()
            time.sleep(0.05)
        return before / 1e6

    # --- subscriber ---

    def subscriber(self):
        """One byte a second while the events pass; then it reads what it has missed."""
        count = self.sizes.pending // 3 + 1  # each is queued, started and completed
        with self.bench.daemon() as daemon:
            self.load(daemon, count, ENDS)  # what the load itself needs is in the base
            with Most(daemon.rss) as base:
                self.load(daemon, count, ENDS)
            with daemon.wire() as wire:
                after = wire.call("ping")["seq"]
                wire.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "events.subscribe",
                                      "params": {"after": after}}) + "\n")
                with Most(daemon.rss) as most:
                    self.read_slowly(wire, daemon, count)
                self.put(f"{count * 3:,} events before a reader of one byte a second: MB more",
                         max(0.0, (most.value - base.value) / 1e6), SUBSCRIBER_MB)
                self.put("  events lost or doubled", self.lost(wire, after, count * 3), 0)

    def read_slowly(self, wire, daemon, count):
        words = [self.bench.programs / "load", daemon.socket, 64, 16, count, '"error"', ENDS]
        with subprocess.Popen([str(w) for w in words], stdout=subprocess.DEVNULL) as process:
            while process.poll() is None:
                if select.select([wire.socket], [], [], 0)[0]:
                    wire.pending += wire.socket.recv(1)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(1)
        harness.equal(process.returncode, 0, "the load")

    @staticmethod
    def lost(wire, after, count):
        wrong = 0
        harness.true("subscription" in wire.message()["result"], "the subscription")
        for n in range(count):
            wrong += json.loads(wire.line())["params"]["seq"] != after + 1 + n
        return wrong
