"""Load for the crash rig: submits one by one and many at once, runs, cancels, semaphores, a stream,
and somebody else's submits over TCP, all at the same time.

One thread, several connections, each with some requests in flight. Every reply goes into the
checker's log, and the log is synced, before anything else is sent.
"""

import json
import selectors
import socket
import struct
import time

from checker import expect
from kinds import BATCHED, is_guests, kind_of, signal_params, submit_params, titled_spec

DEPTH = 12         # requests in flight on each submitting connection
SUBMITTERS = 3
GUEST_DEPTH = 4
BATCH = 32         # jobs in one request
BATCH_DEPTH = 2    # such requests in flight
RUN_EVERY = 9      # job.run instead of job.submit
PUT_CHANCE = 0.02  # for each turn
JOBS_MAX = 1500    # in one life of the daemon: with more, what is in doubt may expire (KEEP_JOBS)
QUIET = 0.1        # seconds that are left to what goes on after the last of them
UNKNOWN = "DurabilityUnknown"
_encode = json.JSONEncoder(check_circular=False).encode


class Pipe:
    """A connection with requests in flight; `handler` gets what each was about and its reply."""

    def __init__(self, connection, handler):
        self.socket = connection
        self.handler = handler
        self.pending = b""
        self.in_flight = {}
        self.next_id = 0
        self.out = []

    def send(self, method, params, about):
        """Goes out with the next flush()."""
        self.next_id += 1
        self.in_flight[self.next_id] = about
        self.out.append(_encode({"jsonrpc": "2.0", "id": self.next_id, "method": method,
                                 "params": params}))

    def flush(self):
        if self.out:
            text, self.out = "\n".join(self.out) + "\n", []
            self.socket.sendall(text.encode())

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

    def __init__(self, server, model, log, rng):
        self.model = model
        self.log = log
        self.rng = rng
        self.next_n = max((n for n in model.jobs if n < BATCHED), default=-1) + 1
        self.next_batched = max(max(model.jobs, default=0), BATCHED - 1) + 1
        self.left = JOBS_MAX
        self.waiting_guests = []
        self.selector = selectors.DefaultSelector()
        self.pipes = []
        self.submitters = []
        self.is_bulky = False
        self.is_open = False
        self.to_cancel = []
        self.to_signal = []
        try:
            self.open_all(server)
        except OSError:
            pass  # it is gone already; run() sees that

    def open_all(self, server):
        self.control = self.open(server.connect(), self.take_control)
        self.stream = self.open(server.connect(), self.take_event)
        self.batches = self.open(server.connect(), self.take_batch)
        self.submitters = [self.open(server.connect(), self.take_submit)
                           for _ in range(SUBMITTERS)]
        self.guest = self.open(server.connect_guest(), self.take_submit)
        self.guest.send("hello", {"protocol": [1], "token": server.guest_token}, "hello")
        self.guest_stream = self.open(server.connect_guest(), self.take_guest_event)
        self.guest_stream.send("hello", {"protocol": [1], "token": server.guest_token}, "hello")
        self.guest_stream.send("events.subscribe", {"after": self.model.cursor}, "subscribe")
        self.stream.send("events.subscribe", {"after": self.model.cursor}, "subscribe")
        self.is_open = True

    def open(self, connection, handler):
        pipe = Pipe(connection, handler)
        self.pipes.append(pipe)
        self.selector.register(pipe.socket, selectors.EVENT_READ, pipe)
        return pipe

    def close(self):
        """Over TCP an end of sending is no end of reading: only a reset is."""
        self.selector.close()
        for pipe in self.pipes:
            if pipe.socket.family == socket.AF_INET:
                pipe.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            pipe.socket.close()

    # --- what comes back ---

    def note_error(self, numbers, error):
        """One that is definite, and one that is not."""
        type_ = error["data"]["type"]
        expect(type_ in ("Unavailable", "LimitExceeded", UNKNOWN), f"submit of {numbers}:", error)
        if type_ == UNKNOWN:
            self.model.note({"fact": "unknown"})
            return
        for n in numbers:
            self.model.note({"fact": "refused", "n": n})

    def expect_open(self, about, reply):
        expect("result" in reply or reply["error"]["data"]["type"] == UNKNOWN, f"{about}:", reply)

    def take_accepted(self, n, result):
        self.model.note({"fact": "accepted", "n": n, "id": result["id"], "seq": result["seq"]})
        job = self.model.jobs[n]
        if job.kind.is_cancelled:
            self.to_cancel.append(job)
        if job.kind.is_signalled:
            self.to_signal.append(job)

    def take_submit(self, n, reply):
        if n == "hello":
            self.expect_open(n, reply)
        elif "error" in reply:
            self.note_error([n], reply["error"])
        elif "status" in reply["result"]:  # of job.run: it has no seq, but its end
            result, kind = reply["result"], self.model.jobs[n].kind
            expect((result["status"], result.get("result")) == (kind.status, kind.result) or
                   kind.status == "failed" and result["error"]["type"] == kind.error,
                   f"job.run of {n}:", reply)
            self.model.note({"fact": "ran", "n": n, "id": result["id"],
                             "status": result["status"]})
        else:
            self.take_accepted(n, reply["result"])

    def take_batch(self, numbers, reply):
        if "error" in reply:
            self.note_error(numbers, reply["error"])
            return
        rows = reply["result"]["jobs"]
        expect(len(rows) == len(numbers), f"{len(rows)} rows for {len(numbers)} jobs")
        for n, row in zip(numbers, rows):
            if "error" in row:
                self.note_error([n], row["error"])
            else:
                self.take_accepted(n, row)

    def take_control(self, about, reply):
        if "error" in reply:
            type_ = reply["error"]["data"]["type"]
            is_over = about[0] == "cancel" and about[1].status is not None
            expect(type_ in ("Unavailable", UNKNOWN),
                   f"{'R' if is_over else 'I1'}: a {about[0]} of what was acknowledged:", reply)
            if type_ == UNKNOWN:
                self.model.note({"fact": "unknown"})
            return
        if about[0] == "put":
            self.model.note({"fact": "put", "name": about[1], "permits": about[2]})
        elif about[0] == "signal":
            self.model.note({"fact": "signalled", "id": about[1].id})
        else:
            self.model.note({"fact": "cancelled", "id": about[1].id,
                             "accepted": reply["result"]["accepted"],
                             "status": reply["result"]["status"]})

    def take_event(self, about, message):
        if about is not None:
            self.expect_open(about, message)
            return
        event = dict(message["params"])
        event.pop("subscription")
        # A deadline is never early, and what has not happened yet is not told.
        expect(event["time"] <= time.time() + 1e-3, "I6: from the future:", event)
        self.model.note({"fact": "event", "event": event})

    def take_guest_event(self, about, message):
        if about is not None:
            self.expect_open(about, message)
            return
        job = self.model.by_id.get(message["params"]["job"])
        expect(job is None or job.is_guests, "I12: the guest sees", message)

    # --- what goes out ---

    def next_number(self):
        """Of the next job that we hand in ourselves; those of the guest are put aside."""
        while True:
            n = self.next_n
            if self.is_bulky:
                n += 40 - n % 41
            self.next_n = n + 1
            if not is_guests(n):
                return n
            self.waiting_guests.append(n)

    def submit(self, pipe, n):
        kind = kind_of(n)
        params = submit_params(n, kind)
        is_run = n % RUN_EVERY == 0 and "key" in params and not (
            kind.is_cancelled or kind.is_signalled)
        self.left -= 1
        self.model.note({"fact": "sent", "n": n})
        pipe.send("job.run" if is_run else "job.submit", params, n)

    def submit_batch(self):
        numbers = range(self.next_batched, self.next_batched + BATCH)
        self.next_batched += BATCH
        self.left -= BATCH
        self.model.note({"fact": "sent", "n": numbers[0], "count": BATCH})
        self.batches.send("job.submit", {"specs": [titled_spec(n, self.model.jobs[n].kind)
                                                   for n in numbers]}, numbers)

    def put(self):
        name, permits = f"gate{self.rng.randrange(2)}", self.rng.randint(1, 5)
        if any(a[0] == "put" and a[1] == name for a in self.control.in_flight.values()):
            return
        self.model.note({"fact": "putting", "name": name, "permits": permits})
        self.control.send("semaphore.put", {"name": name, "permits": permits},
                          ("put", name, permits))

    def prepare(self):
        """All that goes out in this turn, in the log before it is on its way."""
        for job in self.to_cancel:
            self.model.note({"fact": "cancelling", "id": job.id})
            self.control.send("job.cancel", {"id": job.id}, ("cancel", job))
        self.to_cancel = []
        for job in self.to_signal:
            self.control.send("job.signal", signal_params(job), ("signal", job))
        self.to_signal = []
        if self.rng.random() < PUT_CHANCE:
            self.put()
        if self.left <= 0:
            return
        for pipe in self.submitters:
            while len(pipe.in_flight) < DEPTH:
                self.submit(pipe, self.next_number())
        while self.waiting_guests and len(self.guest.in_flight) < GUEST_DEPTH:
            self.submit(self.guest, self.waiting_guests.pop(0))
        while not self.is_bulky and len(self.batches.in_flight) < BATCH_DEPTH:
            self.submit_batch()

    def flush(self):
        self.log.sync()
        for pipe in self.pipes:
            pipe.flush()

    def run(self, seconds, is_bulky=False, is_sending=True):
        """True when the daemon ended; False when the time was over first."""
        end = time.monotonic() + seconds
        self.is_bulky = is_bulky
        if not self.is_open:
            return True
        try:
            while time.monotonic() < end:
                if is_sending and self.left > 0:
                    self.prepare()
                    if self.left <= 0:
                        end = min(end, time.monotonic() + QUIET)
                self.flush()
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
