#!/usr/bin/env python3
"""gatherctl run -- CMD: a command as a job, without writing JSON."""

import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
from harness import (GATHERCTL, PATIENCE, Daemon, at_end, ctl, ctl_start, equal,  # noqa: E402
                     run, scratch, test, true, until)


def output(done, code=0):
    equal(done.returncode, code, f"exit code ({done.stderr.strip()})")
    return done.stdout


def spec_of(*words, env=None, stdin=None):
    return json.loads(output(ctl("run", "--print-spec", *words, env=env, stdin=stdin)))


@test
def given_print_spec_then_the_job_is_shown_without_a_daemon():
    spec = spec_of("--timeout", "20m", "--cwd", "/tmp", "--env", "A=${b}", "--", "echo", "${c}",
                   env={"LC_ALL": "C", "PASSWORD": "hush"})
    equal(spec["exec"], ["echo", "$${c}"])
    equal((spec["title"], spec["cwd"], spec["timeout"]), ("echo '${c}'", "/tmp", "20m"))
    equal((spec["env"]["A"], spec["env"]["LC_ALL"]), ("$${b}", "C"))
    true("PASSWORD" not in spec["env"], spec)
    equal(spec, json.loads(output(ctl(
        "submit", "--print-spec", "--timeout=20m", "--cwd=/tmp", "--env=A=${b}", "--", "echo",
        "${c}", env={"LC_ALL": "C"}))), "that of submit")


@test
def given_standard_input_then_the_printed_job_has_it_as_the_default_of_its_argument():
    spec = spec_of("--stdin", "--", "cat", stdin="a ${b}\n")
    equal((spec["args"], spec["stdin"]), ({"stdin": "a ${b}\n"}, "${stdin}"))


@test
def given_words_that_do_not_fit_then_the_command_line_is_refused():
    for words in (("run", "--"), ("run", "JOB", "--", "true"), ("submit", "--arg", "a=1", "--", "x"),
                  ("run", "--pool", "p", '{"value": 1}'), ("run", "--delay", "1", "--", "x"),
                  ("run", "--env", "SURELY_NOT_SET", "--", "x")):
        done = ctl(*words, env={"GATHERD_SOCKET": "/nowhere"})
        output(done, 2)
        true(done.stderr.startswith("gatherctl: "), f"{words}: {done.stderr}")


@test
def given_a_mistake_in_an_option_then_it_is_shown_in_the_job_that_was_made():
    daemon = Daemon()
    done = daemon.ctl("submit", "--timeout", "soon", "--", "true")
    output(done, 2)
    true(done.stderr.startswith("command:1:") and '"timeout":"soon"' in done.stderr, done.stderr)


def ended(daemon, *words, code=0, **more):
    """The document about the end of a command."""
    return json.loads(output(daemon.ctl("run", "--json", *words, **more), code))


@test
def given_a_command_then_it_runs_where_and_with_what_it_would_have_here():
    daemon = Daemon()
    place = scratch()
    result = ended(daemon, "--cwd", place, "--env", "A=${b}", "--", "sh", "-c",
                   'pwd; echo "${A} $1"; echo "${HIDDEN:-none}"', "sh", "${c} $${d}",
                   env={"HIDDEN": "x"})["result"]
    equal(result["stdout"], f"{place.resolve()}\n${{b}} ${{c}} $${{d}}\nnone\n")
    job = output(daemon.ctl("submit", "--env-all", "--", "sh", "-c", "echo $HIDDEN",
                            env={"HIDDEN": "x"})).strip()
    output(daemon.ctl("wait", job))
    equal(json.loads(output(daemon.ctl("result", job)))["stdout"], "x\n")
    true("sh -c 'echo $HIDDEN'" in output(daemon.ctl("list")), "title")


@test
def given_standard_input_then_the_command_reads_exactly_that():
    daemon = Daemon()
    for text in ("", "a ${b}\n", "é" * 300000):
        result = ended(daemon, "--stdin", "--", "sha256sum", stdin=text)["result"]
        equal(result["stdout"].split()[0], hashlib.sha256(text.encode()).hexdigest())
    for data in (b"\xff\x00", bytes(range(256)) * 2000):
        done = subprocess.run([GATHERCTL, "run", "--json", "--socket", str(daemon.socket),
                               "--stdin", "--", "sha256sum"], input=data, capture_output=True,
                              timeout=PATIENCE, check=True)
        equal(json.loads(done.stdout)["result"]["stdout"].split()[0],
              hashlib.sha256(data).hexdigest())


@test
def given_input_that_no_message_holds_then_it_is_refused_in_words():
    for text in ("x" * (1 << 20), "x" * ((1 << 20) + 1), "\n" * 700000, "\0" * 900000):
        done = ctl("submit", "--stdin", "--", "cat", stdin=text, env={"GATHERD_SOCKET": "/none"})
        output(done, 2)
        true(done.stderr.startswith("gatherctl: standard input has "), done.stderr)


@test
def given_a_failure_then_retry_and_timeout_do_what_they_say():
    daemon = Daemon()
    tries = scratch() / "tries"
    shell = ("sh", "-c", 'echo >> "$1"; test $(wc -l < "$1") -ge 3', "sh", tries)
    ended(daemon, "--retry", "3", "--delay", "10ms", "--", *shell)
    tries.unlink()
    ended(daemon, "--retry", "2", "--", *shell, code=1)
    error = ended(daemon, "--timeout", "50ms", "--exit-code", "--", "sleep", "60", code=124)["error"]
    equal(error["type"], "TimeoutError")
    ended(daemon, "--exit-code", "--", "sh", "-c", "exit 7", code=7)
    ended(daemon, "--exit-code", "--", "sh", "-c", "kill -9 $$", code=137)
    ended(daemon, "--exit-code", "--", "no-such-program-at-all", code=127)
    ended(daemon, "--exit-code", "--cwd", "/no/such/place", "--", "true", code=126)


class Gate:
    """A fifo that neither side waits to open, so that a test waits only where it says so."""

    def __init__(self):
        self.path = scratch() / "gate"
        os.mkfifo(self.path)
        self.fd = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)
        at_end(lambda: os.close(self.fd))

    def write(self, text):
        os.write(self.fd, text.encode())

    def read(self, count):
        """Waits for so many bytes."""
        found = b""

        def has_come():
            nonlocal found
            try:
                found += os.read(self.fd, count - len(found))
            except BlockingIOError:
                pass
            return len(found) == count
        until(has_come, f"{count} bytes")


@test
def given_run_then_both_streams_are_shown_as_they_come_and_nothing_else():
    daemon = Daemon()
    gate = Gate()
    process = ctl_start("run", "--socket", daemon.socket, "--", "sh", "-c",
                        'echo one; echo two >&2; read line < "$1"; echo "$line"', "sh", gate.path)
    equal(process.stdout.readline(), "one\n")
    equal(process.stderr.readline(), "two\n")
    gate.write("three\n")
    equal((process.stdout.read(), process.stderr.read()), ("three\n", ""))
    equal(process.wait(PATIENCE), 0, "exit code")


@test
def given_ctrl_c_then_the_command_is_stopped_and_its_last_words_are_shown():
    daemon = Daemon()
    process = ctl_start("run", "--socket", daemon.socket, "--", "sh", "-c",
                        "trap 'echo bye; exit 0' TERM; echo $$; sleep 60 & wait")
    pid = int(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    equal(process.stdout.read(), "bye\n")
    equal(process.wait(PATIENCE), 4, "exit code")
    true(not pathlib.Path(f"/proc/{pid}").exists(), "the command is gone")


@test
def given_a_daemon_that_is_killed_then_run_shows_each_byte_once_and_the_true_end():
    daemon = Daemon()
    gate = Gate()
    process = ctl_start("run", "--exit-code", "--socket", daemon.socket, "--", "sh", "-c",
                        'seq 1000; read line < "$1"; seq 1001 2000; exit 9', "sh", gate.path)
    for number in range(1, 1001):
        equal(process.stdout.readline(), f"{number}\n")
    daemon.kill()
    gate.write("go on\n")
    daemon.start()
    equal(process.stdout.read(), "".join(f"{n}\n" for n in range(1001, 2001)))
    equal((process.wait(PATIENCE), process.stderr.read()), (9, ""))


@test
def given_a_command_that_is_over_then_log_has_what_it_printed():
    daemon = Daemon()
    job = output(daemon.ctl("submit", "--", "sh", "-c", "seq 1000; echo e >&2")).strip()
    output(daemon.ctl("wait", job))
    done = daemon.ctl("log", job)
    equal((output(done), done.stderr), ("".join(f"{n}\n" for n in range(1, 1001)), "e\n"))
    equal(output(daemon.ctl("log", "--tail", "2", "--stream", "stdout", job)), "999\n1000\n")
    equal(output(daemon.ctl("log", "--follow", "--stream", "stderr", job)), "")
    output(daemon.ctl("log", int(job) + 1000), 1)


@test
def given_log_follow_then_it_goes_on_until_the_job_is_over():
    daemon = Daemon()
    gate = Gate()
    job = output(daemon.ctl("submit", json.dumps([
        {"exec": ["sh", "-c", f"echo first; read line < {gate.path}"]}, {"exec": ["echo", "second"]}]
    ))).strip()
    process = ctl_start("log", "-f", "--prefix", "--socket", daemon.socket, job)
    equal(process.stdout.readline(), "/0 | first\n")
    gate.write("x\n")
    equal((process.stdout.read(), process.wait(PATIENCE)), ("/1 | second\n", 0))


@test
def given_a_profile_over_tcp_then_run_shows_its_output_and_raw_commands_are_refused():
    home = scratch()
    config, tokens = home / "conf", home / "mine"
    config.write_text("[exec greet]\nprogram = /bin/echo\nprefix = hello\narg = match [a-z]+\n")
    daemon = Daemon("--config", config, home=home, tcp=True)
    tokens.write_text(daemon.token)
    reach = ("--connect", f"127.0.0.1:{daemon.port}", "--token-file", tokens)
    equal(output(ctl("run", *reach, "--profile", "greet", "--", "world")), "hello world\n")
    done = ctl("run", *reach, "--profile", "greet", "--", "World")
    output(done, 2)
    true(done.stderr.startswith("command:1:") and "greet" in done.stderr, done.stderr)
    output(ctl("run", *reach, "--", "echo", "world"), 1)


@test
def given_a_pool_then_it_can_be_set_and_explain_says_who_waits_for_whom():
    daemon = Daemon()
    rows = [line.split() for line in output(daemon.ctl("pool", "set", "one", 1)).splitlines()]
    equal(rows[1:], [["one", "1", "0", "0"]])
    first = output(daemon.ctl("submit", "--pool", "one", "--", "sleep", "60")).strip()
    until(lambda: "process" in output(daemon.ctl("explain", first)), "the first one runs")
    second = output(daemon.ctl("submit", "--pool", "one", "--priority", "3", "--", "sleep",
                               "60")).strip()
    reason = until(lambda: output(daemon.ctl("explain", second)), "a reason")
    true('"one"' in reason and f"job {first}" in reason, reason)
    why = json.loads(output(daemon.ctl("explain", "--json", second)))
    equal((why["waits"][0]["kind"], why["waits"][0]["holders"][0]["job"]), ("pool", int(first)))
    rows = [line.split() for line in output(daemon.ctl("pool")).splitlines()]
    equal(rows[1], ["one", "1", "1", "1"])
    equal((rows[-1][0], int(rows[-1][1]) > 0), ("(others)", True))
    equal(output(daemon.ctl("get", second)).count("priority   3\n"), 1)
    output(daemon.ctl("pool", "set", "one", "2"))
    until(lambda: "process" in output(daemon.ctl("explain", second)), "the second one runs")
    output(daemon.ctl("pool", "set", "one", "usual"))
    equal(json.loads(output(daemon.ctl("pool", "--json")))[0]["held"], 2)
    output(daemon.ctl("pool", "set", "one", "many"), 2)
    output(daemon.ctl("semaphore", "set", "s", "usual"), 2)
    output(daemon.ctl("cancel", first, second))
    output(daemon.ctl("wait", first, second), 4)


@test
def given_a_held_command_then_resume_says_how_it_goes_on():
    daemon = Daemon()
    marks = Gate()
    jobs = [output(daemon.ctl("submit", "--on-interrupt", "hold", "--", "sh", "-c",
                              'test "${GATHERD_ATTEMPT_KEY##*-}" = 2 && exit; echo > "$1"; sleep 60',
                              "sh", marks.path)).strip() for _ in range(2)]
    marks.read(len(jobs))
    daemon.kill()
    os.kill(daemon.runner(), signal.SIGKILL)
    daemon.start()
    for job in jobs:
        until(lambda job=job: "held" in output(daemon.ctl("stack", job)), "it is held")
        true("job.resume" in output(daemon.ctl("explain", job)), "what to do")
    equal(output(daemon.ctl("resume", jobs[0])).split(), [jobs[0], "resumed", "1"])
    output(daemon.ctl("wait", jobs[0]))
    output(daemon.ctl("resume", "--fail", jobs[1]))
    output(daemon.ctl("wait", jobs[1]), 1)
    true("InterruptedError" in output(daemon.ctl("get", jobs[1])), "the error")
    output(daemon.ctl("resume", jobs[1]), 1)


run()
