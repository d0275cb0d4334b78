#!/usr/bin/env python3
"""job.log: what commands have printed, while they run and after."""

import base64
import json
import os
import signal
import sys

sys.dont_write_bytecode = True
from harness import Daemon, Refused, at_end, equal, run, scratch, test, true, until  # noqa: E402


def start(*flags, **more):
    daemon = Daemon(*flags, home=scratch(), **more)

    def end():
        try:
            os.kill(int((daemon.state / "runner" / "lock").read_text()), signal.SIGTERM)
        except (OSError, ValueError):
            pass
    at_end(end)
    return daemon


def sh(script):
    return {"exec": ["sh", "-c", script]}


def finish(wire, id_):
    true(wire.call("job.wait", ids=[id_], timeout=30)["done"], f"job {id_} does not end")


def data(chunk):
    if "text" in chunk:
        return chunk["text"].encode()
    return base64.b64decode(chunk["base64"]) if "base64" in chunk else b""


def whole(wire, id_, **more):
    """Every chunk of it, as it is now."""
    chunks = []
    while True:
        got = wire.call("job.log", id=id_, **more)
        chunks += got["chunks"]
        if got["eof"] or not got["chunks"]:
            return chunks
        more.pop("tail", None)
        more["offset"] = got["next"]


def follow(wire, id_, on_chunk=lambda chunk: None, **more):
    """Every chunk of it, until it is over."""
    chunks, calls = [], 0
    while True:
        got = wire.call("job.log", id=id_, follow=True, **more)
        calls += 1
        for chunk in got["chunks"]:
            chunks.append(chunk)
            on_chunk(chunk)
        if got["eof"]:
            return chunks, calls
        true(got["chunks"], "an answer without news")
        more["offset"] = got["next"]


def bytes_of(chunks, stream=None):
    return b"".join(data(c) for c in chunks if stream in (None, c.get("stream")))


@test
def given_a_command_that_has_ended_then_both_streams_are_there_in_their_order():
    daemon = start()
    with daemon.wire() as wire:
        id_ = wire.call("job.submit", spec=sh("echo one; sleep 0.05; echo two >&2; sleep 0.05; echo three"))["id"]
        finish(wire, id_)
        chunks = whole(wire, id_)
        equal([(c["stream"], c["text"], c["offset"]) for c in chunks],
              [("stdout", "one\n", 0), ("stderr", "two\n", 4), ("stdout", "three\n", 8)])
        equal((chunks[0]["path"], chunks[0]["attempt"]), ("", 1))
        equal(bytes_of(whole(wire, id_, stream="stderr")), b"two\n")
        equal(bytes_of(whole(wire, id_, stream="stdout", offset=5)), b"hree\n")
        equal(bytes_of(whole(wire, id_, tail=6)), b"three\n")
        equal(wire.call("job.log", id=id_)["eof"], True)


@test
def given_several_commands_then_they_come_in_the_order_of_their_begin():
    daemon = start()
    with daemon.wire() as wire:
        spec = [sh("echo first"), {"gather": {"a": sh("echo a"), "b": [{"sleep": 0.05}, sh("echo b")]}},
                sh("exit 0"), sh("echo last")]
        id_ = wire.call("job.submit", spec=spec)["id"]
        finish(wire, id_)
        chunks = whole(wire, id_)
        equal([c["text"] for c in chunks], ["first\n", "a\n", "b\n", "last\n"])
        equal(chunks[1]["path"], "/1/gather/a")
        equal(bytes_of(whole(wire, id_, path="/1/gather/a")), b"a\n")
        equal(bytes_of(whole(wire, id_, tail=3)), b"st\n")
        equal(wire.call("job.log", id=id_, path="/9"), {"chunks": [], "next": "0-0-0-0", "eof": True})


@test
def given_a_job_that_runs_when_followed_then_output_comes_at_once_and_ends_with_it():
    for loops in ("1", "3"):
        daemon = start("--loops", loops)
        gate = scratch() / "gate"
        with daemon.wire() as wire, daemon.wire() as other:
            script = f"echo begun; while [ ! -e {gate} ]; do sleep 0.01; done; echo more; exit 3"
            for loop in range(int(loops)):
                gate.unlink(missing_ok=True)
                id_ = other.call("job.submit", spec=[sh(script), sh("echo never")], loop=loop)["id"]
                chunks, calls = follow(wire, id_, lambda c: gate.touch())
                equal(bytes_of(chunks), b"begun\nmore\n")
                true(calls <= 4, f"{calls} calls")


@test
def given_followers_before_the_command_begins_then_each_gets_all_and_a_path_ends_with_its_command():
    daemon = start("--loops", "2")
    gate = scratch() / "gate"
    wires = [daemon.wire() for _ in range(6)]
    spec = [{"sleep": 0.05}, sh("echo a; sleep 0.05; echo b >&2"),
            sh(f"while [ ! -e {gate} ]; do sleep 0.01; done; echo c")]
    id_ = wires[0].call("job.submit", spec=spec)["id"]
    calls = [wire.request("job.log", id=id_, follow=True) for wire in wires]
    for wire, call in zip(wires, calls):
        got = wire.reply(call)["result"]
        true(bytes_of(got["chunks"]).startswith(b"a\n"), got)
    chunks, _ = follow(wires[1], id_, path="/1")
    equal(bytes_of(chunks), b"a\nb\n")
    waiting = [wire.request("job.log", id=id_, follow=True, path="/2") for wire in wires]
    wires[5].close()  # who goes away leaves nothing behind
    gate.touch()
    for wire, call in zip(wires[:5], waiting):
        equal(bytes_of(wire.reply(call)["result"]["chunks"]), b"c\n")
    for wire in wires[:5]:
        wire.close()


@test
def given_a_call_that_is_cancelled_while_it_waits_then_it_is_answered():
    daemon = start("--loops", "2")
    with daemon.wire() as wire:
        for loop in range(2):
            id_ = wire.call("job.submit", spec=sh("sleep 30"), loop=loop)["id"]
            call = wire.request("job.log", id=id_, follow=True)
            wire.call("ping")
            wire.send(json.dumps({"jsonrpc": "2.0", "method": "$/cancelRequest",
                                  "params": {"id": call}}) + "\n")
            equal(wire.reply(call)["error"]["code"], -32800)
            wire.call("job.cancel", id=id_)


@test
def given_a_daemon_that_stops_while_followers_wait_then_it_ends_in_order():
    daemon = start("--loops", "3")
    wires = [daemon.wire() for _ in range(6)]
    ids = [wires[0].call("job.submit", spec=sh("echo x; sleep 30"), loop=loop)["id"]
           for loop in (1, 2, 0)]  # the last one may wait for its turn until then
    for number, wire in enumerate(wires):
        id_ = ids[number % 2]
        got = wire.call("job.log", id=id_, follow=True)
        wire.request("job.log", id=id_, follow=True, offset=got["next"])
        wire.request("job.log", id=ids[2], follow=True)
        wire.call("ping")
    equal(daemon.stop(), 0)
    for wire in wires:
        wire.close()


@test
def given_somebody_else_over_tcp_then_they_see_their_own_jobs_only():
    daemon = start(tcp=True, token="submitter")
    with daemon.wire() as mine, daemon.tcp_wire() as wire:
        id_ = mine.call("job.submit", spec=sh("echo secret"))["id"]
        for follow_ in (False, True):
            try:
                wire.call("job.log", id=id_, follow=follow_)
                true(False, "it is seen")
            except Refused as error:
                equal(error.type, "NotFound")
        own = wire.call("job.submit", spec={"value": 1})["id"]
        equal(wire.call("job.log", id=own, follow=True)["eof"], True)
    daemon.token = daemon.new_token("viewer", "viewer")
    os.kill(daemon.process.pid, signal.SIGHUP)

    def seen():
        try:
            with daemon.tcp_wire() as wire:
                return follow(wire, id_)[0]
        except Refused:
            return None
    equal(bytes_of(until(seen, "the viewer's token")), b"secret\n")


@test
def given_bytes_that_are_no_text_then_they_come_as_base64_and_no_character_is_cut():
    daemon = start()
    with daemon.wire() as wire:
        id_ = wire.call("job.submit", spec=sh(r"printf 'a\377\000b'"))["id"]
        finish(wire, id_)
        (chunk,) = whole(wire, id_)
        true("base64" in chunk, chunk)
        equal(data(chunk), b"a\xff\0b")
        id_ = wire.call("job.submit", spec={"exec": ["python3", "-c", "print('xäöü世' * 40000)"]})["id"]
        finish(wire, id_)
        chunks = whole(wire, id_)
        true(len(chunks) > 3 and all("text" in c for c in chunks), [list(c) for c in chunks])
        equal(bytes_of(chunks).decode(), "xäöü世" * 40000 + "\n")
        (chunk,) = whole(wire, id_, tail=3)
        equal(chunk["text"], "\n")
        halves = r"printf '\303'; sleep 0.1; printf '\244\n'; printf '\303'"
        id_ = wire.call("job.submit", spec=sh(halves))["id"]
        chunks, _ = follow(wire, id_)
        equal([c.get("text", c.get("base64")) for c in chunks], ["ä\n", "ww=="])


@test
def given_5_mib_of_output_then_the_end_is_kept_and_the_rest_told_as_skipped():
    daemon = start()
    with daemon.wire() as wire:
        script = "import sys\nfor i in range(655360): sys.stdout.write('%07d\\n' % i)"
        id_ = wire.call("job.submit", spec={"exec": ["python3", "-c", script]})["id"]
        finish(wire, id_)
        chunks = whole(wire, id_)
        kept = bytes_of(chunks)
        true((1 << 20) <= len(kept) < (2 << 20), f"{len(kept)} bytes")
        equal(chunks[0]["skipped"] + len(kept), 5 << 20)
        true(kept.endswith(b"0655359\n"), kept[-20:])
        equal(chunks[0]["offset"], chunks[0]["skipped"])
        equal(bytes_of(whole(wire, id_, tail=16)), b"0655358\n0655359\n")
        got = wire.call("job.log", id=id_)
        true(len(json.dumps(got)) < 256 << 10, "a line is too long")


@test
def given_a_daemon_that_is_killed_or_stopped_then_the_output_stays_and_goes_on():
    daemon = start()
    gate = scratch() / "gate"
    with daemon.wire() as wire:
        old = wire.call("job.submit", spec=sh("echo before"))["id"]
        finish(wire, old)
        id_ = wire.call("job.submit", spec=sh(f"echo one; while [ ! -e {gate} ]; do sleep 0.01; done; echo two"))["id"]
        equal(bytes_of(wire.call("job.log", id=id_, follow=True)["chunks"]), b"one\n")
    daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        equal(bytes_of(whole(wire, old)), b"before\n")
        chunks, _ = follow(wire, id_, lambda c: gate.touch())
        equal(bytes_of(chunks), b"one\ntwo\n")
    daemon.stop()
    daemon.start()
    with daemon.wire() as wire:
        equal(bytes_of(whole(wire, id_)), b"one\ntwo\n")
        equal(bytes_of(whole(wire, old)), b"before\n")
        until(lambda: not list((daemon.state / "runner").glob("*.out")), "the runner lets go")


@test
def given_a_deleted_job_then_it_is_not_found_and_its_files_leave():
    daemon = start()
    with daemon.wire() as wire:
        id_ = wire.call("job.submit", spec=sh("echo x; echo y >&2"))["id"]
        finish(wire, id_)
        until(lambda: len(list((daemon.state / "output").glob(f"{id_}-*"))) == 2, "kept")
        wire.call("job.delete", id=id_)
        try:
            wire.call("job.log", id=id_)
            true(False, "a deleted job has a log")
        except Refused as error:
            equal(error.type, "NotFound")
        until(lambda: not list((daemon.state / "output").glob(f"{id_}-*")), "gone")


@test
def given_too_much_output_then_that_of_the_longest_ended_is_told_as_expired():
    daemon = start("--keep-output-mib", "1")
    with daemon.wire() as wire:
        ids = []
        for _ in range(6):
            ids.append(wire.call("job.submit", spec=sh("head -c 300000 /dev/zero | tr '\\0' x"))["id"])
            finish(wire, ids[-1])
        until(lambda: "expired" in (whole(wire, ids[0]) or [{}])[0], "the first to leave")
        equal(whole(wire, ids[0]), [{"path": "", "attempt": 1, "expired": True}])
        equal(len(bytes_of(whole(wire, ids[-1]))), 300000)


@test
def given_wrong_offsets_then_they_are_refused():
    daemon = start()
    with daemon.wire() as wire:
        id_ = wire.call("job.submit", spec={"value": 1})["id"]
        finish(wire, id_)
        equal(wire.call("job.log", id=id_, follow=True), {"chunks": [], "next": "0-0-0-0", "eof": True})
        for more in ({"offset": -1}, {"offset": "x"}, {"offset": "1-2-3-4 "}, {"offset": 1.5}, {"offset": 0, "tail": 1}, {"stream": "all"}):
            try:
                wire.call("job.log", id=id_, **more)
                true(False, f"{more} is taken")
            except Refused as error:
                equal(error.type, "InvalidParams")


if __name__ == "__main__":
    run()
