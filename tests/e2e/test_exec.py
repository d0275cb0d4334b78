"""Commands: what a job gets of them, and what becomes of them when the daemon or the runner dies."""

import json
import os
import pathlib
import signal

from harness import GATHERD, Daemon, equal, is_end, run, scratch, test, true, until


def finish(daemon, id_):
    with daemon.wire() as wire:
        true(wire.call("job.wait", ids=[id_], timeout=30)["done"], f"job {id_} does not end")
        job = wire.call("job.get", id=id_, include=["result"])
        return job["status"], job.get("result", job.get("error"))


def submit(daemon, spec, **more):
    with daemon.wire() as wire:
        return wire.call("job.submit", spec=spec, **more)["id"]


def has_ended(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def pid_in(path):
    return until(lambda: path.exists() and path.read_text().strip(), f"{path}")


def waits_for(path):
    """A command that tells its pid and ends when PATH.go is there, with 7."""
    return ["sh", "-c", f"echo $$ >{path}.new; mv {path}.new {path}; echo said; "
                        f"while [ ! -e {path}.go ]; do sleep 0.01; done; exit 7"]


@test
def given_a_command_then_its_outcome_is_the_result():
    daemon = Daemon()
    for spec, wanted in [
            ({"exec": ["echo", "hi"]},
             ("completed", {"code": 0, "signal": None, "stdout": "hi\n", "stderr": ""})),
            ({"exec": ["sh", "-c", "tr a-z A-Z; echo x >&2; exit 3"], "stdin": "in", "check": False},
             ("completed", {"code": 3, "signal": None, "stdout": "IN", "stderr": "x\n"})),
            ({"exec": ["sh", "-c", "kill -SEGV $$"], "check": False},
             ("completed", {"code": None, "signal": 11, "stdout": "", "stderr": ""})),
            ({"exec": ["printf", "\\377"]},
             ("completed", {"code": 0, "signal": None, "stdout": {"base64": "/w=="}, "stderr": ""})),
            ({"exec": ["cat"], "stdin": {"base64": "AAE="}},
             ("completed", {"code": 0, "signal": None, "stdout": {"base64": "AAE="}, "stderr": ""})),
            ({"exec": ["sh", "-c", "echo out; echo err >&2"], "stdout": "DEVNULL"},
             ("completed", {"code": 0, "signal": None, "stdout": "", "stderr": "err\n"})),
            ({"exec": ["sh", "-c", "for i in 1 2 3; do echo out$i; echo err$i >&2; done"],
              "stderr": "STDOUT"},
             ("completed", {"code": 0, "signal": None, "stderr": "",
                            "stdout": "out1\nerr1\nout2\nerr2\nout3\nerr3\n"})),
            ({"exec": ["sh", "-c", "pwd; echo $A"], "cwd": "/usr", "env": {"A": "b"}},
             ("completed", {"code": 0, "signal": None, "stdout": "/usr\nb\n", "stderr": ""}))]:
        equal(finish(daemon, submit(daemon, spec)), wanted, json.dumps(spec))


@test
def given_a_command_that_cannot_be_started_then_stage_and_errno_are_told_and_127_is_another_thing():
    daemon = Daemon()
    plain = daemon.home / "plain"
    plain.write_text("no program")
    bad = daemon.home / "bad"
    bad.write_text("#!/no/such/interpreter\n")
    bad.chmod(0o755)
    for spec, stage, number in [
            ({"exec": ["/no/such/program"]}, "exec", 2),
            ({"exec": [str(plain)]}, "exec", 13),
            ({"exec": [str(bad)]}, "interpreter", 2),
            ({"exec": ["true"], "cwd": "/no/such/directory"}, "cwd", 2)]:
        status, error = finish(daemon, submit(daemon, dict(spec, check=False)))
        equal((status, error["type"], error["data"]["stage"], error["data"]["errno"]),
              ("failed", "ExecError", stage, number), json.dumps(spec))
    status, error = finish(daemon, submit(daemon, {"exec": ["sh", "-c", "exit 127"]}))
    equal((status, error["type"], error["data"]["code"]), ("failed", "ExecError", 127))


@test
def given_much_output_then_the_tail_is_kept_and_it_says_truncated():
    daemon = Daemon()
    status, result = finish(daemon, submit(
        daemon, [{"exec": ["seq", "1", "300000"], "as": "r"},
                 {"return": ["${r.truncated}", "${len(r.stdout)}", "${r.stdout[-14:]}"]}]))
    equal((status, result), ("completed", [True, 256 * 1024, "299999\n300000\n"]))


@test
def given_a_grandchild_that_holds_the_pipe_then_the_result_comes_at_once():
    daemon = Daemon()
    status, result = finish(daemon, submit(daemon, {
        "exec": ["sh", "-c", "sleep 60 & echo $!"], "timeout": "20s"}))
    equal(status, "completed")
    pid = int(result["stdout"])
    until(lambda: has_ended(pid), f"process {pid} of a job that is over ends")


@test
def given_lines_then_they_come_while_the_command_runs_and_a_slow_job_holds_it_up():
    daemon = Daemon()
    go = daemon.home / "go"
    with daemon.wire() as wire:
        wire.request("job.run", spec={"async_for": {"yield": "lines", "exec": [
            "sh", "-c", f"echo one; while [ ! -e {go} ]; do sleep 0.01; done; echo two; printf three"]},
            "as": "l", "do": {"yield": "${l}"}}, stream="s")
        seen = []
        while not seen or not is_end(seen[-1]):
            seen.append(wire.event())
            if seen[-1]["kind"] == "yield":
                go.touch()
    equal([e["data"] for e in seen if e["kind"] == "yield"], ["one", "two", "three"])
    equal(finish(daemon, submit(daemon, {"async_for": {"exec": ["seq", "1", "30000"],
                                                       "yield": "lines", "check": False},
                                         "as": "l", "do": {"value": "${len(l)}"}}))[0], "completed")
    status, result = finish(daemon, submit(daemon, [
        {"async_for": {"exec": ["yes"], "yield": "lines"}, "as": "l",
         "do": [{"raise": "Enough"}]}]))
    equal((status, result["type"]), ("failed", "Enough"))


@test
def given_a_race_with_finally_then_the_loser_is_gone_before_the_job_is_over():
    daemon = Daemon()
    slow = daemon.home / "slow"
    status, result = finish(daemon, submit(daemon, {"race": {
        "quick": {"exec": ["sh", "-c", f"while [ ! -e {slow} ]; do sleep 0.01; done"]},
        "slow": {"try": {"exec": ["sh", "-c", f"trap '' TERM; echo $$ >{slow}.new; "
                                  f"mv {slow}.new {slow}; setsid sleep 61 & sleep 62"],
                         "grace": "50ms"},
                 "finally": {"exec": ["sh", "-c", f"echo tidy >{slow}.tidy"]}}}}))
    equal((status, result["name"]), ("completed", "quick"))
    true(has_ended(int(slow.read_text())), "the loser still runs")
    equal(pathlib.Path(f"{slow}.tidy").read_text(), "tidy\n")


@test
def given_a_timeout_then_it_is_stopped_and_what_it_said_is_told():
    daemon = Daemon()
    status, error = finish(daemon, submit(daemon, {
        "exec": ["sh", "-c", "echo so far; exec sleep 60"], "timeout": "300ms"}))
    equal((status, error["type"], error["data"]["stdout"]), ("failed", "TimeoutError", "so far\n"))


@test
def given_kill_9_of_the_daemon_while_commands_run_then_they_are_adopted():
    daemon = Daemon()
    running, ended = daemon.home / "running", daemon.home / "ended"
    ids = [submit(daemon, {"exec": waits_for(p), "check": False}, key=str(p))
           for p in (running, ended)]
    pids = [pid_in(p) for p in (running, ended)]
    daemon.kill()
    pathlib.Path(f"{ended}.go").touch()
    until(lambda: has_ended(pids[1]), "the command ends without the daemon")
    daemon.start()
    equal(finish(daemon, ids[1]),
          ("completed", {"code": 7, "signal": None, "stdout": "said\n", "stderr": ""}))
    true(not has_ended(pids[0]), "the other one goes on")
    pathlib.Path(f"{running}.go").touch()
    equal(finish(daemon, ids[0]),
          ("completed", {"code": 7, "signal": None, "stdout": "said\n", "stderr": ""}))


@test
def given_lines_when_the_daemon_is_killed_then_none_is_missing_and_none_comes_twice():
    daemon = Daemon()
    go = daemon.home / "go"
    id_ = submit(daemon, {"async_for": {"yield": "lines", "exec": [
        "sh", "-c", f"seq 1 5000; while [ ! -e {go} ]; do sleep 0.01; done; seq 5001 9000"]},
        "as": "l", "do": {"value": "${int(l)}"}})

    def inputs():
        with daemon.wire() as wire:
            return "exec" in json.dumps(wire.call("job.stack", id=id_))
    until(inputs, "it runs")
    daemon.kill()
    daemon.start()
    go.touch()
    equal(finish(daemon, id_), ("completed", list(range(1, 9001))))


@test
def given_the_runner_is_killed_then_by_policy():
    daemon = Daemon("--loops", "2")
    specs = {then: {"exec": waits_for(daemon.home / then), "check": False, "on_interrupt": then,
                    "pool": then} for then in ("fail", "retry", "hold")}
    ids = {then: submit(daemon, spec) for then, spec in specs.items()}
    pids = {then: pid_in(daemon.home / then) for then in specs}
    (daemon.home / "retry").unlink()
    old = daemon.runner()
    os.kill(old, signal.SIGKILL)
    status, error = finish(daemon, ids["fail"])
    equal((status, error["type"]), ("failed", "InterruptedError"))
    for then, pid in pids.items():
        until(lambda p=pid: has_ended(p), f"what {then} has left ends")
    pid_in(daemon.home / "retry")
    (daemon.home / "retry.go").touch()
    equal(finish(daemon, ids["retry"])[1]["code"], 7)
    with daemon.wire() as wire:
        equal(wire.call("job.get", id=ids["hold"])["status"], "running")
        wire.call("job.cancel", id=ids["hold"])
    equal(finish(daemon, ids["hold"])[0], "cancelled")


@test
def given_daemon_and_runner_are_killed_then_nothing_runs_twice_and_nobody_invents_an_exit():
    daemon = Daemon()
    path = daemon.home / "both"
    id_ = submit(daemon, {"exec": waits_for(path), "check": False})
    pid = pid_in(path)
    daemon.kill()
    os.kill(daemon.runner(), signal.SIGKILL)
    daemon.start()
    status, error = finish(daemon, id_)
    equal((status, error["type"]), ("failed", "InterruptedError"))
    until(lambda: has_ended(pid), "what was left behind ends")


@test
def given_a_deadline_that_passed_while_the_daemon_was_down_then_what_ended_in_time_has_ended_in_time():
    daemon = Daemon()
    path = daemon.home / "intime"
    id_ = submit(daemon, {"exec": waits_for(path), "check": False, "timeout": "700ms"})
    pid = pid_in(path)
    daemon.kill()
    pathlib.Path(f"{path}.go").touch()
    until(lambda: has_ended(pid), "the command ends without the daemon")
    late = pathlib.Path(f"{path}.late")
    os.spawnlp(os.P_WAIT, "sleep", "sleep", "0.8")  # the deadline is of the daemon's own clock
    late.touch()
    daemon.start()
    equal(finish(daemon, id_)[1]["code"], 7)


@test
def given_a_stop_then_commands_go_on_and_the_next_daemon_has_them():
    daemon = Daemon()
    path = daemon.home / "on"
    id_ = submit(daemon, {"exec": waits_for(path), "check": False})
    pid = pid_in(path)
    equal(daemon.stop(), 0)
    true(not has_ended(pid), "it goes on")
    daemon.start()
    pathlib.Path(f"{path}.go").touch()
    equal(finish(daemon, id_)[1]["code"], 7)


@test
def given_more_commands_than_processors_then_no_more_than_that_run_at_a_time():
    daemon = Daemon()
    (daemon.home / "slots").mkdir()
    script = (f"cd {daemon.home}/slots; mkdir $$; ls | wc -l; sleep 0.02; rmdir $$")
    status, result = finish(daemon, submit(daemon, [
        {"gather": {"exec": ["sh", "-c", script]}, "for": "i", "in": "${range(20)}", "as": "r"},
        {"return": "${[int(strip(x.stdout)) for x in r]}"}]))
    equal(status, "completed")
    true(max(result) <= os.sysconf("SC_NPROCESSORS_ONLN"), result)


@test
def given_a_soft_limit_of_descriptors_then_the_daemon_raises_its_own_and_commands_do_not_get_it():
    program = scratch() / "gatherd"
    program.write_text(f'#!/bin/sh\nulimit -S -n 300\nexec {GATHERD} "$@"\n')
    program.chmod(0o700)
    daemon = Daemon(program=program)
    status, result = finish(daemon, submit(daemon, {"exec": ["sh", "-c", "ulimit -S -n"]}))
    equal((status, result["stdout"]), ("completed", "300\n"))
    limits = pathlib.Path(f"/proc/{daemon.process.pid}/limits").read_text(encoding="ascii")
    soft, hard = [line.split()[3:5] for line in limits.splitlines() if "open files" in line][0]
    equal(soft, hard, "the daemon's own")


if __name__ == "__main__":
    run()
