"""gatherd beside asyncio, redis and what bare C can do: the same work, one machine, one run.

    bench.py [--quick] [--dir DIR]

Every figure is measured here and now, and only what was measured is printed. The last columns are
ratios: above 1 gatherd needs less time, memory or CPU than the other. Where something was promised,
its limit stands beside the figure, and a mark where it is passed. --quick does a few hundred of
each, to see that the bench still works; its figures mean nothing. DIR (default /var/tmp) should be
on a real disk.

Environment: GATHERD, GATHERCTL, GATHERD_RUNNER, srcdir as for the end-to-end tests; builddir holds the programs.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
os.environ.setdefault("E2E_PATIENCE", "900")
sys.path.insert(0, str(HERE.parent / "e2e"))
import harness  # pylint: disable=wrong-import-position
from http_load import HttpLoad  # pylint: disable=wrong-import-position
from scale import Scale, cpu  # pylint: disable=wrong-import-position

RUNNER = os.path.abspath(os.environ.get("GATHERD_RUNNER", "./gatherd-runner"))
PROGRAMS = pathlib.Path(os.environ.get("builddir", ".")).resolve() / "tests" / "bench"
SIM_JOBS = PROGRAMS.parent / "conformance" / "sim_jobs"
ASYNCIO = ["/usr/bin/python3", HERE / "rival_asyncio.py"]
US = 1e6

SLEEPS = [{"gather": {"sleep": "${n * 7919 % 5000 / 1000}"}, "for": "n", "in": "${range(COUNT)}",
           "as": "r"}, {"return": "${len(r)}"}]
SLEEP0 = [{"gather": {"sleep": 0}, "for": "n", "in": "${range(COUNT)}", "as": "r"},
          {"return": "${len(r)}"}]
GATHER = [{"gather": {"value": "${n}"}, "for": "n", "in": "${range(COUNT)}", "as": "r"},
          {"return": "${len(r)}"}]
AS_COMPLETED = {"events": "job",
                "do": [{"as_completed": {"value": "${n}"}, "for": "n", "in": "${range(COUNT)}",
                        "as": "r"}, {"return": "${len(r)}"}]}

STATS = {"events": "job", "do": [{"gather": {"to_thread": "stat", "args": ["/etc/passwd"]}, "for": "n",
                                  "in": "${range(COUNT)}", "limit": 1000, "as": "r"},
                                 {"return": "${len(r)}"}]}
AT_ONCE = 100_000  # tasks; with a million the kernel, which gives and takes their pages, is measured
CHILD_US = 20
TWO_LOOPS = 1.8  # times the tasks of one, on two processors

# load.c puts a running number in the place of 1000000.
RUN = ('{"jsonrpc":"2.0","id":1000000,"method":"job.run",'
       '"params":{"spec":{"value":1000000}}}\n')
# The nearest that redis has: the job is kept in a queue, and once that was answered its result under
# its number. That is what the two sides of a queue must do at least; nobody runs the job.
REDIS = ('*3\r\n$5\r\nRPUSH\r\n$4\r\njobs\r\n$17\r\n{"value":1000000}\r\n',
         '*3\r\n$3\r\nSET\r\n$14\r\nresult:1000000\r\n$7\r\n1000000\r\n')


class Sizes:
    """How much of each; --quick is for `make check`."""

    def __init__(self, quick):
        self.sleeps = 300 if quick else 1000000
        self.tasks = 300 if quick else 1000000
        self.loops = 300 if quick else 1000000
        self.families = 20 if quick else 10000
        self.rounds = 1 if quick else 6
        self.threads = 300 if quick else 200000
        self.children = 300 if quick else 200000
        self.deep = 1000 if quick else 300000
        self.wide = 300 if quick else 60000
        self.single = 50 if quick else 3000
        self.pending = 500 if quick else 1000000
        self.overdue = 500 if quick else 200000
        self.submits = 300 if quick else 60000
        self.quiet = 0.2 if quick else 5  # seconds without a change
        self.commands = 100 if quick else 6000
        self.requests = 200 if quick else 50000
        self.requests_at_once = 50 if quick else 5000
        self.simulated = 100 if quick else 20000


class Table:
    """Rows in the order in which they were measured; prints them, ratios last."""

    COLUMNS = ["gatherd", "asyncio", "redis", "make -j2", "xargs -P2", "tsp -S2", "curl -Z",
               "alone", "bare C"]

    def __init__(self):
        self.rows = {}
        self.limits = {}  # at most so much

    def put(self, what, who, value, more_is_better=False):
        self.rows.setdefault(what, (more_is_better, {}))[1][who] = value

    def limit(self, what, value):
        self.limits[what] = value

    def print(self):
        width = max(len(what) for what in self.rows)
        there = [who for who in self.COLUMNS
                 if any(who in values for _, values in self.rows.values())]
        heads = there + ["x " + who for who in there[1:]] + ["at most"]
        print(" " * width + "".join(f"{head:>12}" for head in heads))
        for what, (more_is_better, values) in self.rows.items():
            ours = values["gatherd"]
            cells = [self._number(values.get(who)) for who in there]
            for who in there[1:]:
                theirs = values.get(who)
                if theirs is None:
                    cells.append("")
                else:
                    cells.append(self._number(ours / theirs if more_is_better else theirs / ours))
            cells.append(self._number(self.limits.get(what)))
            if ours > self.limits.get(what, ours):
                cells[-1] += " !"
            print(f"{what:<{width}}" + "".join(f"{cell:>12}" for cell in cells))
        print("\nx WHO: so many times better is gatherd; below 1 it is worse. !: above what it may be.")

    @staticmethod
    def _number(value):
        if value is None:
            return ""
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def spooled(home, count):
    """Commands a second through task-spooler, handed in one after the other."""
    env = harness.clean_env({"TS_SOCKET": f"{home}/ts", "TMPDIR": str(home), "TS_MAXFINISHED": "10"})
    tsp = shutil.which("tsp")
    subprocess.run([tsp, "-S", "2"], env=env, check=True)
    began = time.monotonic()
    for _ in range(count):
        last = subprocess.run([tsp, "/bin/true"], env=env, check=True, capture_output=True)
    subprocess.run([tsp, "-w", last.stdout.strip()], env=env, check=False)
    rate = count / (time.monotonic() - began)
    subprocess.run([tsp, "-K"], env=env, check=False)
    return rate


class Bench:
    DEEP = "durable jobs a second, 64 connections, 16 deep"

    def __init__(self, sizes, directory):
        self.sizes = sizes
        self.programs = PROGRAMS
        self.directory = directory
        self.table = Table()

    # --- who is measured ---

    @contextlib.contextmanager
    def daemon(self, *flags):
        """A fresh gatherd on the disk that is measured."""
        home = pathlib.Path(tempfile.mkdtemp(prefix="gd-", dir=self.directory))
        daemon = None
        try:
            daemon = harness.Daemon(*flags, home=home)
            yield daemon
            harness.equal(daemon.stop(), 0, "exit status of gatherd")
        except Exception:
            if daemon is not None:
                print(daemon.log()[-2000:], file=sys.stderr)
            raise
        finally:
            if daemon is not None and daemon.process.poll() is None:
                daemon.kill()
            shutil.rmtree(home, ignore_errors=True)

    @contextlib.contextmanager
    def server(self, command, socket, directory):
        """Another server, ready when one can connect to it."""
        process = subprocess.Popen([str(w) for w in command], cwd=directory,
                                   stdout=subprocess.DEVNULL)
        try:
            harness.until(lambda: answers(socket), f"socket of {command[0]}")
            yield process
        finally:
            process.terminate()
            process.wait()

    @contextlib.contextmanager
    def redis(self):
        home = pathlib.Path(tempfile.mkdtemp(prefix="gd-", dir=self.directory))
        words = ["redis-server", "--port", 0, "--unixsocket", home / "s", "--appendonly", "yes",
                 "--appendfsync", "always", "--save", "", "--dir", home]
        try:
            with self.server(words, home / "s", home):
                yield home / "s"
        finally:
            shutil.rmtree(home, ignore_errors=True)

    # --- how ---

    def load(self, socket, connections, depth, count, *requests, bad='"error"'):
        """(jobs a second, median in us)"""
        words = [PROGRAMS / "load", socket, connections, depth, count, bad, *requests]
        seconds, median = output(words).split()
        return count / float(seconds), max(float(median), 1.0)

    def run_job(self, daemon, spec, count):
        """Runs one job of `count` tasks; (seconds, CPU seconds, seconds that its end was late)."""
        spec = json.loads(json.dumps(spec).replace("COUNT", str(count)))
        before = cpu(daemon.process.pid)
        start = time.time()
        with daemon.wire() as wire:
            reply = wire.call("job.run", spec=spec)
            seen = time.time()
            used = cpu(daemon.process.pid) - before
            harness.equal((reply["status"], reply.get("result")), ("completed", count), "the job")
            ended = wire.call("job.get", id=reply["id"])["ended"]
        return seen - start, used, seen - ended

    def rival(self, command):
        """Runs another program to its end: (what it printed, CPU seconds, bytes at its peak)."""
        with subprocess.Popen([str(w) for w in command], stdout=subprocess.PIPE) as process:
            printed = float(process.stdout.read())
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        harness.equal(process.returncode, 0, f"exit status of {command[0]}")
        return printed, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024

    # --- what ---

    def sleeps(self):
        count = self.sizes.sleeps
        memory, used, late = (f"{count:,} sleeps of 0..5 s: {w}" for w in
                              ("memory, MB", "CPU, s", "the last is late, s"))
        with self.daemon() as daemon:
            _, seconds, lateness = self.run_job(daemon, SLEEPS, count)
            self.put_sleeps("gatherd", (memory, used, late), peak(daemon.process.pid), seconds, lateness)
        for who, command in (("asyncio", ASYNCIO + ["sleeps", count]),
                             ("bare C", [PROGRAMS / "bare_heap", count])):
            lateness, seconds, most = self.rival(command)
            self.put_sleeps(who, (memory, used, late), most, seconds, lateness)

    def put_sleeps(self, who, names, memory, seconds, lateness):
        for name, value in zip(names, (memory / 1e6, seconds, lateness)):
            self.table.put(name, who, max(value, 1e-6))

    def tasks(self):
        count = self.sizes.tasks
        what = "tasks of one sleep(0), a second"
        with self.daemon() as daemon:
            self.table.put(what, "gatherd", count / self.run_job(daemon, SLEEP0, count)[0], True)
        self.table.put(what, "asyncio", count / self.rival(ASYNCIO + ["sleep0", count])[0], True)
        self.table.put(what, "bare C", count / self.rival([PROGRAMS / "bare_queue", count])[0], True)

    def loops(self):
        """The same job once, and once on each of two loops, by the daemon's own clock. The median of
        pairs, one right behind the other: a processor is not always as fast."""
        count = self.sizes.loops
        alone, both = [], []
        with self.daemon("--loops", "2") as daemon, daemon.wire() as wire:
            for _ in range(5 * self.sizes.rounds):
                alone.append(self.run_on(daemon, wire, [0], count))
                both.append(self.run_on(daemon, wire, [0, 1], count))
        for at, name in enumerate(("time, s", "CPU of a task, us")):
            self.table.put(f"{count:,} tasks of sleep(0) on one loop: {name}", "gatherd",
                           statistics.median(one[at] for one in alone))
            what = f"  as many on each of two: {name}, times that on one"
            self.table.put(what, "gatherd", statistics.median(
                two[at] / one[at] for one, two in zip(alone, both)))
            self.table.limit(what, 2 / TWO_LOOPS)

    @staticmethod
    def run_on(daemon, wire, loops, count):
        """(seconds, CPU of a task in us) of a job with `count` tasks on each of them."""
        at_once = min(count, AT_ONCE)
        specs = [{"loop": loop, "events": "job", "do": [
            {"do": [{"gather": {"sleep": 0}, "for": "n", "in": f"${{range({at_once})}}", "as": "r"},
                    {"value": "${len(r)}"}],
             "for": "round", "in": f"${{range({count // at_once})}}", "as": "all"},
            {"return": "${sum(all)}"}]} for loop in loops]
        before, began = processor(daemon.process.pid), wire.call("server.info")["uptime"]
        ids = [row["id"] for row in wire.call("job.submit", specs=specs)["jobs"]]
        harness.equal(wire.call("job.wait", ids=ids)["pending"], [], "the jobs")
        seconds = wire.call("server.info")["uptime"] - began
        used = processor(daemon.process.pid) - before
        for id_ in ids:
            harness.equal(wire.call("job.get", id=id_)["result"], count, "the job")
        return max(seconds, 1e-6), used * US / (count * len(loops))

    def families(self):
        """What a task on another loop costs beyond one on its own and a job: CPU of the daemon."""
        count = self.sizes.families
        tasks = [{"do": {"create_task": {"sleep": 0}, "loop": 1}, "for": "i",
                  "in": f"${{range({count})}}", "as": "all"}, {"await": "${all}"}, {"return": 0}]
        local = [{"do": {"create_task": {"sleep": 0}}, "for": "i", "in": f"${{range({count})}}",
                  "as": "all"}, {"await": "${all}"}, {"return": 0}]
        with self.daemon("--loops", "2") as daemon, daemon.wire() as wire:
            def used(specs):
                before = processor(daemon.process.pid)
                for at in range(0, len(specs), 1000):
                    ids = [row["id"] for row in
                           wire.call("job.submit", specs=specs[at:at + 1000])["jobs"]]
                    for first in range(0, len(ids), 500):
                        reply = wire.call("job.wait", ids=ids[first:first + 500])
                        harness.equal(reply["pending"], [], "the jobs")
                return processor(daemon.process.pid) - before
            own = [used([{"events": "job", "loop": 0, "do": local}]) for _ in range(self.sizes.rounds)]
            jobs = [used([{"events": "job", "loop": 1, "sleep": 0}] * count)
                    for _ in range(self.sizes.rounds)]
            there = [used([{"events": "job", "loop": 0, "do": tasks}]) for _ in range(self.sizes.rounds)]
        what = "a task on another loop: CPU beyond a task and a job, us"
        self.table.put(what, "gatherd", (min(there) - min(own) - min(jobs)) * US / count)
        self.table.limit(what, CHILD_US)
        self.table.put("a task on another loop: CPU, us", "gatherd", min(there) * US / count)
        self.table.put("a task on its own loop: CPU, us", "gatherd", min(own) * US / count)
        self.table.put("a job of its own: CPU, us", "gatherd", min(jobs) * US / count)

    def threads(self):
        """Calls on a thread: of a job, journaled and answered, and what the pool alone can do."""
        count = self.sizes.threads
        what = "calls of to_thread (stat) a second, one job"
        with self.daemon("--read-root", "/etc", "--threads", "4") as daemon:
            seconds = self.run_job(daemon, STATS, count)[0]
            self.table.put(what, "gatherd", count / seconds, True)
        bare = float(output([PROGRAMS / "pool_speed", 2, 4, count, 1000]).split()[0])
        self.table.put("calls of nothing a second through the pool, two loops", "gatherd", bare, True)

    def children(self):
        count = self.sizes.children
        for name, spec in (("gather", GATHER), ("as_completed", AS_COMPLETED)):
            what = f"{name}, a child, us"
            with self.daemon() as daemon:
                seconds = self.run_job(daemon, spec, count)[0]
                self.table.put(what, "gatherd", seconds * US / count)
            seconds = self.rival(ASYNCIO + [name, count])[0]
            self.table.put(what, "asyncio", seconds * US / count)

    def durable(self):
        alone = "one durable job at a time, median us"
        for what, connections, depth, count in (
                (self.DEEP, 64, 16, self.sizes.deep),
                ("durable jobs a second, 64 connections, one each", 64, 1, self.sizes.wide)):
            for who, rate, _ in self.durable_jobs(connections, depth, count):
                self.table.put(what, who, rate, True)
        for who, _, median in self.durable_jobs(1, 1, self.sizes.single):
            self.table.put(alone, who, median)
        with tempfile.TemporaryDirectory(prefix="gd-", dir=self.directory) as home:
            home = pathlib.Path(home)
            median = self.rival([PROGRAMS / "bare_sync", home / "file", self.sizes.single])[0]
            self.table.put(alone, "bare C", median)
            self.limits(home)

    def durable_jobs(self, connections, depth, count):
        """For gatherd, and redis where it is installed: (name, jobs a second, median in us)."""
        with self.daemon() as daemon:
            yield ("gatherd", *self.load(daemon.socket, connections, depth, count, RUN))
        if shutil.which("redis-server"):
            with self.redis() as socket:
                yield ("redis", *self.load(socket, connections, depth, count, *REDIS, bad="-ERR"))

    def limits(self, home):
        """Two rows of their own: what the parts could do alone, beside the deep figure."""
        deep = self.table.rows[self.DEEP][1]["gatherd"]
        count = self.sizes.deep
        what = "  limit of SQLite in groups of 256, a second"
        seconds = self.rival([PROGRAMS / "bare_sqlite", home / "db", count])[0]
        self.table.put(what, "gatherd", deep, True)
        self.table.put(what, "bare C", count / seconds, True)
        what = "  limit of libevent and jansson, an echo, a second"
        with self.server([PROGRAMS / "bare_echo", home / "s"], home / "s", home):
            rate = self.load(home / "s", 64, 16, count, RUN)[0]
        self.table.put(what, "gatherd", deep, True)
        self.table.put(what, "bare C", rate, True)

    def commands(self):
        """gatherd-runner alone, with spool and output, beside posix_spawn with nothing of both."""
        count = self.sizes.commands
        what = "commands (/bin/true) a second, 2 in flight: the runner alone"
        home = pathlib.Path(tempfile.mkdtemp(prefix="gd-", dir=self.directory))
        try:
            socket = home / "runner" / "sock"
            with self.server([RUNNER, "--state-dir", home], socket, home):
                words = [PROGRAMS / "runner_speed", socket, 2, count, "/bin/true"]
                self.table.put(what, "gatherd", float(output(words)), True)
            bare = float(output([PROGRAMS / "bare_spawn", 2, count]))
            self.table.put(what, "bare C", bare, True)
        finally:
            shutil.rmtree(home, ignore_errors=True)

    def exec(self):
        """Jobs of one command, handed in, run, output captured, result stored and answered."""
        count = self.sizes.commands
        request = RUN.replace('{"value":1000000}', '{"exec":["/bin/true"]}')
        for permits in (2, 4):
            what = f"jobs of one /bin/true a second, {permits} in flight"
            with self.daemon() as daemon, daemon.wire() as wire:
                wire.call("pool.put", name="default", permits=permits)
                seconds, _ = map(float, output([PROGRAMS / "load", daemon.socket, 16, 4, count,
                                                '"error":', request]).split())
                self.table.put(what, "gatherd", count / seconds, True)
                os.kill(int((daemon.state / "runner" / "lock").read_text()), signal.SIGTERM)
            for who, rate in self.other_commands(count).items():
                self.table.put(what, who, rate, True)

    @staticmethod
    def other_commands(count):
        """The same commands without a word kept of them, but for task-spooler, which has a file each."""
        rates = {"bare C": float(output([PROGRAMS / "bare_spawn", 2, count]))}
        lines = "x\n" * count
        began = time.monotonic()
        subprocess.run(["xargs", "-P2", "-n1", "/bin/true"], input=lines, text=True, check=True)
        rates["xargs -P2"] = count / (time.monotonic() - began)
        with tempfile.TemporaryDirectory() as home:
            makefile = pathlib.Path(home) / "Makefile"
            names = " ".join(f"t{n}" for n in range(count))
            makefile.write_text(f"all: {names}\n{names}:\n\t@/bin/true\n")
            began = time.monotonic()
            subprocess.run(["make", "-s", "-j2", "-f", makefile], check=True,
                           env=harness.clean_env({"MAKEFLAGS": ""}))
            rates["make -j2"] = count / (time.monotonic() - began)
            if shutil.which("tsp"):
                rates["tsp -S2"] = spooled(home, min(count, 1000))
        return rates

    def simulator(self):
        command = [SIM_JOBS, "speed", 1, self.sizes.simulated]
        self.table.put("random jobs: simulated seconds, a CPU second", "gatherd",
                       self.rival(command)[0], True)


def processor(pid):
    """Seconds of CPU that its threads have used, to the nanosecond."""
    tasks = pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def answers(socket):
    try:
        harness.Wire.unix(socket).close()
        return True
    except OSError:
        return False


def output(command):
    return subprocess.run([str(w) for w in command], check=True, stdout=subprocess.PIPE,
                          text=True).stdout


def peak(pid):
    """Bytes of memory at its peak."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few hundred of each")
    parser.add_argument("--dir", default="/var/tmp", help="a directory on the disk to measure")
    parser.add_argument("--only", metavar="PART",
                        help="sleeps, tasks, loops, families, threads, children, durable, submit,"
                        " restart, burst, subscriber, commands, exec, http or simulator")
    options = parser.parse_args()
    bench = Bench(Sizes(options.quick), options.dir)
    scale = Scale(bench)
    parts = {part.__name__: part for part in (
        bench.sleeps, bench.tasks, bench.loops, bench.families, bench.threads, bench.children,
        bench.durable, scale.submit, scale.restart, scale.burst, scale.subscriber,
        bench.commands, bench.exec, HttpLoad(bench).http, bench.simulator)}
    if options.only is not None and options.only not in parts:
        parser.error(f"there is no {options.only}; --only is one of {', '.join(parts)}")
    for name in [options.only] if options.only else parts:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        parts[name]()
    bench.table.print()


main()
