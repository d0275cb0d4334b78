#!/usr/bin/env python3
"""Rig (d), calls: the daemon is killed in the middle of HTTP requests and calls on threads.

    calls.py [--kills N] [--calls N] [--seed S] [--keep DIR]

Four jobs make N calls each: requests that may be made again (GET) and such that may not (POST), files
that are read and files that are written. Then the daemon is killed, once or more often, and what must
be true is seen from outside:

    I10  what was done before a kill is not done again: neither a request that reached the server nor
         a file that was written
    I11  what must not happen twice happens once, or its outcome is InterruptedError; everything else
         has the result that it must have

GATHERD names the daemon. The last line is the summary; exit status 1 when there was a violation.
"""

import argparse
import asyncio
import collections
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / "e2e")]
from harness import PATIENCE, Daemon  # noqa: E402

KINDS = ("get", "post", "read", "write")


class Violation(Exception):
    """A promise is broken."""


class Server:
    """Answers each request with its path, some later than others, and remembers when it came."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.came = collections.defaultdict(list)  # path -> moments, with the attempt keys
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(ready,), daemon=True)
        self.thread.start()
        ready.wait()

    def run(self, ready):
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(
            asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=2048))
        self.port = self.server.sockets[0].getsockname()[1]
        ready.set()
        self.loop.run_forever()

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                fields = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
                await reader.readexactly(int(fields.get("content-length", 0)))
                path = head[0].split()[1]
                self.came[path].append((time.time(), fields["idempotency-key"]))
                await asyncio.sleep(self.random.choice((0, 0, 0.01, 0.05, 0.2)))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s"
                             % (len(path), path.encode()))
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


class Rig:
    def __init__(self, seed, home, calls):
        self.random = random.Random(seed)
        self.home = pathlib.Path(home)
        self.calls = calls
        self.server = Server(seed)
        self.files = self.home / "files"
        self.files.mkdir()
        for n in range(calls):
            (self.files / f"read{n}").write_text(f"what {n} says")
        self.daemon = Daemon("--loops", "2", "--http-allow", "127.0.0.1",
                             "--http-allow-address", "127.0.0.0/8",
                             "--read-root", str(self.files), "--write-root", str(self.files),
                             home=self.home, name=f"-{seed}")
        self.ids = {}
        self.done = {kind: {} for kind in KINDS}  # n -> what showed that it was done before a kill
        self.counts = collections.Counter()

    def call_of(self, kind):
        url = f"http://127.0.0.1:{self.server.port}/{kind}/${{n}}"
        return {"get": {"http": url},
                "post": {"http": {"url": url, "body": "n is ${n}"}},
                "read": {"to_thread": "read_file", "args": [f"{self.files}/read${{n}}"]},
                "write": {"to_thread": "write_file",
                          "args": [f"{self.files}/write${{n}}", "n is ${n}"]}}[kind]

    def submit(self):
        with self.daemon.wire() as wire:
            for kind in KINDS:
                spec = {"gather": self.call_of(kind), "for": "n",
                        "in": f"${{range({self.calls})}}", "return_exceptions": True}
                self.ids[kind] = wire.call("job.submit", spec=spec, key=f"{kind}")["id"]

    # --- a kill ---

    def kill(self):
        """What was done by now stays done."""
        time.sleep(self.random.random() * 0.25)
        self.daemon.kill()
        moment = time.time()
        self.daemon.start()
        with self.daemon.wire() as wire:
            for kind in KINDS:
                for event in self.events(wire, self.ids[kind]):
                    if event["kind"] != "task.completed" or event["time"] >= moment:
                        continue
                    n = int(event["path"].rsplit("#", 1)[1])
                    self.done[kind].setdefault(n, self.trace(kind, n, moment))
        self.counts["kills"] += 1

    def events(self, wire, job):
        after = 0
        while True:
            page = wire.call("events.read", after=after, job=job, limit=1000)
            yield from page["events"]
            if not page["events"]:
                return
            after = page["next"]

    def trace(self, kind, n, moment):
        if kind in ("get", "post"):
            return len([at for at, _ in self.server.came[f"/{kind}/{n}"] if at < moment])
        return (self.files / f"{kind}{n}").stat().st_ino

    # --- what must be true ---

    def check_done(self):
        for kind in KINDS:
            for n, before in self.done[kind].items():
                after = self.trace(kind, n, float("inf"))
                if after != before:
                    raise Violation(f"{kind} {n} was done, and is done again: {before}, {after} (I10)")
            self.counts["done before a kill"] += len(self.done[kind])

    def check_results(self):
        with self.daemon.wire() as wire:
            reply = wire.call("job.wait", ids=list(self.ids.values()), timeout=PATIENCE)
            if reply["pending"]:
                raise Violation(f"jobs that do not end: {reply['pending']}")
            for kind, id_ in self.ids.items():
                results = wire.call("job.get", id=id_, include=["result"])["result"]
                for n, result in enumerate(results):
                    self.check_result(kind, n, result)

    def check_result(self, kind, n, result):
        self.counts["calls"] += 1
        keys = collections.Counter(key for _, key in self.server.came.get(f"/{kind}/{n}", ()))
        if kind == "post" and len(keys) > 1 or kind == "post" and max(keys.values(), default=0) > 1:
            raise Violation(f"post {n} came {keys} (I11)")
        if isinstance(result, dict) and result.get("type") == "InterruptedError" and \
                kind in ("post", "write"):
            self.counts["interrupted"] += 1
            return
        good = {"get": lambda: result["body"] == f"/get/{n}",
                "post": lambda: result["body"] == f"/post/{n}" and len(keys) == 1,
                "read": lambda: result == f"what {n} says",
                "write": lambda: (self.files / f"write{n}").read_text() == f"n is {n}"}[kind]
        try:
            is_good = good()
        except (KeyError, TypeError, OSError):
            is_good = False
        if not is_good:
            raise Violation(f"{kind} {n} ended with {result} (I11)")

    def run(self, kills):
        self.submit()
        for _ in range(kills):
            self.kill()
        self.check_results()
        self.check_done()

    def close(self):
        self.daemon.kill()
        self.server.close()

    def line(self):
        return "calls: " + ", ".join(f"{n} {what}" for what, n in sorted(self.counts.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=1, help="of one run")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--calls", type=int, default=500, help="of each of the four jobs")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", metavar="DIR", help="make the state directories there")
    options = parser.parse_args()
    total = collections.Counter()
    for seed in range(options.seed, options.seed + options.runs):
        home = tempfile.mkdtemp(prefix="gdx-", dir=options.keep or "/tmp")
        rig = Rig(seed, home, options.calls)
        try:
            rig.run(options.kills)
        except Violation as violation:
            print(f"VIOLATION: {violation}; see {home}; seed {seed}; {rig.line()}")
            rig.close()
            sys.exit(1)
        rig.close()
        shutil.rmtree(home, ignore_errors=True)
        total += rig.counts
    print("calls: " + ", ".join(f"{n} {what}" for what, n in sorted(total.items())), "0 violations",
          sep=", ")


if __name__ == "__main__":
    main()
