"""What every end-to-end test needs: a private daemon, a raw connection, gatherctl, TAP.

A test file defines functions marked with @test and ends with run(). Each test makes what it needs
and leaves nothing; several files may run at the same time. Nobody sleeps for a fixed time: a wait
ends as soon as what is waited for is there, and fails after PATIENCE seconds.

Environment: GATHERD and GATHERCTL name the programs (default ./gatherd, ./gatherctl), srcdir the
source tree. E2E_ONLY runs only the tests whose name contains it.
"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

PATIENCE = float(os.environ.get("E2E_PATIENCE", "30"))
SOURCE = pathlib.Path(os.environ.get("srcdir") or pathlib.Path(__file__).resolve().parents[2])
GATHERD = os.path.abspath(os.environ.get("GATHERD", "./gatherd"))
GATHERCTL = os.path.abspath(os.environ.get("GATHERCTL", "./gatherctl"))
RACE = "WARNING: ThreadSanitizer"  # how a report begins

_tests = []
_at_end = []


def test(function):
    """Marks a test; its name, read as a sentence, is what TAP prints."""
    _tests.append(function)
    return function


def run():
    """Runs the tests of this file and exits."""
    chosen = [t for t in _tests if os.environ.get("E2E_ONLY", "") in t.__name__]
    failures = 0
    print(f"1..{len(chosen)}", flush=True)
    for number, function in enumerate(chosen, 1):
        name = function.__name__.replace("_", " ")
        problems = _problems_of(function)
        while _at_end:
            problems += _problems_of(_at_end.pop())
        print(f"{'not ok' if problems else 'ok'} {number} - {name}")
        for line in problems:
            print(f"# {line}")
        sys.stdout.flush()
        failures += bool(problems)
    sys.exit(1 if failures else 0)


def _problems_of(function):
    """What went wrong in it, with the last lines that the daemons of this test wrote."""
    try:
        function()
        return []
    except Exception:  # pylint: disable=broad-except
        words = traceback.format_exc().splitlines()
        for daemon in Daemon.alive:
            words += [f"daemon {daemon.name}: {line}" for line in daemon.log().splitlines()[-30:]]
        return words


def at_end(function):
    """Calls `function` when this test is over, whatever happened."""
    _at_end.append(function)


def equal(got, expected, what="value"):
    if got != expected:
        raise AssertionError(f"{what}: got {got!r:.2000}, expected {expected!r:.2000}")


def true(condition, what):
    if not condition:
        raise AssertionError(what)


def until(condition, what="condition"):
    """Waits until condition() is true and returns what it gave."""
    deadline = time.monotonic() + PATIENCE
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE:g} s in vain for: {what}")
        time.sleep(0.002)


def scratch():
    """A directory that is gone after the test. Short, since a socket's path has little room."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="gd-", dir="/tmp"))
    at_end(lambda: shutil.rmtree(path, ignore_errors=True))
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Daemon:
    """One gatherd with its own state directory. It may be started again after it ended.

    Under AddressSanitizer what was freed goes back soon, so that memory can be judged there too.
    """

    alive = []

    def __init__(self, *flags, tcp=False, token=None, name="1", home=None, wait=True,
                 program=GATHERD, env=None):
        self.name = name
        self.program = program
        self.env = env or {}
        self.home = home or scratch()
        self.state = self.home / "state"
        self.socket = self.home / "s"
        self.log_path = self.home / f"log{name}"
        self.flags = list(flags)
        self.tcp = tcp
        self.port = None
        self.token_file = self.home / "tokens"
        self.token = None
        if tcp:
            self.token = self.new_token("e2e", token or "admin")
        self.process = None
        Daemon.alive.append(self)
        at_end(self._forget)
        self.start(wait=wait)

    def new_token(self, name, role, *more):
        made = ctl("token", "new", name, "--role", role, "--token-file", self.token_file, *more)
        equal(made.returncode, 0, made.stderr)
        return made.stdout.strip()

    def command(self):
        words = [self.program, "--state-dir", self.state, "--socket", self.socket]
        if self.tcp:
            words += ["--listen", f"127.0.0.1:{self.port}", "--token-file", self.token_file]
        return [str(w) for w in words + self.flags]

    def start(self, wait=True):
        for attempt in range(5):
            if self.tcp and (self.port is None or attempt > 0):
                self.port = free_port()
            with open(self.log_path, "ab") as log:
                self.process = subprocess.Popen(self.command(), stdout=log, stderr=log,
                                                stdin=subprocess.DEVNULL, cwd=self.home,
                                                env={**sanitizer_env(), **self.env})
            if not wait:
                return self
            if until(lambda: self._answers() or self.process.poll() is not None, "daemon ready") \
                    and self.process.poll() is None:
                return self
            if not (self.tcp and "in use" in self.log()):
                break
        raise AssertionError(f"gatherd ended with {self.process.returncode}: {self.log()}")

    def _answers(self):
        """Also that every job of an earlier life runs again: most tests are about what is then."""
        try:
            with self.wire() as wire:
                return wire.ask("server.info")["result"]["recovering"] == 0
        except (OSError, EOFError):
            return False

    def log(self):
        try:
            return self.log_path.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def wire(self):
        return Wire.unix(self.socket)

    def tcp_wire(self, say_hello=True):
        wire = Wire.tcp(self.port)
        if say_hello:
            wire.call("hello", protocol=[1], client="e2e", token=self.token)
        return wire

    def ctl(self, *words, **more):
        return ctl(words[0], "--socket", self.socket, *words[1:], **more)

    def rss(self):
        """Bytes of memory in use."""
        for line in open(f"/proc/{self.process.pid}/status", encoding="ascii"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def kill(self):
        """kill -9, as a power cut would."""
        self.process.kill()
        self.process.wait(PATIENCE)

    def stop(self):
        """SIGTERM; gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def wait(self):
        return self.process.wait(PATIENCE)

    def runner(self):
        """The pid of its gatherd-runner, which outlives it; None where it has none."""
        try:
            pid = int((self.state / "runner" / "lock").read_text())
            is_it = b"gatherd-runner" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            return pid if is_it else None
        except (OSError, ValueError):
            return None

    def _end_runner(self):
        pid = self.runner()
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
            until(lambda: self.runner() is None, "the end of the runner")

    def _forget(self):
        """Every test ends with an orderly stop, so that a leak or a hang shows in all of them. What
        a sanitizer found in a daemon that was killed later stands in the log only."""
        try:
            if self.process is not None and self.process.poll() is None:
                equal(self.stop(), 0, f"exit code at the end; log: {self.log()}")
            true(RACE not in self.log(), f"a data race; log: {self.log()}")
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise AssertionError(f"SIGTERM did not end it; log: {self.log()}") from error
        finally:
            Daemon.alive.remove(self)
            self._end_runner()


class Refused(Exception):
    """An error reply."""

    def __init__(self, error):
        super().__init__(json.dumps(error))
        self.code = error["code"]
        self.message = error["message"]
        self.data = error.get("data", {})
        self.type = self.data.get("type")


class Wire:
    """A connection that hides nothing: bytes out, lines in."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(PATIENCE)
        self.pending = b""
        self.notifications = []
        self.replies = {}
        self.next_id = 0

    @classmethod
    def unix(cls, path):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
        except OSError:
            connection.close()
            raise
        return cls(connection)

    @classmethod
    def tcp(cls, port):
        return cls(socket.create_connection(("127.0.0.1", port), PATIENCE))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, what):
        self.socket.sendall(what if isinstance(what, bytes) else what.encode())

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def line(self):
        """The next line without its LF; EOFError where the connection has ended."""
        while b"\n" not in self.pending:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                raise EOFError(f"connection ended; left over: {self.pending!r}")
            self.pending += more
        line, self.pending = self.pending.split(b"\n", 1)
        return line

    def message(self):
        return json.loads(self.line())

    def rest(self):
        """Every message until the other side closes."""
        found = []
        try:
            while True:
                found.append(self.message())
        except EOFError:
            true(not self.pending, f"a torn line: {self.pending!r}")
            return found

    def request(self, method, params=None, **more):
        """Sends a request, gives its id."""
        self.next_id += 1
        params = dict(params or {}, **more)
        self.send(json.dumps({"jsonrpc": "2.0", "id": self.next_id, "method": method,
                              "params": params}) + "\n")
        return self.next_id

    def reply(self, id_):
        """The reply to `id_`; what comes before it is kept."""
        while id_ not in self.replies:
            message = self.message()
            if "method" in message:
                self.notifications.append(message)
            else:
                self.replies[message["id"]] = message
        return self.replies.pop(id_)

    def ask(self, method, params=None, **more):
        """A request and its whole reply."""
        return self.reply(self.request(method, params, **more))

    def call(self, method, params=None, **more):
        """A request and its result; Refused for an error."""
        reply = self.ask(method, params, **more)
        if "error" in reply:
            raise Refused(reply["error"])
        return reply["result"]

    def event(self):
        """The params of the next event."""
        message = self.notifications.pop(0) if self.notifications else self.message()
        equal(message.get("method"), "event", f"method of {message}")
        return message["params"]

    def events_until_end(self):
        """Events up to the one that ends a job."""
        events = []
        while not events or not is_end(events[-1]):
            events.append(self.event())
        return events


def is_end(event):
    return event["kind"] in ("job.completed", "job.failed", "job.cancelled")


def refused(type_, function, *words, **more):
    """Calls and expects the error `type_`; gives it."""
    try:
        result = function(*words, **more)
    except Refused as error:
        equal(error.type, type_, f"type of {error}")
        return error
    raise AssertionError(f"expected {type_}, got {result!r}")


def ctl(*words, stdin=None, env=None, timeout=None):
    """Runs gatherctl to its end."""
    return subprocess.run([GATHERCTL] + [str(w) for w in words], input=stdin, text=True,
                          capture_output=True, timeout=timeout or PATIENCE, check=False,
                          env=clean_env(env))


def ctl_open(*words, env=None):
    """Starts gatherctl and returns at once; the caller ends it."""
    return subprocess.Popen([GATHERCTL] + [str(w) for w in words], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            stdin=subprocess.DEVNULL, env=clean_env(env))


def ctl_start(*words, env=None):
    """The same, until the test is over."""
    process = ctl_open(*words, env=env)

    def forget():
        if process.poll() is None:
            process.kill()
        process.communicate()
    at_end(forget)
    return process


def clean_env(more=None):
    env = {k: v for k, v in os.environ.items() if not k.startswith("GATHERD")}
    env.update(more or {})
    return env


def sanitizer_env():
    """Where nobody knows what is durable the process ends at once, and joins no thread any more: that
    is no leak."""
    address = os.environ.get("ASAN_OPTIONS", "")
    thread = os.environ.get("TSAN_OPTIONS", "")
    return clean_env({
        "ASAN_OPTIONS": f"quarantine_size_mb=1:verify_asan_link_order=0:{address}".rstrip(":"),
        "TSAN_OPTIONS": f"report_thread_leaks=0:{thread}".rstrip(":")})


def is_sanitized(program):
    """Whether it was built with a sanitizer: then it is slow, and its memory says nothing."""
    content = pathlib.Path(program).read_bytes()
    return b"__asan_init" in content or b"__tsan_init" in content


def has_shadows(program):
    """Whether it was built with ThreadSanitizer, whose memory grows with what is touched."""
    return b"__tsan_init" in pathlib.Path(program).read_bytes()


def fences(path, *kinds):
    """The fenced blocks of a document of these kinds: (kind, text, line) in order."""
    found, kind, first, lines = [], None, 0, []
    for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
        if line.startswith("```"):
            if kind is None:
                kind, first, lines = line[3:].strip() or "text", number + 1, []
            else:
                if kind in kinds:
                    found.append((kind, "\n".join(lines), first))
                kind = None
        elif kind is not None:
            lines.append(line)
    return found
