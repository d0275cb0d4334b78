"""The daemon of the crash rig, which may die at any time, seen from outside."""

import collections
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

from checker import Violation, expect
from harness import PATIENCE, RACE, Wire, ctl, free_port, is_sanitized, sanitizer_env, until

DAEMON = os.path.abspath(os.environ.get(
    "TORTURE_DAEMON", os.path.join(os.environ.get("builddir", "."),
                                   "tests/torture/gatherd_failpoints")))
FILES = {"gatherd.db", "gatherd.db-wal", "gatherd.last", "lock"}
GROWTH_MAX = 64 << 20  # of memory, from one quiet moment to the next


Vitals = collections.namedtuple("Vitals", "files threads memory")


class Ended(Exception):
    """The daemon is gone."""


class Server:
    """A daemon on a state directory. `flags`: settings beside the usual ones."""

    def __init__(self, home, flags=(), sabotage=None):
        self.home = home
        self.flags = list(flags)
        self.sabotage = sabotage
        self.process = None
        self.port = free_port()
        self.tokens = home / "tokens"
        made = ctl("token", "new", "guest", "--role", "submitter", "--token-file", self.tokens)
        expect(made.returncode == 0, "no token:", made.stderr)
        self.guest_token = made.stdout.strip()

    def command(self):
        return [DAEMON, "--state-dir", self.home / "state", "--socket", self.home / "s",
                "--listen", f"127.0.0.1:{self.port}", "--token-file", self.tokens,
                "--loops", "2"] + self.flags

    def start(self, failpoint=None):
        """Ended when it did not come up; what is wrong with that is the caller's to say."""
        env = sanitizer_env()
        if failpoint:
            env["GATHERD_FAILPOINT"] = failpoint
        if self.sabotage:
            env["GATHERD_SABOTAGE"] = self.sabotage
        path = self.home / "log"
        log_bytes = path.stat().st_size if path.exists() else 0
        with open(path, "ab") as log:
            try:
                self.process = subprocess.Popen(self.command(), stdout=log, stderr=log,
                                                stdin=subprocess.DEVNULL, env=env)
            except OSError as error:  # not the daemon's fault, so no violation
                sys.exit(f"{self.command()[0]} cannot be run: {error}")
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.connect().close()
                return
            except OSError:
                pass
            if self.process.poll() is not None:
                with open(path, "rb") as log:
                    log.seek(log_bytes)
                    if b"in use" not in log.read():
                        raise Ended()
                self.port = free_port()
                self.start(failpoint)
                return
            expect(time.monotonic() < deadline, "the daemon does not come up")
            time.sleep(0.0005)

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(self.home / "s"))
        except OSError:
            connection.close()
            raise
        return connection

    def connect_guest(self):
        """The other listener: it may come a moment later than the socket."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                connection = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
                break
            except ConnectionRefusedError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.0005)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def wire(self):
        return Wire(self.connect())

    def guest_wire(self):
        wire = Wire(self.connect_guest())
        wire.call("hello", protocol=[1], token=self.guest_token)
        return wire

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        code = self.process.wait()
        self.expect_no_race()
        return code

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Violation("SIGTERM does not end it") from None

    def expect_no_race(self):
        """What ThreadSanitizer says, where it is built in: one that was killed says it here only."""
        path = self.home / "log"
        log = path.read_text(errors="replace") if path.exists() else ""
        expect(RACE not in log, "a data race:", log[log.find(RACE):])

    # --- what it has open (I9) ---

    def vitals(self, wire):
        """Descriptors, threads, bytes of memory, with nobody but `wire` connected."""
        until(lambda: wire.call("server.info")["connections"] == 1, "I9: connections that end")
        of_process = pathlib.Path(f"/proc/{self.process.pid}")
        try:
            status = dict(line.split(":", 1) for line in
                          (of_process / "status").read_text().splitlines())
            return Vitals(sorted(os.readlink(fd) for fd in (of_process / "fd").iterdir()),
                          int(status["Threads"]), int(status["VmRSS"].split()[0]) * 1024)
        except (OSError, KeyError):
            raise Ended() from None

    def expect_vitals(self, before, wire):
        """It has gone back to what it had when it was as quiet."""
        now = self.vitals(wire)
        expect(len(now.files) == len(before.files) and now.threads == before.threads,
               "I9: it had open", before, "and has", now)
        if not is_sanitized(DAEMON):
            expect(now.memory - before.memory < GROWTH_MAX, "I9: memory grew:", before, now)

    def expect_files(self):
        """After an orderly stop nothing is left over."""
        left = set(os.listdir(self.home / "state")) - FILES
        expect(not left, "I9: files that nobody needs:", sorted(left))
