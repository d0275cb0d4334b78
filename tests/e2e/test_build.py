"""A build with a real compiler as a job of commands that wait for each other."""

import json
import os
import pathlib
import shutil
import signal

from harness import Daemon, equal, run, test, true, until

UNITS = 8
COMPILER = shutil.which("cc") or shutil.which("gcc")


def sources(folder):
    """Units that call each other, and a program that adds them up."""
    folder.mkdir()
    for n in range(UNITS):
        (folder / f"u{n}.c").write_text(f'#include "all.h"\nint u{n}(void) {{ return {n}; }}\n')
    calls = " + ".join(f"u{n}()" for n in range(UNITS))
    (folder / "main.c").write_text(
        f'#include <stdio.h>\n#include "all.h"\nint main(void) {{ return printf("%d\\n", {calls}) < 0; }}\n')
    (folder / "broken.c").write_text("int broken(void) { return nothing; }\n")


def step(folder, name, argv, **more):
    """A command that writes down that it ran. `gate` holds it until a file is there."""
    gate = more.pop("gate", None)
    wait = f"while [ ! -e {gate} ]; do sleep 0.01; done; " if gate else ""
    return dict({"exec": ["sh", "-c", f'{wait}echo {name} >>{folder}/ran; exec "$@"', "sh", *argv],
                 "cwd": str(folder)}, **more)


def build(folder, gate=None, **each):
    """header -> units, each on its own -> archive and program -> its output."""
    declared = " ".join(f"int u{n}(void);" for n in range(UNITS))
    nodes = {"header": step(folder, "header", ["sh", "-c", f"echo '{declared}' >all.h"], **each)}
    for n in range(UNITS):
        nodes[f"u{n}"] = step(folder, f"u{n}", [COMPILER, "-c", f"u{n}.c"], after=["header"],
                              gate=gate if n == UNITS - 1 else None, **each)
    nodes["main"] = step(folder, "main", [COMPILER, "-c", "main.c"], after=["header"], **each)
    nodes["broken"] = step(folder, "broken", [COMPILER, "-c", "broken.c"], check=False,
                           after=["header"], **each)
    objects = [f"u{n}.o" for n in range(UNITS)]
    nodes["link"] = step(folder, "link", [COMPILER, "-o", "program", "main.o", *objects],
                         after=["main"] + [f"u{n}" for n in range(UNITS)], **each)
    nodes["test"] = step(folder, "test", ["./program"], after=["link"], **each)
    return [{"gather": nodes, "as": "r"},
            {"return": {"sum": "${strip(r.test.stdout)}", "broken": "${r.broken.code}",
                        "said": "${'nothing' in r.broken.stderr}",
                        "codes": "${[x.code for x in values(r)]}"}}]


RESULT = {"sum": str(sum(range(UNITS))), "broken": 1, "said": True,
          "codes": [0] * (UNITS + 2) + [1, 0, 0]}


def finish(daemon, id_):
    with daemon.wire() as wire:
        true(wire.call("job.wait", ids=[id_], timeout=60)["done"], f"job {id_} does not end")
        return wire.call("job.get", id=id_, include=["result"])


def ran(folder):
    path = folder / "ran"
    return sorted(path.read_text().split()) if path.exists() else []


ALL = sorted(["header", "main", "broken", "link", "test"] + [f"u{n}" for n in range(UNITS)])


@test
def given_kill_9_of_the_daemon_in_the_middle_then_the_build_ends_well_and_nothing_runs_twice():
    daemon = Daemon()
    folder = daemon.home / "src"
    sources(folder)
    gate = daemon.home / "gate"
    with daemon.wire() as wire:
        id_ = wire.call("job.submit", spec=build(folder, gate))["id"]
    for enough in (2, 5, 8):
        until(lambda e=enough: len(ran(folder)) >= e, f"{enough} steps")
        daemon.kill()
        daemon.start()
    gate.touch()
    job = finish(daemon, id_)
    equal((job["status"], job.get("result")), ("completed", RESULT), json.dumps(job)[:1500])
    equal(ran(folder), ALL)


@test
def given_kill_9_of_the_runner_in_the_middle_then_what_ran_is_interrupted_or_runs_again_by_policy():
    daemon = Daemon()
    for then in ("fail", "retry"):
        folder, gate = daemon.home / then, daemon.home / f"{then}.gate"
        sources(folder)
        with daemon.wire() as wire:
            id_ = wire.call("job.submit", spec=build(folder, gate, on_interrupt=then))["id"]
        # Whatever else is done, the one at the gate runs.
        until(lambda f=folder: len(ran(f)) >= UNITS + 1, "all but the one at the gate")
        os.kill(daemon.runner(), signal.SIGKILL)
        gate.touch()
        job = finish(daemon, id_)
        if then == "fail":
            equal((job["status"], job["error"]["type"]), ("failed", "InterruptedError"))
            true("link" not in ran(folder), "what waits for it does not begin")
        else:
            equal((job["status"], job.get("result")), ("completed", RESULT), json.dumps(job)[:1500])
            true(set(ran(folder)) == set(ALL), ran(folder))


if __name__ == "__main__":
    run()
