#!/usr/bin/env python3
"""gatherctl run -- CMD and gatherctl log: what reaches the two streams, against a scripted daemon.

The script decides what job.log says and when the connection breaks, which no real daemon does on
demand. tests/e2e/test_command.py has the same with real commands.
"""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
from harness import PATIENCE, at_end, ctl, ctl_start, equal, run, scratch, test, true  # noqa: E402

JOB = 7
LOST = "the connection breaks here"


def piece(text, stream="stdout", path="", attempt=1, **more):
    at = {"text": text} if isinstance(text, str) else {"base64": base64.b64encode(text).decode()}
    return {"path": path, "attempt": attempt, "stream": stream, "offset": 0, **at, **more}


class Script:
    """Answers what gatherctl asks for job 7. `log` lists what the calls of job.log give, in order:
    pieces, LOST, or an Event that is waited for before the next one counts. `offset` counts them,
    so that whoever asks again from the same one gets the same again."""

    def __init__(self, log, status="completed", end=None):
        self.log = log
        self.status = status
        self.end = end
        self.asked = []
        self.cancelled = threading.Event()
        self.path = scratch() / "s"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()
        at_end(self._close)

    def _close(self):
        """The number of a closed socket is soon that of another one, on which nobody of this script
        may be left waiting."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.accepting.join()
        self.listener.close()

    def _accept(self):
        try:
            while True:
                peer, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(peer,), daemon=True).start()
        except OSError:
            pass

    def _serve(self, peer):
        with peer, peer.makefile("rb") as lines:
            for line in lines:
                request = json.loads(line)
                self.asked.append((request["method"], request["params"]))
                threading.Thread(target=self._reply, args=(peer, request), daemon=True).start()

    def _reply(self, peer, request):
        result = self._result(request["method"], request["params"])
        try:
            if result is LOST:
                peer.shutdown(socket.SHUT_RDWR)
            else:
                peer.sendall((json.dumps({"jsonrpc": "2.0", "id": request["id"],
                                          "result": result}) + "\n").encode())
        except OSError:
            pass

    def _result(self, method, params):
        if method == "job.submit":
            return {"id": JOB, "seq": 1}
        if method == "job.wait":
            return {"done": [{"id": JOB, "status": self.status}], "pending": []}
        if method == "job.cancel":
            self.cancelled.set()
            return {"id": JOB, "accepted": True}
        if method == "job.get":
            member = "result" if self.status == "completed" else "error"
            return {"id": JOB, "status": self.status, member: self.end}
        return self._pieces(int(params.get("offset", "0")))

    def _pieces(self, at):
        if at < len(self.log) and isinstance(self.log[at], threading.Event):
            self.log[at].wait(PATIENCE)
            at += 1
        if at < len(self.log) and self.log[at] is LOST:
            self.log[at] = []
            return LOST
        pieces = self.log[at] if at < len(self.log) else []
        return {"chunks": pieces, "next": str(at + 1), "eof": at + 1 >= len(self.log)}

    def ctl(self, command, *words, **more):
        return ctl(command, "--socket", self.path, *words, **more)


def shown(done, code=0):
    equal(done.returncode, code, f"exit code ({done.stderr.strip()})")
    return done.stdout, done.stderr


def exec_error(**data):
    return {"type": "ExecError", "message": "it said no", "path": "", "data": data}


@test
def given_a_command_then_each_stream_goes_where_it_belongs():
    script = Script([[piece("a\n"), piece("b\n", "stderr")], [piece("c")]], end={"code": 0})
    equal(shown(script.ctl("run", "--", "x")), ("a\nc", "b\n"))
    equal(script.asked[0][1]["spec"]["exec"], ["x"])
    true(script.asked[1][1]["follow"], script.asked)


@test
def given_output_while_it_runs_then_it_is_shown_at_once():
    goes_on = threading.Event()
    script = Script([[piece("first\n")], goes_on, [piece("second\n")]])
    process = ctl_start("run", "--socket", script.path, "--", "x")
    equal(process.stdout.readline(), "first\n")
    goes_on.set()
    equal(process.stdout.read(), "second\n")
    equal(process.wait(PATIENCE), 0, "exit code")


@test
def given_a_lost_connection_then_each_byte_still_comes_once():
    script = Script([[piece("a")], LOST, [piece("b")], LOST, [piece("c\n")]])
    equal(shown(script.ctl("run", "--", "x")), ("abc\n", ""))
    equal([int(p.get("offset", "0")) for m, p in script.asked if m == "job.log"],
          [0, 1, 1, 2, 3, 3, 4])


@test
def given_bytes_that_are_no_text_then_they_come_as_they_were():
    script = Script([[piece(b"\xff\x00\n")]])
    done = subprocess.run([os.environ.get("GATHERCTL", "./gatherctl"), "log", "--socket",
                           str(script.path), str(JOB)], capture_output=True, timeout=PATIENCE,
                          check=False)
    equal((done.returncode, done.stdout), (0, b"\xff\x00\n"))


@test
def given_a_failed_command_then_the_words_and_with_exit_code_its_own_code():
    cases = ((exec_error(code=3, signal=None), 3), (exec_error(code=None, signal=9), 137),
             (exec_error(stage="exec", errno=2), 127), (exec_error(stage="exec", errno=13), 126),
             (exec_error(stage="chdir", errno=2), 126),
             ({"type": "TimeoutError", "message": "after 1 s", "path": ""}, 124),
             ({"type": "InterruptedError", "message": "?", "path": ""}, 1))
    for error, code in cases:
        script = Script([[]], "failed", error)
        equal(shown(script.ctl("run", "--", "x"), 1)[1],
              f"gatherctl: job 7 failed: {error['type']}: {error['message']}\n")
        words = shown(script.ctl("run", "--exit-code", "--", "x"), code)[1]
        equal(words == "", code == 3, f"silence after {error}: {words}")


@test
def given_a_cancelled_job_then_the_exit_code_is_4():
    script = Script([[]], "cancelled", {"type": "CancelledError", "message": "", "path": ""})
    equal(shown(script.ctl("run", "--exit-code", "--", "x"), 4)[1],
          "gatherctl: job 7 cancelled\n")


@test
def given_ctrl_c_while_it_waits_then_the_job_is_cancelled_and_its_last_words_are_shown():
    script = Script([[piece("up\n")], None, [piece("cleaned\n")]], "cancelled",
                    {"type": "CancelledError", "message": "interrupted", "path": ""})
    script.log[1] = script.cancelled
    process = ctl_start("run", "--socket", script.path, "--", "x")
    equal(process.stdout.readline(), "up\n")
    process.send_signal(signal.SIGINT)
    equal(process.stdout.read(), "cleaned\n")
    equal(process.wait(PATIENCE), 4, "exit code")
    true("cancelling job 7" in process.stderr.read(), "words")
    equal([p["reason"] for m, p in script.asked if m == "job.cancel"], ["interrupted"])


@test
def given_a_second_ctrl_c_then_it_leaves():
    never = threading.Event()
    at_end(never.set)
    script = Script([[piece("up\n")], never, []])
    process = ctl_start("run", "--socket", script.path, "--", "x")
    equal(process.stdout.readline(), "up\n")
    process.send_signal(signal.SIGINT)
    true(script.cancelled.wait(PATIENCE), "the cancel")
    process.send_signal(signal.SIGINT)
    equal(process.wait(PATIENCE), 130, "exit code")
    true("job 7 goes on" in process.stderr.read(), "words")


@test
def given_a_flood_then_ctrl_c_is_still_seen():
    script = Script([])
    script._pieces = lambda at: {"chunks": [piece("y\n" * 1000)], "next": str(at + 1),
                                 "eof": script.cancelled.is_set()}
    process = ctl_start("run", "--socket", script.path, "--", "yes")
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.stdout.read()
    equal(process.wait(PATIENCE), 0, "exit code")
    true(script.cancelled.is_set(), "the cancel")


@test
def given_several_commands_then_log_tells_whose_output_it_is():
    script = Script([[piece("a\n", path="/0"), piece("b", path="/1")],
                     [piece("c\n", path="/1"), piece("d\n", path="/1", attempt=2)]])
    equal(shown(script.ctl("log", JOB)),
          ("a\nbc\nd\n", "==> /0 <==\n==> /1 <==\n==> /1 (attempt 2) <==\n"))
    equal(shown(script.ctl("log", JOB, "--prefix")),
          ("/0 | a\n/1 | bc\n/1 (attempt 2) | d\n", ""))


@test
def given_lines_that_mix_then_a_prefix_still_begins_each():
    script = Script([[piece("a", path="/0"), piece("b\nc", path="/1"), piece("e\n", "stderr", "/1"),
                      piece("d\n", path="/0")]])
    equal(shown(script.ctl("log", JOB, "--prefix")), ("/0 | a\n/1 | b\n/1 | c\n/0 | d\n",
                                                      "/1 | e\n"))


@test
def given_output_that_was_dropped_then_log_says_how_much():
    script = Script([[piece("end\n", skipped=4096)]])
    equal(shown(script.ctl("log", JOB)),
          ("end\n", "gatherctl: 4096 bytes of stdout are no longer kept\n"))


@test
def given_many_gaps_then_the_first_is_told_and_the_sum_of_the_others():
    script = Script([[piece("a\n", skipped=10)], [piece("b\n", skipped=20)],
                     [piece("c\n", skipped=30), piece("d\n", "stderr", skipped=5)]])
    equal(shown(script.ctl("run", "--", "x")),
          ("a\nb\nc\n", "gatherctl: 10 bytes of stdout are no longer kept\nd\n"
                        "gatherctl: 50 bytes of stdout are no longer kept\n"
                        "gatherctl: 5 bytes of stderr are no longer kept\n"))


@test
def given_a_script_then_jsonl_has_a_line_for_each_piece():
    pieces = [piece("a\n"), piece("b\n", "stderr")]
    script = Script([pieces])
    lines = shown(script.ctl("log", JOB, "--jsonl", "--path", "/1", "--stream", "stderr"))[0]
    equal([json.loads(line) for line in lines.splitlines()], pieces)
    equal(script.asked[0], ("job.log", {"id": JOB, "path": "/1", "stream": "stderr"}))


@test
def given_a_log_that_is_not_followed_then_it_ends_where_there_is_no_more_yet():
    script = Script([[piece("a\n")], [], [piece("b\n")]])
    equal(shown(script.ctl("log", JOB)), ("a\n", ""))
    equal(shown(script.ctl("log", "-f", JOB)), ("a\nb\n", ""))


@test
def given_tail_then_the_last_lines_come_and_what_follows():
    script = Script([[piece("a\nb\n")], [piece("c\n")], [], [piece("d\n")]])
    equal(shown(script.ctl("log", JOB, "--tail", "2")), ("b\nc\n", ""))
    equal(script.asked[0], ("job.log", {"id": JOB, "tail": 400}))
    equal(shown(script.ctl("log", JOB, "-f", "-n", "1")), ("c\nd\n", ""))
    equal(shown(script.ctl("log", JOB, "-n", "0", "--follow")), ("d\n", ""))


@test
def given_long_lines_then_tail_asks_for_more():
    long = "x" * 1000
    script = Script([[piece(long + "\n" + long + "\n")], []])
    script._pieces = lambda at: {
        "chunks": [] if at else [piece(f"{long}\n{long}\n"[-script.asked[-1][1]["tail"]:])],
        "next": str(at + 1), "eof": False}
    equal(shown(script.ctl("log", JOB, "-n", "1")), (long + "\n", ""))
    equal([p["tail"] for _, p in script.asked if "tail" in p], [200, 4 << 20])


@test
def given_a_reader_that_leaves_then_log_ends_without_a_word():
    script = Script([])
    script._pieces = lambda at: {"chunks": [piece("y\n" * 1000)], "next": str(at + 1), "eof": False}
    process = ctl_start("log", "--socket", script.path, "-f", JOB)
    process.stdout.readline()
    process.stdout.close()
    equal(process.wait(PATIENCE), -signal.SIGPIPE, "end")
    equal(process.stderr.read(), "")


run()
