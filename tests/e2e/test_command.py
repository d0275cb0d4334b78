#!/usr/bin/env python3
"""gatherctl run -- CMD: a command as a job, without writing JSON."""

import json
import sys

sys.dont_write_bytecode = True
from harness import Daemon, ctl, equal, run, test, true  # noqa: E402


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


run()
