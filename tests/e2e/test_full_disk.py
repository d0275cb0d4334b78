#!/usr/bin/env python3
"""A disk that is full: what is durable can be read, the rest waits, and all goes on with room.

The state directory is a file system of its own, in a mount namespace of the daemon; where that is
not allowed there is nothing to test, and this ends with 77.
"""

import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
from harness import Daemon, equal, refused, run, test, true, until  # noqa: E402

NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
ROOM = 2 << 20
BIG = {"return": "x" * 200000}  # more than the log's file has room for


class SmallDisk(Daemon):
    """Its state directory holds ROOM bytes."""

    def command(self):
        mount = f"mkdir -p {self.state} && mount -t tmpfs -o size={ROOM} tmpfs {self.state}"
        return NAMESPACE + ["sh", "-c", f'{mount} && exec "$@"', "sh"] + super().command()

    def filler(self):
        return pathlib.Path(f"/proc/{self.process.pid}/root{self.state}/filler")

    def fill(self):
        """Leaves less than a commit needs."""
        with open(self.filler(), "wb", buffering=0) as file:
            for bytes_ in (65536, 4096):
                try:
                    while file.write(bytes(bytes_)) == bytes_:
                        pass
                except OSError:
                    pass

    def make_room(self):
        self.filler().unlink()


def has_namespaces():
    tried = subprocess.run(NAMESPACE + ["mount", "-t", "tmpfs", "tmpfs", "/mnt"],
                           capture_output=True, check=False)
    return tried.returncode == 0


@test
def given_a_full_disk_then_jobs_rest_and_go_on_when_there_is_room():
    daemon = SmallDisk()
    with daemon.wire() as wire, daemon.wire() as other:
        sleeper = wire.call("job.submit", spec=[{"sleep": 0.3}, {"return": "slept"}])["id"]
        daemon.fill()
        held = wire.request("job.submit", spec=BIG, key="held")
        until(lambda: "store.full" in daemon.log(), "the disk to be full")
        error = refused("Unavailable", other.call, "job.submit", spec=BIG, key="later")
        equal(error.data["retry_after"], 1)
        true("storage is full" in error.message, error.message)
        # Reads are answered, and see what is durable.
        equal(other.call("job.wait", ids=[sleeper], timeout=0.5)["done"], [])
        equal(other.call("job.get", id=sleeper)["status"], "running")
        true(other.call("server.info")["disk_full"], "the full disk is shown")
        daemon.make_room()
        first = wire.reply(held)["result"]["id"]
        equal(other.call("job.wait", ids=[sleeper, first], timeout=20)["pending"], [])
        equal(other.call("job.get", id=sleeper, include=["result"])["result"], "slept")
        equal(other.call("job.submit", spec=BIG, key="held")["id"], first)
        other.call("job.submit", spec=BIG, key="later")
    true("store.has_room" in daemon.log(), daemon.log())


@test
def given_a_full_disk_then_a_cancel_is_answered_when_there_is_room():
    daemon = SmallDisk()
    with daemon.wire() as wire, daemon.wire() as other:
        sleeper = wire.call("job.submit", spec={"sleep": 3600})["id"]
        waiting = wire.call("job.submit", spec={"event": "go"})["id"]
        daemon.fill()
        held = wire.request("job.submit", spec=BIG)
        until(lambda: "store.full" in daemon.log(), "the disk to be full")
        cancel = other.request("job.cancel", id=sleeper)
        with daemon.wire() as third:
            refused("Unavailable", third.call, "job.signal", id=waiting, event="go")
        with daemon.wire() as third:
            equal(third.call("job.get", id=sleeper)["status"], "running")
        daemon.make_room()
        equal(other.reply(cancel)["result"]["status"], "cancelled")
        true("id" in wire.reply(held)["result"], "the job that waited")
        equal(other.call("job.signal", id=waiting, event="go")["already"], False)


@test
def given_a_stop_on_a_full_disk_then_whoever_waits_hears_that_it_is_not_known():
    daemon = SmallDisk()
    with daemon.wire() as wire:
        wire.call("job.submit", spec={"sleep": 3600})
        daemon.fill()
        held = wire.request("job.submit", spec=BIG)
        until(lambda: "store.full" in daemon.log(), "the disk to be full")
        daemon.process.terminate()
        equal(wire.reply(held)["error"]["data"]["type"], "DurabilityUnknown")
    equal(daemon.wait(), 74, "exit code")


if not has_namespaces():
    print("1..0 # SKIP mounts in a namespace are not allowed here")
    sys.exit(0)
run()
