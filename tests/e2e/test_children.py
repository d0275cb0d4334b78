#!/usr/bin/env python3
"""create_task with `loop`: child jobs on other loops, durable, listed under their parents."""

import json
import os
import pathlib
import sqlite3
import sys
import time

sys.dont_write_bytecode = True
from harness import Daemon, equal, is_end, refused, run, test, true, until  # noqa: E402

DEMO = json.loads((pathlib.Path(__file__).parent.parent / "demo" / "three-loops.json").read_text())
HOUR = {"sleep": 3600}
FAILPOINTS = str(pathlib.Path(os.environ.get("builddir", ".")).resolve() / "tests/torture/gatherd_failpoints")


def on(loop, body, **more):
    return {"create_task": body, "loop": loop, **more}


def stack(wire, job):
    return wire.call("job.stack", id=job)


def children(wire, parent):
    return wire.call("job.list", parent=parent, order="oldest", limit=1000)["jobs"]


def born(wire, parent, count):
    """Its children, when all of them are known by id."""
    def look():
        rows = [row["child"] for row in stack(wire, parent)["stack"] if "child" in row]
        return rows if len(rows) == count else None
    return until(look, f"{count} children")


def end(wire, job):
    until(lambda: wire.call("job.wait", ids=[job], timeout=5)["done"], f"the end of job {job}")
    return wire.call("job.get", id=job)


# --- where they run ---


@test
def given_the_program_of_three_loops_then_its_tasks_run_on_three_loops_in_the_stated_order():
    daemon = Daemon("--loops", "3")
    with daemon.wire() as wire, daemon.wire() as other:
        id_ = wire.request("job.run", spec=DEMO, stream="s")
        job = wire.event()["job"]
        sleeping = born(other, job, 8)
        for row in stack(other, job)["stack"]:
            if "child" in row:
                equal(stack(other, row["child"])["loop"], row["loop"], "where the child says it is")
        found = children(other, job)
        equal([row["parent"] for row in found], [job] * 10)
        equal([row["loop"] for row in found], [found[i]["loop"] for i in (0, 0, 0, 0, 4, 4, 4, 7, 7, 7)])
        equal(len({row["loop"] for row in found}), 3, "loops")
        equal([row["id"] for row in found if row["status"] == "running"], sleeping, "in the order of their making")
        events = wire.events_until_end()
        result = wire.reply(id_)["result"]["result"]
    start = next(e["time"] for e in events if e["kind"] == "job.started")
    told = [(round(e["time"] - start, 6), e["data"]) for e in events if e["kind"] == "yield"]
    past, done = "Get to the past", "Awaited"
    equal(told, [
        (3, f"single_task: {done}"), (3, f"single_task: {past}"), (6, f"single_task: {done}"),
        (6, 'Results1: ["Awaited","Awaited","Awaited","Awaited"]'),
        (6, f"Results2 item: {past}"), (6, f"Results2 item: {done}"), (6, f"Results2 item: {done}"),
        (6, 'Results3: ["Get to the past","Awaited","Awaited"]')])
    equal(result, [[done] * 4, [past, done, done], [past, done, done]])


@test
def given_names_of_loops_then_each_has_a_loop_of_its_own_and_keeps_it():
    daemon = Daemon("--loops", "3")

    def loop_of(wire, name):
        return stack(wire, wire.call("job.submit", spec=HOUR, loop=name)["id"])["loop"]

    with daemon.wire() as wire:
        first = [loop_of(wire, name) for name in ("a", "b", "c", "d", "a", "b")]
        header = wire.call("job.submit", spec={"loop": "c", **HOUR})["id"]
        parent = wire.call("job.submit", spec=[on("b", HOUR, **{"as": "t"}), {"await": "${t}"}])["id"]
        child = born(wire, parent, 1)[0]
        equal(first, [0, 1, 2, 0, 0, 1])
        equal([stack(wire, header)["loop"], stack(wire, child)["loop"]], [2, 1])
    daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        equal([loop_of(wire, name) for name in ("d", "c", "b", "a", "e")], [0, 2, 1, 0, 1])
    daemon.stop()
    daemon.flags = ["--loops", "2"]
    daemon.start()
    with daemon.wire() as wire:
        equal([loop_of(wire, name) for name in ("a", "b", "c", "d")], [0, 1, 0, 0], "by what is left")
        refused("InvalidParams", wire.call, "job.submit", spec=HOUR, loop="x" * 201)


@test
def given_a_loop_that_is_not_there_then_it_is_said_where_it_can_be_known():
    daemon = Daemon("--loops", "2")
    with daemon.wire() as wire:
        spec = [{"value": 1}, on(2, HOUR)]
        error = refused("InvalidSpec", wire.call, "job.submit", spec=spec)
        equal(error.data["errors"], [{"pointer": "/1/loop", "message": "there is no loop 2: they are 0 to 1"}])
        equal(wire.call("job.validate", spec=spec)["ok"], False)
        for loop, type_ in ((2, "ValueError"), (-1, "ValueError"), ([1], "TypeError"), ("", "ValueError")):
            told = wire.call("job.run", spec={"args": {"loop": loop}, "do": {
                "try": [on("${loop}", [], **{"as": "t"}), {"await": "${t}"}],
                "except": {"*": {"value": "${error.type}"}}}})
            equal(told["result"], type_, loop)


# --- what they see, and give ---


@test
def given_what_a_child_sees_then_it_is_data_and_comes_back_as_it_was():
    daemon = Daemon("--loops", "2")
    deep = 1
    for _ in range(50):
        deep = [deep, {"x": None}]
    with daemon.wire() as wire:
        told = wire.call("job.run", args={"deep": deep, "text": "ä\n", "n": -7, "f": 0.1, "big": 2**62}, spec={
            "args": {"deep": 0, "text": 0, "n": 0, "f": 0, "big": 0}, "do": [
                {"value": "not seen", "as": "other"},
                on(1, {"value": ["${deep}", "${text}", "${n}", "${f}", "${big}", "${job.id}"]}, **{"as": "t"}),
                {"await": "${t}", "as": "r"}, {"return": ["${r}", "${job.id}", "${other}"]}]})
        got, parent, other = told["result"]
        equal(got[:5], [deep, "ä\n", -7, 0.1, 2**62])
        true(got[5] != parent, "the child is a job of its own")
        told = wire.call("job.run", spec=[{"create_task": HOUR, "as": "mine"}, on(1, {"await": "${mine}"})])
        equal((told["status"], told["error"]["type"]), ("failed", "TypeError"))
        true("cannot be awaited on another one" in told["error"]["message"], told["error"])


@test
def given_children_with_events_names_and_undos_then_they_are_their_own():
    daemon = Daemon("--loops", "2")
    with daemon.wire() as wire:
        told = wire.call("job.run", spec={"title": "family", "do": [
            {"do": on(1, [{"yield": "in ${n}"}, {"value": "${n}"}], name="child ${n}"), "for": "n", "in": [1, 2],
             "as": "all"},
            {"await": "${all}"}]})
        equal(told["result"], [1, 2])
        found = children(wire, told["id"])
        equal([(row["title"], row["status"], row["owner"]) for row in found],
              [(f"child {n}", "completed", found[0]["owner"]) for n in (1, 2)])
        for n, row in enumerate(found, 1):
            events = wire.call("events.read", job=row["id"], after=0, limit=10)["events"]
            equal([e["kind"] for e in events], ["job.queued", "job.started", "yield", "job.completed"])
            equal((events[2]["data"], events[2]["path"]), (f"in {n}", f"/do/0/do#{n - 1}/create_task/0"))
            equal(wire.call("job.get", id=row["id"], include=["spec"])["spec"]["title"], "family")
        names = [e["name"] for e in wire.call("events.read", job=told["id"], after=0, limit=50)["events"]
                 if e["kind"] == "task.completed"]
        equal(names, ["child 1", "child 2"], "events of the tasks in the parent")
        undone = wire.call("job.run", spec={"try": [
            {"value": 1, "undo": {"yield": "outer undone"}},
            on(1, [{"value": 1, "undo": {"yield": "inner undone"}}, {"raise": "Bad"}], **{"as": "t"}),
            {"await": "${t}"}], "except": {"Bad": {"value": "${error.path}"}}})
        equal(undone["result"], "/try/1/create_task/1")

        def yields(job):
            return [e["data"] for e in wire.call("events.read", job=job, after=0, limit=50)["events"]
                    if e["kind"] == "yield"]
        equal(yields(undone["id"]), ["outer undone"])
        equal(yields(children(wire, undone["id"])[0]["id"]), ["inner undone"])


@test
def given_gatherctl_then_it_shows_who_belongs_to_whom():
    daemon = Daemon("--loops", "2")
    with daemon.wire() as wire:
        parent = wire.call("job.submit", spec=[on(1, HOUR, name="long nap", **{"as": "t"}), {"await": "${t}"}])["id"]
        child = born(wire, parent, 1)[0]
    rows = daemon.ctl("list", "--parent", parent).stdout.splitlines()
    equal([rows[0].split()[:2], rows[1].split()[:2], len(rows)], [["ID", "PARENT"], [str(child), str(parent)], 2])
    equal([line.split()[0] for line in daemon.ctl("list").stdout.splitlines()], ["ID", str(parent)])
    equal(len(daemon.ctl("list", "--children").stdout.splitlines()), 3)
    true(f"job {child} on loop 1" in daemon.ctl("stack", parent).stdout, "the stack")
    true(f"parent     {parent}" in daemon.ctl("get", child).stdout, "the child")


@test
def given_children_of_children_then_the_whole_tree_ends():
    daemon = Daemon("--loops", "3")
    with daemon.wire() as wire:
        told = wire.call("job.run", spec={
            "def": {"tree": {"params": ["n"], "do": [
                {"value": 1, "if": "${n == 0}", "else": [
                    {"do": on("${str(n * 2 + i)}", {"call": "tree", "args": ["${n - 1}"]}), "for": "i",
                     "in": [0, 1], "as": "both"},
                    {"await": "${both}", "as": "r"}, {"value": "${r[0] + r[1]}"}]}]}},
            "do": {"call": "tree", "args": [4]}})
        equal((told["status"], told.get("result", told.get("error"))), ("completed", 16))
        equal(wire.call("server.info")["jobs"]["completed"], 31)
        equal([row["id"] for row in wire.call("job.list")["jobs"]], [told["id"]], "roots only")
        equal(len(wire.call("job.list", children=True)["jobs"]), 31)
        equal(wire.call("job.delete", id=told["id"]), {"deleted": True})
        equal(sum(wire.call("server.info")["jobs"].values()), 0, "all of the tree has left")


# --- cancels ---


@test
def given_a_cancel_of_the_parent_then_it_reaches_its_children_and_awaits_them():
    daemon = Daemon("--loops", "2")
    body = {"try": HOUR, "finally": [{"sleep": 0.05}, {"yield": "cleaned up"}]}
    with daemon.wire() as wire:
        parent = wire.call("job.submit", spec=[
            {"do": on(1, body), "for": "i", "in": [1, 2], "as": "all"}, {"await": "${all}"}])["id"]
        ids = born(wire, parent, 2)
        wire.call("job.cancel", id=parent, reason="enough")
        equal(end(wire, parent)["status"], "cancelled")
        for row in children(wire, parent):
            equal(row["status"], "cancelled", row)
        told = wire.call("job.get", id=ids[0])
        equal((told["error"]["type"], told["error"]["message"]), ("CancelledError", "enough"))
        true(told["ended"] <= wire.call("job.get", id=parent)["ended"], "the parent has waited")


@test
def given_a_child_that_refuses_or_is_cancelled_by_itself_then_its_task_ends_so():
    daemon = Daemon("--loops", "2")
    stubborn = {"try": HOUR, "except": {"CancelledError": {"value": "no: ${error.message}"}}}
    with daemon.wire() as wire:
        told = wire.call("job.run", spec=[
            on(1, stubborn, **{"as": "t"}), {"sleep": 0.02}, {"cancel": "${t}", "message": "please"},
            {"await": "${t}"}])
        equal(told["result"], "no: please")
        late = wire.call("job.run", spec={"try": [on(1, HOUR, **{"as": "t"}), {"await": "${t}", "timeout": 0.02}],
                                          "except": {"TimeoutError": {"value": "late"}}})
        equal(late["result"], "late")
        equal(children(wire, late["id"])[0]["status"], "cancelled")
        parent = wire.call("job.submit", spec={"try": [on(1, HOUR, **{"as": "t"}), {"await": "${t}"}],
                                               "except": {"CancelledError": {"value": "${error.message}"}}})["id"]
        wire.call("job.cancel", id=born(wire, parent, 1)[0], reason="by hand")
        equal(end(wire, parent)["result"], "by hand")


@test
def given_a_second_cancel_of_the_parent_then_its_children_hear_it_too():
    daemon = Daemon("--loops", "2")
    body = {"try": HOUR, "finally": {"try": HOUR, "finally": {"yield": "twice"}}}
    with daemon.wire() as wire:
        parent = wire.call("job.submit", spec=[on(1, body, **{"as": "t"}), {"await": "${t}"}])["id"]
        child = born(wire, parent, 1)[0]
        wire.call("job.cancel", id=parent)
        until(lambda: stack(wire, child)["stack"][0]["address"].endswith("/finally/try"), "the first one")
        told = wire.call("job.explain", id=parent)
        true(any(f"waits for job {child} on loop 1, which is being cancelled" in why for why in told["why"]), told)
        wire.call("job.cancel", id=parent)
        equal(end(wire, parent)["status"], "cancelled")
        equal(wire.call("job.get", id=child)["status"], "cancelled")


@test
def given_a_cancel_whose_child_runs_a_command_then_the_command_is_stopped():
    daemon = Daemon("--loops", "2")
    with daemon.wire() as wire:
        parent = wire.call("job.submit", spec=[on(1, {"exec": ["sleep", "600"]}, **{"as": "t"}),
                                               {"await": "${t}"}])["id"]
        child = born(wire, parent, 1)[0]
        until(lambda: stack(wire, child)["stack"][0]["state"] == "running", "the command")
        wire.call("job.cancel", id=parent)
        equal(end(wire, parent)["status"], "cancelled")
        equal(wire.call("server.info")["processes"], {"running": 0, "waiting": 0})


@test
def given_a_child_of_a_live_parent_then_it_cannot_be_deleted():
    daemon = Daemon("--loops", "2")
    with daemon.wire() as wire:
        parent = wire.call("job.submit", spec=[on(1, {"value": 1}, **{"as": "t"}), {"await": "${t}"}, HOUR])["id"]
        child = until(lambda: children(wire, parent), "a child")[0]["id"]
        until(lambda: wire.call("job.get", id=child)["status"] == "completed", "its end")
        error = refused("Conflict", wire.call, "job.delete", id=child)
        equal(error.data["id"], parent)
        wire.call("job.cancel", id=parent)
        end(wire, parent)
        equal(wire.call("job.delete", id=child), {"deleted": True})
        equal(wire.call("job.delete", id=parent), {"deleted": True})


# --- restarts ---


@test
def given_a_restart_then_children_go_on_and_their_results_come_back():
    daemon = Daemon("--loops", "3")
    with daemon.wire() as wire:
        parent = wire.call("job.submit", spec=[
            {"do": on("${str(i)}", {"sleep": "${0.2 + i / 100}", "result": "${i}"}), "for": "i",
             "in": "${range(20)}", "as": "all"},
            {"await": "${all}"}])["id"]
        ids = born(wire, parent, 20)
    daemon.kill()
    daemon.flags = ["--loops", "2"]
    daemon.start()
    with daemon.wire() as wire:
        told = end(wire, parent)
        equal(told["result"], list(range(20)))
        equal([row["id"] for row in children(wire, parent)], ids, "no child was made twice")
        true(abs(told["ended"] - told["started"] - 0.39) < 1e-5, "logical time")


@test
def given_children_that_end_while_all_is_down_then_they_come_before_what_was_due_later():
    daemon = Daemon("--loops", "2")
    in_time = [on(1, {"sleep": 0.3, "result": "in time"}, **{"as": "t"}), {"await": "${t}", "timeout": 0.35}]
    # Asked for by a timer, so that the journal knows nothing of it.
    by_timer = [{"sleep": 0.05}, on(1, [{"sleep": 0.1}, on(0, {"sleep": 0.05}, **{"as": "u"}), {"await": "${u}"},
                                        {"value": "also"}], **{"as": "t"}), {"await": "${t}", "timeout": 0.2}]
    with daemon.wire() as wire:
        ids = [wire.call("job.submit", spec=spec)["id"] for spec in (in_time, by_timer) for _ in range(5)]
        born(wire, ids[0], 1)
        start = time.monotonic()
    daemon.kill()
    time.sleep(max(0, 0.5 - (time.monotonic() - start)))
    daemon.start()
    with daemon.wire() as wire:
        equal([end(wire, job).get("result") for job in ids], ["in time"] * 5 + ["also"] * 5)


@test
def given_a_family_that_does_not_settle_then_nobody_waits_for_ever():
    daemon = Daemon("--loops", "2", program=FAILPOINTS)
    hold = daemon.home / "hold"
    hold.write_text("0")
    daemon.env["GATHERD_FAILPOINT_HOLD"] = f"family.settling:{hold}"
    with daemon.wire() as wire:
        parent = wire.call("job.submit", spec=[on(1, HOUR, **{"as": "t"}), {"sleep": 0.05}, {"cancel": "${t}"},
                                               {"value": "over"}])["id"]
        other = wire.call("job.submit", spec={"sleep": 0.05, "result": 7})["id"]
        born(wire, parent, 1)
    daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        equal(end(wire, other)["result"], 7)
        equal(end(wire, parent)["result"], "over")
        equal([row["status"] for row in children(wire, parent)], ["cancelled"])


def break_one(daemon, sql, *values):
    equal(daemon.stop(), 0)
    with sqlite3.connect(daemon.state / "gatherd.db") as database:
        equal(database.execute(sql, values).rowcount, 1, sql)
    database.close()
    daemon.start()


@test
def given_a_parent_that_cannot_be_replayed_then_its_children_are_cancelled():
    daemon = Daemon("--loops", "2")
    with daemon.wire() as wire:
        parent = wire.call("job.submit", spec=[on(1, {"value": 1}), on(1, HOUR, **{"as": "t"}), {"await": "${t}"}])["id"]
        until(lambda: len(children(wire, parent)) == 2, "its children")
        until(lambda: len(stack(wire, parent)["stack"]) == 2, "the end of the first")
        child = born(wire, parent, 1)[0]
    break_one(daemon, "UPDATE inputs SET bytes = x'0177' WHERE job = ?", parent)
    with daemon.wire() as wire:
        equal(end(wire, parent)["error"]["type"], "Quarantined")
        equal(end(wire, child)["status"], "cancelled")


@test
def given_a_child_that_cannot_be_replayed_then_its_parent_hears_it():
    daemon = Daemon("--loops", "2")
    with daemon.wire() as wire:
        parent = wire.call("job.submit", spec={"try": [on(1, HOUR, **{"as": "t"}), {"await": "${t}"}], "except": {
            "Quarantined": {"value": "${error.data.reason}"}}})["id"]
        child = born(wire, parent, 1)[0]
    break_one(daemon, "UPDATE children SET captures = x'77' WHERE job = ?", child)
    with daemon.wire() as wire:
        equal(end(wire, parent)["result"], "journal")


@test
def given_a_cancel_and_a_kill_at_once_then_it_reaches_the_children():
    daemon = Daemon("--loops", "2")
    with daemon.wire() as wire:
        parents = [wire.call("job.submit", spec=[on(1, HOUR, **{"as": "t"}), {"await": "${t}"}])["id"]
                   for _ in range(10)]
        for parent in parents:
            born(wire, parent, 1)
        wire.call("job.cancel", ids=parents)
    daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        for parent in parents:
            equal(end(wire, parent)["status"], "cancelled")
            equal([row["status"] for row in children(wire, parent)], ["cancelled"])


@test
def given_kill_9_again_and_again_then_each_child_runs_once_and_nothing_is_lost():
    daemon = Daemon("--loops", "3")
    count = 300
    with daemon.wire() as wire:
        parent = wire.call("job.submit", spec={"events": "job", "do": [
            {"do": [{"sleep": 0.002}, on("${str(i % 3)}", [{"sleep": "${(i * 7 % 50) / 1000}"}, {"yield": "${i}"},
                                                          {"value": "${i}"}])],
             "for": "i", "in": f"${{range({count})}}", "as": "all"},
            {"await": "${all}"}]})["id"]
    for n in range(8):
        with daemon.wire() as wire:
            until(lambda: len(children(wire, parent)) > n * 30 or
                  wire.call("job.get", id=parent)["status"] == "completed", "some children")
        daemon.kill()
        daemon.start()
    with daemon.wire() as wire:
        equal(end(wire, parent)["result"], list(range(count)))
        rows = children(wire, parent)
        equal(len(rows), count)
        equal({row["status"] for row in rows}, {"completed"})
        said = [e["data"] for row in rows for e in
                wire.call("events.read", job=row["id"], after=0, limit=10)["events"] if e["kind"] == "yield"]
        equal(said, list(range(count)), "what the children said")
    daemon.stop()


run()
