"""Load for the crash rig: submits, runs, cancels, semaphores and a stream, all at the same time.

One thread, several connections, each with some requests in flight. Every reply goes into the
checker's log, and the log is synced, before anything else is sent.
"""

import json
import selectors
import socket
import time

from checker import expect
from kinds import kind_of

DEPTH = 12         # requests in flight on each submitting connection
SUBMITTERS = 3
RUN_EVERY = 9      # job.run instead of job.submit
PUT_CHANCE = 0.02  # for each turn


class Pipe:
    """A connection with requests in flight; `handler` gets what each was about and its reply."""

    def __init__(self, path, handler):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.handler = handler
        self.pending = b""
        self.in_flight = {}
        self.next_id = 0

    def send(self, method, params, about):
        self.next_id += 1
        self.in_flight[self.next_id] = about
        self.socket.sendall((json.dumps({"jsonrpc": "2.0", "id": self.next_id, "method": method,
                                         "params": params}) + "\n").encode())

    def receive(self):
        """False at the end of the connection."""
        try:
            more = self.socket.recv(1 << 18)
        except ConnectionResetError:
            more = b""
        if not more:
            return False
        lines = (self.pending + more).split(b"\n")
        self.pending = lines.pop()
        for line in lines:
            message = json.loads(line)
            about = None if "method" in message else self.in_flight.pop(message["id"])
            self.handler(about, message)
        return True


class Load:
    """From a cycle's start until the daemon is gone."""

    def __init__(self, path, model, log, rng):
        self.model = model
        self.log = log
        self.rng = rng
        self.next_n = max(model.jobs, default=-1) + 1
        self.selector = selectors.DefaultSelector()
        self.pipes = []
        self.submitters = []
        self.is_bulky = False
        self.to_cancel = []
        try:
            self.control = self.open(path, self.take_control)
            self.stream = self.open(path, self.take_event)
            self.submitters = [self.open(path, self.take_submit) for _ in range(SUBMITTERS)]
            self.stream.send("events.subscribe", {"after": model.cursor}, "subscribe")
        except OSError:
            pass  # it is gone already; run() sees that

    def open(self, path, handler):
        pipe = Pipe(path, handler)
        self.pipes.append(pipe)
        self.selector.register(pipe.socket, selectors.EVENT_READ, pipe)
        return pipe

    def close(self):
        self.selector.close()
        for pipe in self.pipes:
            pipe.socket.close()

    # --- what comes back ---

    def take_submit(self, n, reply):
        job = self.model.jobs[n]
        if "error" in reply:
            type_ = reply["error"]["data"]["type"]
            expect(type_ in ("Unavailable", "LimitExceeded", "DurabilityUnknown"),
                   f"submit of {n}:", reply)
            if type_ != "DurabilityUnknown":
                self.model.note({"fact": "refused", "n": n})
            return
        result = reply["result"]
        if "status" in result:  # of job.run: it has no seq, but its end
            kind = kind_of(n)
            expect((result["status"], result.get("result")) == (kind.status, kind.result) or
                   kind.status == "failed" and result["error"]["type"] == kind.error,
                   f"job.run of {n}:", reply)
            self.model.note({"fact": "ran", "n": n, "id": result["id"]})
            return
        self.model.note({"fact": "accepted", "n": n, "id": result["id"], "seq": result["seq"]})
        if kind_of(n).is_cancelled:
            self.to_cancel.append(job)

    def take_control(self, about, reply):
        if "error" in reply:
            expect(reply["error"]["data"]["type"] in ("Unavailable", "DurabilityUnknown"),
                   f"{about}:", reply)
            return
        if about[0] == "put":
            self.model.note({"fact": "put", "name": about[1], "permits": about[2]})
        else:
            self.model.note({"fact": "cancelled", "id": about[1].id,
                             "accepted": reply["result"]["accepted"],
                             "status": reply["result"]["status"]})

    def take_event(self, about, message):
        if about == "subscribe":
            return
        event = dict(message["params"])
        event.pop("subscription")
        # A deadline is never early, and what has not happened yet is not told.
        expect(event["time"] <= time.time() + 1e-3, "I6: from the future:", event)
        self.model.note({"fact": "event", "event": event})

    # --- what goes out ---

    def submit(self, pipe):
        n = self.next_n
        self.next_n += 1
        if self.is_bulky:
            n = self.next_n = self.next_n + 40 - (self.next_n % 41)
            self.next_n += 1
        kind = kind_of(n)
        params = {"spec": kind.spec, "args": kind.args, "title": f"n{n}"}
        if n % 10 != 0:
            params["key"] = f"k{n}"
        is_run = n % RUN_EVERY == 0 and n % 10 != 0 and not kind.is_cancelled
        self.model.note({"fact": "sent", "n": n, "has_key": n % 10 != 0})
        pipe.send("job.run" if is_run else "job.submit", params, n)

    def put(self):
        name, permits = f"gate{self.rng.randrange(2)}", self.rng.randint(1, 5)
        if any(a[0] == "put" and a[1] == name for a in self.control.in_flight.values()):
            return
        self.model.note({"fact": "putting", "name": name, "permits": permits})
        self.control.send("semaphore.put", {"name": name, "permits": permits},
                          ("put", name, permits))

    def send_more(self):
        for job in self.to_cancel:
            self.model.note({"fact": "cancelling", "id": job.id})
        self.log.sync()
        for job in self.to_cancel:
            self.control.send("job.cancel", {"id": job.id}, ("cancel", job))
        self.to_cancel = []
        if self.rng.random() < PUT_CHANCE:
            self.put()
        for pipe in self.submitters:
            while len(pipe.in_flight) < DEPTH:
                self.submit(pipe)

    def run(self, seconds, is_bulky=False, is_sending=True):
        """True when the daemon ended; False when the time was over first."""
        end = time.monotonic() + seconds
        self.is_bulky = is_bulky
        if len(self.submitters) < SUBMITTERS:
            return True
        try:
            while time.monotonic() < end:
                if is_sending:
                    self.send_more()
                for key, _ in self.selector.select(0.01):
                    if not key.data.receive():
                        return self.drain()
        except OSError:
            return self.drain()
        self.log.sync()
        return False

    def drain(self):
        """What the dead one still said counts too."""
        for pipe in self.pipes:
            try:
                while pipe.receive():
                    pass
            except OSError:
                pass
        self.log.sync()
        return True
