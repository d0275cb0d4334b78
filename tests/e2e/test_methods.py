#!/usr/bin/env python3
"""Each method, over both transports: what it gives and what it refuses."""

import hashlib
import json
import sys
import time

sys.dont_write_bytecode = True
from harness import Daemon, equal, is_end, refused, run, test, true, until  # noqa: E402

FOREVER = {"sleep": 3600}


def both():
    """A daemon, and a connection over each transport."""
    daemon = Daemon(tcp=True)
    return daemon, [daemon.wire(), daemon.tcp_wire()]


@test
def given_hello_then_it_says_who_is_who():
    _, wires = both()
    for wire in wires:
        reply = wire.call("hello", protocol=[3, 1], client="e2e")
        equal((reply["protocol"], reply["server"]), (1, "gatherd"))
        true({"submit", "observe:own", "admin"} <= set(reply["scopes"]), reply["scopes"])
        equal(reply["limits"]["spec_bytes"], 262144)
        refused("UnsupportedProtocol", wire.call, "hello", protocol=[2])


@test
def given_ping_then_it_tells_the_time():
    _, wires = both()
    for wire in wires:
        true(abs(wire.call("ping")["time"] - time.time()) < 60, "the time")


@test
def given_server_info_then_it_counts_jobs_by_state():
    _, wires = both()
    wires[0].call("job.run", spec={"value": 1})
    wires[1].call("job.submit", spec=FOREVER)
    for wire in wires:
        info = wire.call("server.info")
        equal((info["jobs"]["completed"], info["jobs"]["running"]), (1, 1))


@test
def given_rpc_discover_then_it_names_every_method_with_its_params():
    _, wires = both()
    for wire in wires:
        found = {m["name"]: m for m in wire.call("rpc.discover")["methods"]}
        true({"hello", "job.run", "events.subscribe", "job.delete"} <= set(found), found)
        true("spec" in {p["name"] for p in found["job.submit"]["params"]}, "params of job.submit")


@test
def given_job_validate_then_problems_come_in_document_order_and_are_no_error():
    _, wires = both()
    for wire in wires:
        reply = wire.call("job.validate", spec={"do": [{"slep": 1}, {"sleep": 1, "exec": ["x"]}]})
        equal(reply["ok"], False)
        equal([e["pointer"] for e in reply["errors"]][0], "/do/0/slep")
        true(len(reply["errors"]) >= 2, reply)
        equal(wire.call("job.validate", spec={"sleep": 1}), {"ok": True, "errors": []})
        reply = wire.call("job.validate", spec={"args": {"a": 1}, "do": {"value": "${a}"}},
                          args={"b": 2})
        equal(reply["ok"], False)


@test
def given_job_submit_with_arguments_and_names_then_job_get_shows_them():
    _, wires = both()
    for wire in wires:
        spec = {"args": {"n": 1, "m": 2}, "do": {"return": "${n + m}"}}
        job = wire.call("job.submit", spec=spec, args={"n": 40}, title="sum", labels=["x", "y"])
        true("existing" not in job, job)
        equal(wire.call("job.wait", ids=[job["id"]])["pending"], [])
        got = wire.call("job.get", id=job["id"], include=["spec", "result"])
        equal((got["title"], got["labels"], got["status"], got["result"]),
              ("sum", ["x", "y"], "completed", 42))
        equal((got["spec"], got["args"]), (spec, {"n": 40}))
        true(got["submitted"] <= got["ended"], "times in order")


@test
def given_a_loop_then_the_job_runs_there_whoever_submits_it():
    daemon, wires = both()
    count = len(wires[0].call("server.info")["loops"])
    for wire in wires:
        for number in range(count):
            before = wire.call("server.info")["loops"][number]["jobs"]
            done = wire.call("job.run", spec=[{"sleep": 0.01}, {"value": number}], loop=number)
            equal((done["status"], done["result"]), ("completed", number))
            wire.call("job.submit", spec=FOREVER, loop=number)
            until(lambda: wire.call("server.info")["loops"][number]["jobs"] == before + 1)
        first = wire.call("job.submit", spec={"loop": "night", "do": FOREVER})["id"]
        again = wire.call("job.submit", spec=FOREVER, loop="night")["id"]
        equal(first % count, again % count)
        refused("InvalidParams", wire.call, "job.submit", spec=FOREVER, loop=count)
        refused("LimitExceeded", wire.call, "job.submit", spec={"loop": 99, "do": FOREVER})


@test
def given_a_job_on_another_loop_then_a_quiet_one_knows_how_far_the_log_has_come():
    _, wires = both()
    for wire in wires:
        for number in range(len(wire.call("server.info")["loops"])):
            done = wire.call("job.run", spec={"value": 1}, loop=number)["id"]
            seq = wire.call("events.read", after=0, job=done)["events"][-1]["seq"]
            for other in wires:
                true(other.call("ping")["seq"] >= seq, "ping")
                true(other.call("hello")["seq"] >= seq, "hello")


@test
def given_several_specs_then_each_has_its_own_answer():
    _, wires = both()
    for wire in wires:
        jobs = wire.call("job.submit", specs=[{"value": 1}, {"slep": 1}, {"value": 3}])["jobs"]
        equal(len(jobs), 3)
        true(jobs[0]["id"] != jobs[2]["id"], "ids")
        equal(jobs[1]["error"]["data"]["type"], "InvalidSpec")


@test
def given_parameters_that_are_wrong_then_the_pointer_says_where():
    _, wires = both()
    for wire in wires:
        for method, params, pointer in (
                ("job.get", {}, "/id"), ("job.get", {"id": "x"}, "/id"),
                ("job.get", {"id": 1.5}, "/id"), ("job.get", {"id": 1, "x": 1}, "/x"),
                ("job.submit", {"spec": {"value": 1}, "labels": ["a", 5]}, "/labels/1"),
                ("job.submit", {"spec": {"value": 1}, "key": "k" * 129}, "/key"),
                ("job.submit", {"spec": {"value": 1}, "priority": 11}, "/priority"),
                ("job.submit", {"spec": {"value": 1}, "retain": -1}, "/retain"),
                ("job.list", {"status": ["asleep"]}, "/status/0"),
                ("job.wait", {"ids": [1], "return_when": "NEVER"}, "/return_when")):
            error = refused("InvalidParams", wire.call, method, params)
            equal((error.code, error.data.get("pointer")), (-32602, pointer), str(params))


@test
def given_job_run_with_a_stream_then_its_events_come_before_its_reply():
    _, wires = both()
    for wire in wires:
        id_ = wire.request("job.run", stream="mine", spec=[
            {"yield": "one"}, {"sleep": 0.01}, {"yield": {"two": 2}}, {"return": 3}])
        done = wire.reply(id_)["result"]
        equal((done["status"], done["result"]), ("completed", 3))
        events = [m["params"] for m in wire.notifications]
        wire.notifications = []
        equal([e["kind"] for e in events],
              ["job.queued", "job.started", "yield", "yield", "job.completed"])
        equal({e["subscription"] for e in events}, {"mine"})
        equal([e["data"] for e in events[2:4]], ["one", {"two": 2}])
        late = events[3]["time"] - events[1]["time"]
        true(abs(late - 0.01) < 1e-6, f"logical time of the second yield: {late}")


@test
def given_a_job_that_fails_then_job_run_succeeds_and_tells_the_error():
    _, wires = both()
    for wire in wires:
        done = wire.call("job.run", spec={"args": {"z": 0}, "do": {"value": "${1 // z}"}})
        equal((done["status"], done["error"]["type"]), ("failed", "ZeroDivisionError"))


@test
def given_a_client_that_goes_away_then_its_job_goes_on_unless_it_said_otherwise():
    daemon = Daemon()
    with daemon.wire() as watcher:
        for stays, status in ((False, "cancelled"), (True, "completed")):
            with daemon.wire() as wire:
                wire.request("job.run", spec={"sleep": 0.3, "result": 1}, title=f"stays {stays}",
                             cancel_on_disconnect=not stays)
                job = until(lambda: watcher.call("job.list", title=f"stays {stays}")["jobs"],
                            "the job")[0]
            done = watcher.call("job.wait", ids=[job["id"]], timeout=30)["done"]
            equal(done, [{"id": job["id"], "status": status}])


@test
def given_job_list_then_filters_order_and_pages_fit_together():
    _, wires = both()
    wire = wires[0]
    ids = [wire.call("job.run", spec={"value": n}, title=f"t{n % 2}", labels=[f"l{n % 3}"])["id"]
           for n in range(7)]
    ids.append(wire.call("job.submit", spec=FOREVER, title="long")["id"])
    for wire in wires:
        def listed(**params):
            return [j["id"] for j in wire.call("job.list", **params)["jobs"]]
        equal(listed(order="oldest"), ids)
        equal(listed(order="newest"), ids[::-1])
        equal(listed(status=["running"]), [ids[7]])
        equal(listed(title="t1", order="oldest"), [ids[1], ids[3], ids[5]])
        equal(listed(label="l2", order="oldest"), [ids[2], ids[5]])
        equal(listed(since=time.time() + 3600), [])
        for order in ("oldest", "newest"):
            pages, after = [], None
            while after != 0:
                page = wire.call("job.list", order=order, limit=3, after=after or None)
                pages += [j["id"] for j in page["jobs"]]
                after = page["next"] or 0
            equal(pages, ids if order == "oldest" else ids[::-1], f"pages, {order}")


@test
def given_job_wait_then_it_answers_when_the_first_or_the_last_is_over():
    _, wires = both()
    for wire in wires:
        quick = wire.call("job.submit", spec={"sleep": 0.005})["id"]
        slow = wire.call("job.submit", spec=FOREVER)["id"]
        first = wire.call("job.wait", ids=[slow, quick], return_when="FIRST_COMPLETED")
        equal([j["id"] for j in first["done"]], [quick])
        equal([j["id"] for j in first["pending"]], [slow])
        late = wire.call("job.wait", ids=[slow, quick], timeout=0.01)
        equal([j["id"] for j in late["pending"]], [slow])
        wire.call("job.cancel", id=slow)
        both_ = wire.call("job.wait", ids=[slow, quick], return_when="ALL_COMPLETED")
        equal({j["id"]: j["status"] for j in both_["done"]},
              {slow: "cancelled", quick: "completed"})
        refused("NotFound", wire.call, "job.wait", ids=[quick, 999999999])


@test
def given_a_large_result_then_it_is_read_in_pieces():
    _, wires = both()
    for wire in wires:
        spec = {"return": ["${'0123456789' * 30000}", {"a": 1}]}
        done = wire.call("job.run", spec=spec)
        large = done["result"]["$large"]
        text, offset = "", 0
        while offset is not None:
            piece = wire.call("job.result", id=done["id"], offset=offset, length=100000)
            true(len(piece["chunk"]) <= 100000, "length of a piece")
            text += piece["chunk"]
            equal(piece["total"], large["size"])
            offset = piece["next"]
        equal(json.loads(text), ["0123456789" * 30000, {"a": 1}])
        equal(hashlib.sha256(text.encode()).hexdigest(), large["sha256"])


@test
def given_a_piece_that_would_end_inside_a_character_then_the_text_is_still_whole():
    _, wires = both()
    for wire in wires:
        done = wire.call("job.run", spec={"value": "äöü€𝄞" * 20})
        text, offset = "", 0
        while offset is not None:
            piece = wire.call("job.result", id=done["id"], offset=offset, length=7)
            text, offset = text + piece["chunk"], piece["next"]
        equal(json.loads(text), "äöü€𝄞" * 20)


@test
def given_the_number_of_an_event_then_job_result_gives_its_data():
    _, wires = both()
    for wire in wires:
        job = wire.call("job.run", spec=[{"yield": {"a": [1, 2]}}, {"return": None}])["id"]
        events = wire.call("events.read", after=0, job=job)["events"]
        seq = next(e["seq"] for e in events if e["kind"] == "yield")
        equal(json.loads(wire.call("job.result", id=job, path=f"seq:{seq}")["chunk"]),
              {"a": [1, 2]})
        refused("NotFound", wire.call, "job.result", id=job, path="seq:999999999")


@test
def given_job_cancel_then_the_job_ends_cancelled_and_stays_so():
    _, wires = both()
    for wire in wires:
        job = wire.call("job.submit", spec=FOREVER)["id"]
        reply = wire.call("job.cancel", id=job, reason="enough")
        equal((reply["id"], reply["accepted"]), (job, True))
        equal(wire.call("job.wait", ids=[job])["done"][0]["status"], "cancelled")
        got = wire.call("job.get", id=job, include=["result"])
        equal(got["error"]["type"], "CancelledError")
        equal(got["error"]["message"], "enough")
        equal(wire.call("job.cancel", id=job),
              {"id": job, "status": "cancelled", "accepted": False})
        refused("NotFound", wire.call, "job.cancel", id=999999999)
        rows = wire.call("job.cancel", ids=[job, 999999999])["jobs"]
        equal([r.get("status", r.get("error", {}).get("type")) for r in rows],
              ["cancelled", "NotFound"])


@test
def given_jobs_that_end_while_they_are_cancelled_then_both_callers_are_told_the_same():
    daemon = Daemon("--loops", "2")
    with daemon.wire() as wire, daemon.wire() as other:
        for _ in range(20):
            jobs = [j["id"] for j in wire.call(
                "job.submit", specs=[{"sleep": n / 20000} for n in range(40)])["jobs"]]
            asked = [(job, wire.request("job.cancel", {"id": job})) for job in jobs]
            waited = other.call("job.wait", ids=jobs)
            ends = {row["id"]: row["status"] for row in waited["done"]}
            for job, id_ in asked:
                told = wire.reply(id_)["result"]
                equal(told["accepted"], ends[job] == "cancelled", f"accepted of {told}")
                if not told["accepted"]:
                    equal(told["status"], ends[job], f"status of {told}")


@test
def given_a_label_then_all_its_jobs_are_cancelled():
    _, wires = both()
    for wire in wires:
        ids = [wire.call("job.submit", spec=FOREVER, labels=["night"])["id"] for _ in range(3)]
        other = wire.call("job.submit", spec=FOREVER)["id"]
        wire.call("job.cancel", label="night")
        done = wire.call("job.wait", ids=ids, timeout=30)["done"]
        equal([j["status"] for j in done], ["cancelled"] * 3)
        equal(wire.call("job.get", id=other)["status"], "running")
        refused("InvalidParams", wire.call, "job.cancel", id=other, label="night")


@test
def given_job_stack_then_it_shows_what_waits_for_what():
    _, wires = both()
    for wire in wires:
        job = wire.call("job.submit", spec={"gather": {"a": FOREVER, "b": {"sleep": 7200}}})["id"]
        stack = until(lambda: wire.call("job.stack", id=job)["stack"], "a stack")
        rows = {row["address"]: row for row in stack}
        equal(len(rows), 3, f"rows of {stack}")
        equal(rows["/gather/a"]["op"], "sleep")
        true(rows["/gather/b"]["until"] > time.time() + 7000, rows)


@test
def given_job_delete_then_only_a_job_that_is_over_goes():
    _, wires = both()
    for wire in wires:
        running = wire.call("job.submit", spec=FOREVER)["id"]
        done = wire.call("job.run", spec={"value": 1})["id"]
        refused("Conflict", wire.call, "job.delete", id=running)
        equal(wire.call("job.delete", id=done), {"deleted": True})
        refused("NotFound", wire.call, "job.get", id=done)
        refused("NotFound", wire.call, "job.delete", id=done)
        events = wire.call("events.read", after=0)["events"]
        true(done not in {e["job"] for e in events}, "events of a deleted job")


@test
def given_a_start_in_the_future_then_the_job_waits_for_it():
    _, wires = both()
    for wire in wires:
        start = time.time() + 0.05
        job = wire.call("job.submit", spec={"value": 1}, start_at=start)["id"]
        wire.call("job.wait", ids=[job])
        got = wire.call("job.get", id=job)
        true(abs(got["started"] - start) < 1e-3, f"{got['started']} for {start}")
        later = wire.call("job.submit", spec={"value": 1}, start_at="2090-01-31T09:00:00Z")["id"]
        equal(wire.call("job.get", id=later)["status"], "queued")
        wire.call("job.cancel", id=later)
        equal(wire.call("job.wait", ids=[later], timeout=30)["done"],
              [{"id": later, "status": "cancelled"}])


@test
def given_a_request_that_is_taken_back_then_it_answers_that_it_was_cancelled():
    _, wires = both()
    for wire in wires:
        job = wire.call("job.submit", spec=FOREVER)["id"]
        waits = [wire.request("job.wait", ids=[job]),
                 wire.request("events.read", after=1 << 40, wait=60)]
        for id_ in waits:
            wire.send(json.dumps({"jsonrpc": "2.0", "method": "$/cancelRequest",
                                  "params": {"id": id_}}) + "\n")
            error = wire.reply(id_)["error"]
            equal((error["code"], error["data"]["type"]), (-32800, "RequestCancelled"))
        equal(wire.call("job.get", id=job)["status"], "running")


@test
def given_events_read_then_pages_follow_each_other_and_a_wait_ends_with_news():
    _, wires = both()
    for wire in wires:
        job = wire.call("job.run", spec=[{"yield": n} for n in range(10)])["id"]
        seen, after = [], 0
        while True:
            page = wire.call("events.read", after=after, job=job, limit=3)
            true(len(page["events"]) <= 3, "limit")
            if not page["events"]:
                break
            seen += page["events"]
            after = page["next"]
        equal([e["data"] for e in seen if e["kind"] == "yield"], list(range(10)))
        true(is_end(seen[-1]), "the last event")

        waiting = wire.request("events.read", after=after, wait=60, kinds=["yield"])
        wire.request("job.run", spec={"yield": "news"})
        equal([e["data"] for e in wire.reply(waiting)["result"]["events"]], ["news"])
        equal(wire.call("events.read", after=1 << 40, wait=0.005)["events"], [])


if __name__ == "__main__":
    run()
