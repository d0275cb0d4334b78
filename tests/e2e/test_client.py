#!/usr/bin/env python3
"""gatherctl as a person or a script meets it: output, exit codes, Ctrl-C."""

import json
import signal
import sys

sys.dont_write_bytecode = True
from harness import Daemon, ctl, ctl_start, equal, run, scratch, test, true, until  # noqa: E402


FAILING = '{"args": {"z": 0}, "do": {"value": "${1 // z}"}}'
MAKES_LARGE = """{"return": ["${'0123456789' * 30000}", {"a": 1}]}"""
LARGE = ["0123456789" * 30000, {"a": 1}]


def output(done, code=0):
    equal(done.returncode, code, f"exit code ({done.stderr.strip()})")
    return done.stdout


@test
def given_each_end_of_a_job_then_run_has_its_exit_code():
    daemon = Daemon()
    output(daemon.ctl("run", '{"value": 1}'), 0)
    output(daemon.ctl("run", FAILING), 1)
    output(daemon.ctl("run", '{"slep": 1}'), 2)
    output(daemon.ctl("run", '{"sleep": 3600}', "--timeout", "0.02"), 124)
    output(daemon.ctl("run"), 2)
    output(daemon.ctl("fly"), 2)
    output(daemon.ctl("run", '{"value": 1}', "--jsn"), 2)
    output(ctl("ping", "--socket", scratch() / "none"), 3)


@test
def given_a_cancel_from_elsewhere_then_run_exits_4():
    daemon = Daemon()
    process = ctl_start("run", "--socket", daemon.socket, '{"sleep": 3600}', "--jsonl")
    job = json.loads(process.stdout.readline())["job"]
    output(daemon.ctl("cancel", job, "--reason", "enough"))
    equal(process.wait(), 4, "exit code")


@test
def given_ctrl_c_then_the_job_is_cancelled_and_its_end_is_seen():
    daemon = Daemon()
    process = ctl_start("run", "--socket", daemon.socket, '{"sleep": 3600}', "--jsonl")
    job = json.loads(process.stdout.readline())["job"]
    process.send_signal(signal.SIGINT)
    last = [json.loads(line) for line in process.stdout][-1]
    equal((last["kind"], last["job"]), ("job.cancelled", job))
    equal(process.wait(), 4, "exit code")
    true(f"cancelling job {job}" in process.stderr.read(), "words")


@test
def given_ctrl_c_twice_without_a_daemon_then_it_leaves_at_once():
    daemon = Daemon()
    process = ctl_start("run", "--socket", daemon.socket, '{"sleep": 3600}', "--jsonl")
    process.stdout.readline()
    daemon.kill()

    def interrupt():
        process.send_signal(signal.SIGINT)
        return process.poll() is not None
    until(interrupt, "the end")
    equal(process.wait(), 130, "exit code")


@test
def given_a_person_then_run_shows_offsets_kinds_and_the_result():
    daemon = Daemon()
    shown = output(daemon.ctl("run", '[{"yield": "one"}, {"sleep": 0.02}, {"yield": {"a": 0.1}},'
                                     ' {"return": [1, 2]}]'))
    lines = shown.splitlines()
    true(lines[1].endswith("job.started"), shown)
    equal(lines[2].split(), ["+0.000s", "yield", "/0", '"one"'])
    equal(lines[3].split(), ["+0.020s", "yield", "/2", '{"a":0.1}'])
    equal(lines[4].split(), ["+0.020s", "job.completed"])
    equal(json.loads("".join(lines[5:])), [1, 2])
    true("\033" not in shown, "colour without a terminal")


@test
def given_a_script_then_json_is_one_document_and_jsonl_a_line_for_each_event():
    daemon = Daemon()
    done = json.loads(output(daemon.ctl("run", '{"value": 0.1}', "--json")))
    equal((done["status"], done["result"]), ("completed", 0.1))
    failed = json.loads(output(daemon.ctl("run", FAILING, "--json"), 1))
    equal((failed["status"], failed["error"]["type"]), ("failed", "ZeroDivisionError"))
    lines = output(daemon.ctl("run", '{"value": 1}', "--jsonl")).splitlines()
    equal([json.loads(x)["kind"] for x in lines], ["job.queued", "job.started", "job.completed"])


@test
def given_a_file_or_standard_input_then_the_job_comes_from_there():
    daemon = Daemon()
    path = scratch() / "job.json"
    path.write_text('{"args": {"n": 1, "t": ""},\n "do": {"return": ["${n}", "${t}"]}}\n')
    words = ("--json", "--arg", "n=[1, 2]", "--arg", "t=plain text")
    for operand, text in ((path, None), ("-", path.read_text())):
        done = json.loads(output(daemon.ctl("run", operand, *words, stdin=text)))
        equal(done["result"], [[1, 2], "plain text"])
    output(daemon.ctl("run", path.parent / "none.json"), 2)


@test
def given_mistakes_in_a_job_then_each_is_shown_in_its_line():
    daemon = Daemon()
    path = scratch() / "job.json"
    path.write_text('{"do": [\n  {"sleep": 1},\n  {"slep": 3}\n]}\n')
    for command in ("run", "submit", "validate"):
        done = daemon.ctl(command, path)
        output(done, 2)
        lines = done.stderr.splitlines()
        true(lines[0].startswith(f"{path}:3:4: "), done.stderr)
        true('"slep"' in lines[0] and '"sleep"' in lines[0], done.stderr)
        equal(lines[1].strip(), '{"slep": 3}')
        equal(lines[2].index("^"), lines[1].index('"slep"'), "column of the caret")
    path.write_text('{"do": [\n  {"sleep": 1,}\n]}\n')
    done = daemon.ctl("validate", path)
    output(done, 2)
    true(done.stderr.startswith(f"{path}:2:"), done.stderr)
    output(daemon.ctl("validate", '{"sleep": 1}'))


@test
def given_submit_then_the_other_commands_find_the_job():
    daemon = Daemon()
    job = output(daemon.ctl("submit", '{"sleep": 3600}', "--title", "long", "--label",
                            "x")).strip()
    true("running" in output(daemon.ctl("get", job)), "get")
    equal(json.loads(output(daemon.ctl("get", job, "--json")))["labels"], ["x"])
    rows = output(daemon.ctl("list", "--status", "running", "--label", "x")).splitlines()
    equal(rows[0].split(), ["ID", "STATUS", "SUBMITTED", "TOOK", "TITLE"])
    equal((rows[1].split()[0], rows[1].split()[-1]), (job, "long"))
    equal(len(rows), 2)
    true("sleep" in output(daemon.ctl("stack", job)), "stack")
    output(daemon.ctl("result", job), 1)
    output(daemon.ctl("wait", job, "--timeout", "0.01"), 124)
    output(daemon.ctl("delete", job), 1)
    equal(output(daemon.ctl("cancel", job)).split()[0], job)
    output(daemon.ctl("wait", job), 4)
    output(daemon.ctl("result", job), 4)
    kinds = [json.loads(x)["kind"] for x in
             output(daemon.ctl("events", job, "--follow", "--jsonl")).splitlines()]
    equal((kinds[0], kinds[-1]), ("job.queued", "job.cancelled"))
    true("job.cancelled" in output(daemon.ctl("events", job)), "events")
    output(daemon.ctl("delete", job))
    output(daemon.ctl("get", job), 1)


@test
def given_jobs_that_ended_in_each_way_then_wait_says_the_worst():
    daemon = Daemon()
    good = output(daemon.ctl("submit", '{"value": 1}')).strip()
    bad = output(daemon.ctl("submit", FAILING)).strip()
    long = output(daemon.ctl("submit", '{"sleep": 3600}')).strip()
    equal(output(daemon.ctl("wait", good)).split(), [good, "completed"])
    output(daemon.ctl("wait", good, bad), 1)
    output(daemon.ctl("wait", good, long, "--any"), 0)
    output(daemon.ctl("wait", "x"), 2)


@test
def given_a_large_result_then_run_and_result_give_all_of_it():
    daemon = Daemon()
    done = json.loads(output(daemon.ctl("run", MAKES_LARGE,
                                        "--json")))
    equal(done["result"], LARGE)
    equal(json.loads(output(daemon.ctl("result", done["id"]))), LARGE)


@test
def given_a_title_with_escapes_then_the_terminal_never_sees_them():
    daemon = Daemon()
    output(daemon.ctl("run", '{"value": "\\u001b[2J"}', "--title", "\033]0;owned\a"))
    true("\033" not in output(daemon.ctl("list")), "list")
    true("\033" not in output(daemon.ctl("run", '{"yield": "\\u001b[2J\\u009b"}')), "run")


@test
def given_the_environment_then_it_names_the_socket():
    daemon = Daemon()
    env = {"GATHERD_SOCKET": str(daemon.socket)}
    true(output(ctl("ping", env=env)).startswith("alive"), "ping")
    info = json.loads(output(ctl("info", "--json", env=env)))
    true("jobs" in info, info)


@test
def given_help_then_every_command_explains_itself():
    names = [line.split()[0] for line in output(ctl("--help")).splitlines()
             if line.startswith("  ") and not line.startswith("  -") and line[2] != " "]
    equal(len(set(names)), 22, f"commands: {names}")
    for name in names:
        text = output(ctl(name, "--help"))
        true(text.startswith(f"usage: gatherctl {name}") and "--help" in text, text)
        equal(text.count("usage: "), names.count(name), f"forms of {name}")
    true(output(ctl("--version")).startswith("gatherctl "), "version")


@test
def given_a_daemon_that_restarts_then_wait_goes_on():
    daemon = Daemon()
    job = output(daemon.ctl("submit", '{"sleep": 0.3}')).strip()
    process = ctl_start("wait", "--socket", daemon.socket, job)
    with daemon.wire() as wire:
        until(lambda: wire.call("server.info").get("connections", 2) >= 2, "the waiting client")
    daemon.kill()
    daemon.start()
    equal(process.wait(), 0, "exit code")


if __name__ == "__main__":
    run()
