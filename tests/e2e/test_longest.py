#!/usr/bin/env python3
"""A loop does not stay long with one thing: whatever a client sends, the others wait no longer.

The loop says so itself, in server.info: the longest of its callbacks and of the engine's steps, in
time of a processor. LONGEST is what is promised. What cannot be cut in pieces has a limit of its own,
and says why. A sanitizer makes all of it slower: there the loads run, and are not judged.
"""

import http.server
import os
import sys
import threading

sys.dont_write_bytecode = True
from harness import (GATHERD, Daemon, Refused, at_end, equal, is_sanitized, run, scratch,  # noqa: E402
                     test, true, until)

LONGEST = 0.010  # seconds
LARGE = 0.100    # the same, for what is done in one piece; two to five times what it takes
TRIES = 3        # a processor shared with others is slower
MANY = 5_000 if is_sanitized(GATHERD) else 100_000


def longest(wire):
    return wire.call("server.info")["loops"][0]["longest"]


def ask(wire, method, **params):
    """A refusal is as good as an answer here."""
    try:
        return wire.call(method, **params)
    except Refused as error:
        return error


def idle(wire):
    until(lambda: wire.call("server.info")["loops"][0]["jobs"] == 0, "the end of all jobs")


def within(limit, flags=list):
    """A test that is given a new daemon of one loop, and a connection; until it was short once."""
    def mark(load):
        def judged():
            seen = []
            for _ in range(TRIES):
                daemon = Daemon("--loops", "1", *flags())
                with daemon.wire() as wire:
                    load(daemon, wire)
                with daemon.wire() as wire:
                    seen.append(longest(wire))
                daemon.stop()
                if seen[-1]["seconds"] <= limit or is_sanitized(GATHERD):
                    return print(f"# {seen[-1]}")
            raise AssertionError(f"longer than {limit} s: {seen}")
        judged.__name__ = load.__name__
        return test(judged)
    return mark


def throw(daemon, content):
    """Sends it, and does not listen."""
    with daemon.wire() as wire:
        wire.socket.settimeout(0.5)
        try:
            wire.send(content)
        except OSError:
            pass


def wide(body, **more):
    return {"gather": body, "for": "i", "in": f"${{range({MANY})}}", **more}


# --- what jobs may not do ---


class Endless(http.server.BaseHTTPRequestHandler):
    """More than a response may have."""

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(40):
                self.wfile.write(b"x" * 65536)
        except OSError:
            pass  # that is enough, says the client

    def log_message(self, *_):
        pass


class Web(http.server.ThreadingHTTPServer):
    request_queue_size = 100
    daemon_threads = True


def roots_and_hosts():
    files = scratch()
    (files / "large").write_bytes(b"x" * (3 << 20))
    (files / "out").symlink_to("/etc")
    (files / "fifo").unlink(missing_ok=True)
    os.mkfifo(files / "fifo")
    roots_and_hosts.files = files
    return ["--read-root", files, "--write-root", files, "--http-allow", "127.0.0.1, 127.0.0.2, localhost",
            "--http-allow-address", "127.0.0.1"]


@within(LONGEST, roots_and_hosts)
def given_what_no_job_may_do_then_each_is_an_error_and_none_takes_long(_, wire):
    web = Web(("127.0.0.1", 0), Endless)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    at_end(web.shutdown)
    files, port = roots_and_hosts.files, web.server_port
    wrong = [  # in words that are worked out when it runs, so that no submit can refuse them
        ({"to_thread": "read_file", "args": ["${s}/etc/passwd"]}, "PermissionError"),
        ({"to_thread": "read_file", "args": [f"{files}/${{d}}/etc/passwd"]}, "PermissionError"),
        ({"to_thread": "list_dir", "args": [f"{files}/${{o}}"]}, "PermissionError"),
        ({"to_thread": "read_file", "args": [f"{files}/fifo"]}, "PermissionError"),
        ({"to_thread": "read_file", "args": [f"{files}/large"]}, "LimitError"),
        ({"to_thread": "write_file", "args": [f"{files}/${{d}}/x", "x"]}, "PermissionError"),
        ({"http": "http://${h}.test/"}, "PermissionError"),
        ({"http": f"http://127.0.0.${{n // 35}}:{port}/"}, "PermissionError"),
        ({"http": f"http://127.0.0.1:{port}/"}, "LimitError"),
        ({"await": "${t}"}, "ValueError"),
        ({"event": "${join(s, ['x'] * 300)}"}, "LimitError"),
        ({"event": "${n}"}, "TypeError"),
    ]
    for spec, error in wrong:
        job = wire.call("job.run", spec={"args": {"s": "", "d": "..", "o": "out", "h": "evil", "n": 70},
                                         "do": [{"create_task": {"sleep": 1}, "loop": "${n}", "as": "t"},
                                                {"gather": spec, "for": "i", "in": "${range(40)}",
                                                 "return_exceptions": True, "as": "all"},
                                                {"return": "${[e.type for e in all]}"}]})
        equal(set(job.get("result", [str(job)])), {error}, f"{spec}: {job}")


# --- what a client can send ---

@within(LONGEST)
def given_bytes_that_are_no_requests_then_each_turn_takes_a_few(daemon, wire):
    for content in (b"{" + b'"x":[' * 60 + b"1," * 500_000, b"{} " * 340_000, b'{"x":1}x\n' * 100_000,
                    b"[" + b"0," * 16_000 + b"0]\n"):
        throw(daemon, content)
        wire.call("ping")


@within(LONGEST)
def given_thousands_of_requests_at_once_then_each_turn_takes_a_few(_, wire):
    ids = [wire.request("job.wait", ids=list(range(1, 1001)), timeout=0) for _ in range(200)]
    ids += [wire.request("job.submit", spec={"value": n}) for n in range(2000)]
    for id_ in ids:
        wire.reply(id_)


@within(LONGEST)
def given_a_thousand_jobs_in_one_request_then_they_are_begun_in_time(_, wire):
    for _ in range(5):
        jobs = wire.call("job.submit", specs=[{"sleep": 3600}] * 1000)["jobs"]
        wire.call("job.cancel", ids=[job["id"] for job in jobs])
    wire.call("job.submit", specs=[{"value": "${len(str(range(20000)))}"}] * 300)
    wire.call("semaphore.put", name="s", permits=0)
    for _ in range(5):
        wire.call("job.submit", specs=[{"with": "s", "value": 1}] * 1000)
    wire.call("semaphore.put", name="s", permits=10_000)
    idle(wire)


@within(LARGE)
def given_requests_of_a_mebibyte_then_only_their_parsing_takes_long(daemon, wire):
    """jansson takes some 14 ns for a byte, and a message is parsed whole."""
    argument = {"args": {"t": None}, "do": {"value": "${len(t)}"}}
    throw(daemon, b'{"id":1,"method":"' + b"x" * 1_040_000 + b'"}\n')
    for value in ("x" * 1_000_000, "\n" * 450_000, list(range(16_000)),
                  [{"name": "x" * 100, "n": n} for n in range(5000)]):
        ask(wire, "job.run", spec=argument, args={"t": value})
        ask(wire, "job.run", spec={"value": value})
    ask(wire, "job.submit", specs=[{"yield": "x" * 1000}] * 800)


@within(LARGE)
def given_specs_as_large_as_they_may_be_then_only_their_loading_takes_long(_, wire):
    """A spec is parsed, loaded and stored whole."""
    for spec in ({"do": [{"sleep": 0}] * 5000}, {"do": [{"slep": 0}] * 5000},
                 {"do": [{"value": f"${{unknown_{n}}}"} for n in range(3000)]},
                 {"do": [{"value": "${" + "+".join(["1"] * 400) + "}"}] * 100},
                 {"gather": {f"n{n}": {"sleep": 0} for n in range(4000)}},
                 {"gather": {f"n{n}": {"sleep": 0, "after": [f"n{n - 1}"] if n else []}
                             for n in range(2000)}},
                 {"def": {f"f{n}": {"params": ["a"], "do": {"value": "${a}"}} for n in range(2000)},
                  "do": [{"call": f"f{n}", "args": [1]} for n in range(1000)]},
                 {"value": ["y"] * 16_000}, {"value": "x" * 250_000}):
        ask(wire, "job.validate", spec=spec)
        ask(wire, "job.run", spec=spec)


# --- what a job can do ---

@within(LONGEST)
def given_a_hundred_thousand_tasks_then_they_run_in_slices(_, wire):
    for body in ({"sleep": 0}, {"value": "${i}"}, {"sleep": "${i % 10 / 1000}", "result": "${i}"}):
        wire.call("job.submit", spec=wide(body))
    wire.call("job.submit", spec={"as_completed": {"sleep": 0.001}, "for": "i",
                                  "in": f"${{range({MANY})}}", "do": {"value": 1}, "as": "c"})
    idle(wire)


@within(LONGEST)
def given_much_that_is_told_of_in_one_step_then_it_is_cut(_, wire):
    """A budget of steps alone would let thousands of long values out before it looks up."""
    wire.call("job.submit", spec={"do": {"yield": "${'x' * 20000}"}, "for": "i", "in": "${range(1000)}"})
    wire.call("job.submit", spec={"gather": {"value": "${len(str(range(9000)))}"}, "for": "i",
                                  "in": "${range(500)}"})
    wire.call("job.submit", spec={"do": [{"value": "${len(str(range(9000)))}"}] * 500})
    idle(wire)


@within(LONGEST)
def given_a_job_that_never_rests_when_cancelled_then_the_loop_goes_on(_, wire):
    endless = {"do": {"sleep": 0}, "while": True}
    id_ = wire.call("job.submit", spec={"events": "job", "do": {
        "gather": endless, "for": "i", "in": f"${{range({MANY // 100})}}"}})["id"]
    for _ in range(20):
        wire.call("ping")
    true(wire.call("job.cancel", id=id_)["accepted"], "accepted")
    idle(wire)


@within(LARGE)
def given_one_large_expression_then_its_fuel_bounds_it(_, wire):
    for expression in ("sorted(range(40000))", "'x' * 1000000", "range(100000)", "str(range(100000))"):
        wire.call("job.run", spec={"value": "${" + expression + "}"})


@within(LARGE)
def given_a_hundred_thousand_tasks_when_cancelled_then_it_is_one_step(_, wire):
    """A cancel reaches all of them before anything else happens: some 0.2 us each."""
    for spec in (wide({"sleep": 3600}), wide({"try": {"sleep": 3600}, "finally": {"sleep": 0}}),
                 {"task_group": {"sleep": 3600}, "for": "i", "in": f"${{range({MANY})}}"}):
        id_ = wire.call("job.submit", spec=spec)["id"]
        for method in ("job.stack", "job.explain", "job.get"):
            wire.call(method, id=id_)
        wire.call("job.cancel", id=id_)
        idle(wire)
    wire.call("job.run", spec={"try": wide({"sleep": 3600}, timeout=0.5), "except": {"*": {"value": 0}}})


@within(LONGEST)
def given_commands_that_say_much_then_it_is_taken_in_pieces(_, wire):
    for _ in range(4):
        wire.call("job.submit", spec={"exec": ["head", "-c", "10000000", "/dev/zero"]})
    id_ = wire.call("job.submit", spec={"exec": ["seq", "100000"]})["id"]
    wire.call("job.log", id=id_, follow=True)
    wire.call("job.submit", spec={"gather": {"exec": ["echo", "${str(i)}"]}, "for": "i",
                                  "in": "${range(200)}"})
    idle(wire)


# --- what is read, and a restart ---

@within(LONGEST)
def given_pages_and_streams_then_they_are_read_in_pieces(daemon, wire):
    for _ in range(20):
        wire.call("job.submit", specs=[{"yield": "x" * 1000}] * 200, labels=["l" * 60])
    wire.call("job.run", spec={"do": [{"yield": "${'x' * 20000}"}], "for": "i", "in": "${range(500)}"})
    for method, params in (("job.list", {"limit": 1000}), ("events.read", {"after": 0, "limit": 1000}),
                           ("rpc.discover", {}), ("job.wait", {"ids": list(range(1, 1001))})):
        wire.call(method, **params)
    with daemon.wire() as other:
        other.call("events.subscribe", after=0)
        for _ in range(5000):
            other.event()


@within(LARGE)
def given_a_restart_then_only_the_replay_of_a_large_job_takes_long(daemon, wire):
    """A job is replayed whole before anything else happens to it."""
    wire.call("job.submit", spec=wide({"sleep": 3600}))
    for _ in range(5):
        wire.call("job.submit", specs=[{"sleep": 3600}] * 1000)
    daemon.kill()
    daemon.start()


if __name__ == "__main__":
    run()
