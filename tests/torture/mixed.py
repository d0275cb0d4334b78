#!/usr/bin/env python3
"""Rig mixed: all that a client can ask for, by many clients at the same time, on two loops.

    mixed.py [--seconds S] [--seed N] [--clients N]

Nothing is killed here. Each client does one deed after the other and knows what must come of it; a
stream of all events must be without a gap meanwhile. It is made for a build with ThreadSanitizer
(configure --enable-sanitizers=thread): a report of it is a violation, like a wrong answer, a job
that does not end, or an end of the daemon that is not an orderly one.

GATHERD names the daemon. The last line is the summary; exit status 1 when there was a violation.
A new kind of job is a line in KINDS or in kinds.py; anything else is a deed: a method of Client with
@deed(weight).
"""

import argparse
import collections
import http.server
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import threading
import traceback

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent),
                str(pathlib.Path(__file__).resolve().parents[1] / "e2e")]
from harness import PATIENCE, RACE, Daemon, Refused, ctl, equal, is_end, true, until  # noqa: E402
from kinds import USUAL, Kind, bulky, spin  # noqa: E402

LOOPS = 2
MANY = 12        # jobs in one request
WIDE = 400       # tasks of a wide job
CLIENTS = 6
REPORT = 6000    # characters of a race that are shown
_deeds = []


def deed(weight):
    def mark(method):
        _deeds.append((weight, method.__name__))
        return method
    return mark


# --- kinds of jobs beside those of the crash rig ---

def command(n):
    return Kind([{"exec": ["sh", "-c", f"echo out {n}; echo err >&2; exit {n % 50}"],
                  "check": False, "pool": f"pool{n % 2}", "as": "r"},
                 {"return": ["${r.code}", "${r.stdout}"]}],
                result=[n % 50, f"out {n}\n"])


def commands(n):
    return Kind({"args": {"n": 0}, "do": {
        "gather": {"do": [{"exec": ["echo", "${str(n + i)}"], "as": "r"},
                          {"value": "${int(r.stdout)}"}]},
        "for": "i", "in": "${range(4)}", "limit": 2}}, args={"n": n},
        result=[n + i for i in range(4)])


def wide(n):
    """Tasks enough that other things come between them."""
    return Kind({"events": "job", "args": {"n": 0}, "do": [
        {"gather": {"sleep": "${i % 5 / 1000}", "result": "${i}"}, "for": "i",
         "in": f"${{range({WIDE})}}", "as": "all"}, {"return": "${n + sum(all)}"}]},
        args={"n": n}, result=n + sum(range(WIDE)))


def family(n):
    """Tasks on both loops."""
    return Kind({"args": {"n": 0}, "do": [
        {"do": {"create_task": [{"sleep": 0.001}, {"value": "${n + i}"}], "loop": "${i % 2}"},
         "for": "i", "in": "${range(6)}", "as": "tasks"},
        {"gather": {"await": "${t}"}, "for": "t", "in": "${tasks}"}]},
        args={"n": n}, result=[n + i for i in range(6)])


KINDS = USUAL + (bulky, spin, command, commands, wide, family)


class Client(threading.Thread):
    """Does its deeds until told to stop. `fault` is what went wrong, in words."""

    def __init__(self, number, daemon, rng, stop):
        super().__init__(name=f"client {number}", daemon=True)
        self.number = number
        self.server = daemon
        self.rng = rng
        self.stop = stop
        self.counts = collections.Counter()
        self.fault = None
        self.wire = None
        self.next = number * 1_000_000

    def run(self):
        weights, names = zip(*_deeds)
        try:
            with self.server.wire() as self.wire:
                while not self.stop.is_set():
                    name = self.rng.choices(names, weights)[0]
                    getattr(self, name)()
                    self.counts[name] += 1
        except Exception:  # pylint: disable=broad-except
            self.fault = f"{self.name}: {traceback.format_exc()}"
            self.stop.set()

    # --- what deeds are made of ---

    def params(self, kind=None):
        """(kind, params) of a job that is handed in for one loop or the other, or for none."""
        self.next += 1
        if kind is None:
            kind = self.rng.choice(KINDS)(self.next)
        params = {"spec": kind.spec, "args": kind.args, "title": f"n{self.next}"}
        place = self.rng.choice([None, 0, 1, f"loop{self.rng.randrange(5)}"])
        if place is not None:
            params["loop"] = place
        return kind, params

    def check(self, kind, job):
        """Its end, as job.run and job.get tell it. One that is not cancelled here has its own."""
        if kind.is_raced and job["status"] == "cancelled":
            return
        if kind.is_cancelled and not kind.is_raced:
            equal((job["status"], job["error"]["type"]), ("cancelled", kind.error), str(job))
        elif kind.error is not None and kind.status == "failed":
            equal((job["status"], job["error"]["type"]), ("failed", kind.error), str(job))
        else:
            equal((job["status"], job.get("result")), ("completed", kind.result), str(job))

    def finish(self, ids):
        done = self.wire.call("job.wait", ids=ids, timeout=PATIENCE)
        equal(done["pending"], [], "jobs that do not end")

    def cancel_some(self, jobs):
        """And signals those that wait for it."""
        for id_, kind in jobs:
            if kind.is_signalled:
                self.wire.call("job.signal", id=id_, event="go", value=kind.result, key="k")
            if kind.is_cancelled:
                try:
                    self.wire.call("job.cancel", id=id_)
                except Refused as error:  # it was over before, which only some may be
                    true(kind.is_raced and error.type == "Conflict", str(error))

    # --- deeds ---

    @deed(6)
    def run_one(self):
        kind, params = self.params()
        if kind.is_cancelled or kind.is_signalled:
            return
        stream = f"s{self.next}"
        id_ = self.wire.request("job.run", params, stream=stream)
        reply = self.wire.reply(id_)
        true("result" in reply, str(reply))
        self.check(kind, reply["result"])
        events = [m["params"] for m in self.wire.notifications]
        self.wire.notifications = []
        true(is_end(events[-1]) and all(e["subscription"] == stream for e in events), str(events))
        equal([e["data"] for e in events if e["kind"] == "yield"], list(kind.yields), str(kind))

    @deed(3)
    def submit_many(self):
        jobs = [self.params() for _ in range(MANY)]
        replies = [self.wire.request("job.submit", params) for _, params in jobs]
        jobs = [(self.wire.reply(id_)["result"]["id"], kind)
                for id_, (kind, _) in zip(replies, jobs)]
        self.cancel_some(jobs)
        self.finish([id_ for id_, _ in jobs])
        for id_, kind in jobs:
            self.check(kind, self.wire.call("job.get", id=id_, include=["result"]))

    @deed(2)
    def submit_and_look(self):
        """Somebody else's loop is asked about it while it runs; then it is deleted."""
        kind, params = self.params(wide(self.next))
        id_ = self.wire.call("job.submit", params)["id"]
        for method in self.rng.sample(["job.stack", "job.explain", "job.get"], 2):
            self.wire.call(method, id=id_)
        self.finish([id_])
        self.check(kind, self.wire.call("job.get", id=id_))
        equal(self.wire.call("job.delete", id=id_)["deleted"], True, "deleted")

    @deed(2)
    def cancel_wide(self):
        kind = Kind({"gather": {"sleep": 3600}, "for": "i", "in": f"${{range({WIDE})}}"})
        id_ = self.wire.call("job.submit", self.params(kind)[1])["id"]
        true(self.wire.call("job.cancel", id=id_)["accepted"], "accepted")
        self.finish([id_])
        equal(self.wire.call("job.get", id=id_)["status"], "cancelled", "status")

    @deed(1)
    def cancel_command(self):
        kind = Kind({"exec": ["sleep", "60"], "grace": "50ms", "pool": "pool0"})
        id_ = self.wire.call("job.submit", self.params(kind)[1])["id"]
        self.wire.call("job.explain", id=id_)
        true(self.wire.call("job.cancel", id=id_)["accepted"], "accepted")
        self.finish([id_])
        equal(self.wire.call("job.get", id=id_)["status"], "cancelled", "status")

    @deed(2)
    def on_threads(self):
        """Files through the pool of threads: written whole, read by many, some of them not waited for."""
        path = str(self.server.home / "files" / f"file{self.number}")
        text = f"text {self.next} " * 200
        kind = Kind([{"to_thread": "write_file", "args": [path, text]},
                     {"create_task": {"to_thread": "sha256", "args": [path]}, "as": "unwanted"},
                     {"cancel": "${unwanted}"},
                     {"gather": {"to_thread": "read_file", "args": [path]}, "for": "i",
                      "in": "${range(20)}", "as": "all"},
                     {"return": "${[t == all[0] for t in all]}"}], result=[True] * 20)
        kind, params = self.params(kind)
        self.check(kind, self.wire.call("job.run", params))

    @deed(2)
    def on_the_network(self):
        url = f"http://127.0.0.1:{self.server.web}/${{i}}"
        kind = Kind([{"create_task": {"http": url.replace("${i}", "slow")}, "as": "unwanted"},
                     {"sleep": 0}, {"cancel": "${unwanted}"},
                     {"gather": {"http": url}, "for": "i", "in": "${range(20)}", "as": "all"},
                     {"return": "${[a.body for a in all]}"}],
                    result=[f"/{i}" for i in range(20)])
        kind, params = self.params(kind)
        self.check(kind, self.wire.call("job.run", params))

    @deed(1)
    def read_log(self):
        kind = Kind({"exec": ["seq", "3000"]})
        id_ = self.wire.call("job.submit", self.params(kind)[1])["id"]
        text, more = "", {}
        while True:
            got = self.wire.call("job.log", id=id_, follow=True, stream="stdout", **more)
            text += "".join(chunk["text"] for chunk in got["chunks"])
            more["offset"] = got["next"]
            if got["eof"]:
                break
        equal(text, "".join(f"{n}\n" for n in range(1, 3001)), "the log")

    @deed(1)
    def put_permits(self):
        name, permits = f"gate{self.rng.randrange(2)}", self.rng.randint(1, 5)
        put = self.wire.call("semaphore.put", name=name, permits=permits)["permits"]
        true(put in range(1, 6), f"{put} permits, which nobody put")  # somebody else may be later
        true(all(row["held"] >= 0 for row in self.wire.call("semaphore.list")["semaphores"]), "held")

    @deed(1)
    def put_pool(self):
        name, permits = f"pool{self.rng.randrange(2)}", self.rng.randint(1, 4)
        put = self.wire.call("pool.put", name=name, permits=permits)["permits"]
        true(put in range(1, 5), f"{put} permits, which nobody put")
        self.wire.call("pool.list")

    @deed(3)
    def read(self):
        method, params = self.rng.choice([
            ("ping", {}), ("server.info", {}), ("rpc.discover", {}), ("hello", {"protocol": [1]}),
            ("job.list", {"limit": 50}), ("job.list", {"status": ["running"], "order": "oldest"}),
            ("events.read", {"after": self.rng.randrange(1000), "limit": 100}),
            ("job.validate", {"spec": {"gather": [{"sleep": 1}, {"slep": 1}]}})])
        self.wire.call(method, params)

    @deed(1)
    def leave(self):
        """Asks, and goes without an answer."""
        with self.server.wire() as wire:
            for _ in range(3):
                wire.request("job.run", self.params()[1], stream="gone", cancel_on_disconnect=True)
            wire.request("events.subscribe", after=0)

    @deed(1)
    def listen(self):
        """A stream of one job, from its first event to its last."""
        kind, params = self.params()
        id_ = self.wire.call("job.submit", params)["id"]
        with self.server.wire() as wire:
            wire.call("events.subscribe", after=0, job=id_)
            self.cancel_some([(id_, kind)])
            events = wire.events_until_end()
        equal(events[0]["kind"], "job.queued", str(events))
        self.check(kind, self.wire.call("job.get", id=id_))


class Listener(threading.Thread):
    """Hears of every event, each once, in order."""

    def __init__(self, daemon, stop):
        super().__init__(name="listener", daemon=True)
        self.wire = daemon.wire()
        self.stop = stop
        self.seq = 0
        self.fault = None

    def run(self):
        try:
            self.wire.call("events.subscribe", after=0, heartbeat=1)
            while True:
                event = self.wire.event()
                if event["kind"] != "heartbeat":
                    equal(event["seq"], self.seq + 1, "the next event")
                    self.seq += 1
                elif self.stop.is_set() and event["seq"] <= self.seq:
                    return
        except Exception:  # pylint: disable=broad-except
            self.fault = f"{self.name}: {traceback.format_exc()}"
            self.stop.set()


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the path, and keeps the connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Web(http.server.ThreadingHTTPServer):
    request_queue_size = 1000


class Mixed:
    """One daemon and its clients."""

    def __init__(self, seed, home, clients=CLIENTS):
        files = home / "files"
        files.mkdir()
        self.web = Web(("127.0.0.1", 0), Echo)
        threading.Thread(target=self.web.serve_forever, daemon=True).start()
        self.daemon = Daemon("--loops", str(LOOPS), "--keep-events", "10000000", "--threads", "4",
                             "--read-root", files, "--write-root", files,
                             "--http-allow", "127.0.0.1", "--http-allow-address", "127.0.0.1",
                             home=home)
        self.daemon.web = self.web.server_port
        self.stop = threading.Event()
        self.listener = Listener(self.daemon, self.stop)
        self.clients = [Client(n, self.daemon, random.Random(seed * 100 + n), self.stop)
                        for n in range(clients)]

    def run(self, seconds):
        """What was done, how often, and what went wrong, in words."""
        threads = self.clients + [self.listener]
        for thread in threads:
            thread.start()
        self.stop.wait(seconds)
        self.stop.set()
        for thread in threads:
            thread.join(3 * PATIENCE)
        counts = sum((client.counts for client in self.clients), collections.Counter())
        counts["events"] = self.listener.seq
        faults = [t.fault or f"{t.name} hangs" for t in threads if t.fault or t.is_alive()]
        return counts, faults or self.problems_at_end()

    def problems_at_end(self):
        """When all is quiet, nothing is held or left; and an orderly stop leaves a sound store."""
        try:
            log = self.daemon.log()
            true(RACE not in log, "a data race: " + log[log.find(RACE):][:REPORT])
            with self.daemon.wire() as wire:
                until(lambda: not any(loop["jobs"] for loop in wire.call("server.info")["loops"]),
                      "the end of every job")
                for row in wire.call("semaphore.list")["semaphores"]:
                    equal((row["held"], row["waiting"]), (0, 0), str(row))
                equal(wire.call("server.info")["processes"], {"running": 0, "waiting": 0}, "commands")
            equal(self.daemon.stop(), 0, "exit status")
            fsck = ctl("fsck", self.daemon.state)
            equal(fsck.returncode, 0, fsck.stdout)
            return []
        except Exception:  # pylint: disable=broad-except
            return [traceback.format_exc()]


    def close(self):
        """After a fault: nothing of it runs on."""
        if self.daemon.process.poll() is None:
            self.daemon.kill()
        if self.daemon.runner() is not None:
            os.kill(self.daemon.runner(), signal.SIGTERM)


def line(counts):
    return " ".join(f"{name}={number}" for name, number in sorted(counts.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    options = parser.parse_args()
    home = pathlib.Path(tempfile.mkdtemp(prefix="gdm-", dir="/tmp"))
    rig = Mixed(options.seed, home, options.clients)
    counts, faults = rig.run(options.seconds)
    rig.close()
    for fault in faults:
        print(f"VIOLATION: {fault}")
    if faults:
        print(f"kept in {home}; again with mixed.py --seed {options.seed}")
    else:
        shutil.rmtree(home)
    print(f"torture: rig=mixed {line(counts)} violations={len(faults)}")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
