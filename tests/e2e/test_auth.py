#!/usr/bin/env python3
"""Who may do what: tokens over TCP, roles, and what stays hidden."""

import json
import os
import signal
import sys

sys.dont_write_bytecode = True
from harness import Daemon, Wire, ctl, equal, refused, run, test, true, until  # noqa: E402


def hello(daemon, token):
    wire = daemon.tcp_wire(say_hello=False)
    wire.call("hello", protocol=[1], token=token)
    return wire


@test
def given_tcp_without_a_token_then_every_method_is_unauthorized():
    daemon = Daemon(tcp=True)
    for method, params in (("ping", {}), ("server.info", {}), ("rpc.discover", {}),
                           ("job.submit", {"spec": {"value": 1}}), ("no.such", {}),
                           ("events.read", {"after": 0})):
        with daemon.tcp_wire(say_hello=False) as wire:
            refused("Unauthorized", wire.call, method, params)
    with daemon.wire() as wire:
        equal(wire.call("job.list")["jobs"], [])


@test
def given_a_token_in_hello_then_the_connection_is_that_of_its_principal():
    daemon = Daemon(tcp=True)
    with daemon.tcp_wire(say_hello=False) as wire:
        reply = wire.call("hello", protocol=[1], token=daemon.token)
        equal(reply["principal"], "token:e2e")
        wire.call("ping")


@test
def given_a_connection_over_tcp_then_the_kernel_asks_whether_the_other_side_is_there():
    daemon = Daemon(tcp=True)
    with daemon.tcp_wire() as wire:
        here, there = (f"0100007F:{end[1]:04X}" for end in
                       (wire.socket.getpeername(), wire.socket.getsockname()))
        with open("/proc/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table]
        timers = [row[5].split(":")[0] for row in rows if row[1:3] == [here, there]]
        equal(timers, ["02"], "timers of the daemon's end; 02 is the keepalive's")


@test
def given_a_token_in_each_request_then_no_hello_is_needed():
    daemon = Daemon(tcp=True)
    with daemon.tcp_wire(say_hello=False) as wire:
        done = wire.call("job.run", spec={"value": 5}, _auth=daemon.token)
        equal(done["result"], 5)


@test
def given_a_bad_token_then_it_is_unauthorized_whatever_is_wrong_with_it():
    daemon = Daemon(tcp=True)
    name, secret = daemon.token.rsplit("_", 1) if daemon.token[-44] == "_" else \
        (daemon.token[:-44], daemon.token[-43:])
    other = ("A" if secret[0] != "A" else "B") + secret[1:]
    words = set()
    for token in (f"{name}_{other}", f"gat_nobody_{secret}", secret, "gat__", "x", "x" * 80):
        with daemon.tcp_wire(say_hello=False) as wire:
            words.add(refused("Unauthorized", wire.call, "hello", protocol=[1],
                              token=token).message)
    equal(len(words), 1, f"the words do not say what was wrong: {words}")


@test
def given_no_token_yet_then_a_long_message_over_tcp_ends_the_connection():
    daemon = Daemon(tcp=True)
    with daemon.tcp_wire(say_hello=False) as wire:
        wire.send('{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"' + "a" * 8192 + '"}}\n')
        replies = wire.rest()
        true(len(replies) <= 1, "one answer at most")
        for reply in replies:
            equal(reply["error"]["data"]["type"], "LimitExceeded")


@test
def given_a_viewer_then_it_sees_but_submits_and_cancels_nothing():
    daemon = Daemon(tcp=True)
    viewer = hello(daemon, token_after_reload(daemon, "eyes", "viewer"))
    with daemon.tcp_wire() as admin:
        job = admin.call("job.submit", spec={"sleep": 3600})["id"]
        equal(viewer.call("job.get", id=job)["status"], "running")
        refused("Forbidden", viewer.call, "job.submit", spec={"value": 1})
        refused("Forbidden", viewer.call, "job.cancel", id=job)
        admin.call("job.cancel", id=job)
    viewer.close()


def token_after_reload(daemon, name, role):
    """A new token that the running daemon knows."""
    token = daemon.new_token(name, role)
    daemon.process.send_signal(signal.SIGHUP)

    def is_known():
        with daemon.tcp_wire(say_hello=False) as wire:
            return "result" in wire.ask("hello", protocol=[1], token=token)
    until(is_known, "the token after SIGHUP")
    return token


@test
def given_two_submitters_then_neither_finds_what_the_other_has():
    daemon = Daemon(tcp=True)
    ann = hello(daemon, token_after_reload(daemon, "ann", "submitter"))
    bob = hello(daemon, token_after_reload(daemon, "bob", "submitter"))
    job = ann.call("job.submit", spec={"sleep": 3600}, key="same")["id"]
    other = bob.call("job.submit", spec={"value": 1}, key="same")
    true("existing" not in other, "keys belong to a principal")

    for method in ("job.get", "job.cancel", "job.result", "job.stack", "job.delete"):
        refused("NotFound", bob.call, method, id=job)
    refused("NotFound", bob.call, "job.wait", ids=[job])
    equal([j["id"] for j in bob.call("job.list")["jobs"]], [other["id"]])
    bob.call("job.wait", ids=[other["id"]])
    seen = {e["job"] for e in bob.call("events.read", after=0)["events"]}
    equal(seen, {other["id"]}, "jobs in bob's events")
    ann.call("job.cancel", id=job)
    ann.close()
    bob.close()


@test
def given_a_revoked_token_then_its_connection_is_over_too():
    daemon = Daemon(tcp=True)
    wire = hello(daemon, token_after_reload(daemon, "gone", "viewer"))
    wire.call("ping")
    lines = daemon.token_file.read_text().splitlines(True)
    daemon.token_file.write_text("".join(x for x in lines if not x.startswith("gone ")))
    daemon.process.send_signal(signal.SIGHUP)

    def is_refused():
        try:
            return "error" in wire.ask("ping")
        except (EOFError, OSError):
            return True
    until(is_refused, "the end of a revoked token")
    wire.close()


@test
def given_a_listen_address_without_a_token_file_then_the_daemon_does_not_start():
    daemon = Daemon("--listen", "127.0.0.1:1", wait=False)
    equal(daemon.wait(), 78, "exit code")
    true("token" in daemon.log(), daemon.log())


@test
def given_an_address_that_is_not_loopback_then_the_daemon_does_not_start():
    home = Daemon(tcp=True)
    daemon = Daemon("--listen", "0.0.0.0:1", "--token-file", home.token_file, wait=False)
    equal(daemon.wait(), 78, "exit code")


@test
def given_gatherctl_with_a_token_file_then_it_works_over_tcp():
    daemon = Daemon(tcp=True)
    mine = daemon.home / "mine"
    mine.write_text(daemon.token + "\n")
    done = ctl("run", '{"value": [1, "x"]}', "--json", "--connect", f"127.0.0.1:{daemon.port}",
               "--token-file", mine)
    equal(done.returncode, 0, done.stderr)
    equal(json.loads(done.stdout)["result"], [1, "x"])

    mine.write_text("gat_e2e_" + "A" * 43 + "\n")
    done = ctl("ping", "--connect", f"127.0.0.1:{daemon.port}",
               env={"GATHERD_TOKEN_FILE": str(mine)})
    equal(done.returncode, 1, done.stderr)


@test
def given_the_unix_socket_then_the_kernel_says_who_it_is():
    daemon = Daemon()
    with Wire.unix(daemon.socket) as wire:
        equal(wire.call("hello", protocol=[1])["principal"], f"uid:{os.getuid()}")
    equal(daemon.socket.stat().st_mode & 0o007, 0, "rights of others on the socket")


if __name__ == "__main__":
    run()
