#!/usr/bin/env python3
"""Events for whoever asks: in order, each once, however slow the reader."""

import sys

sys.dont_write_bytecode = True
from harness import GATHERD, Daemon, equal, has_shadows, is_end, refused, run, test, true, until  # noqa: E402


def yields(count):
    return [{"do": {"yield": "${n}"}, "for": "n", "in": f"${{range({count})}}"}, {"return": count}]


@test
def given_a_subscription_then_its_reply_comes_before_its_first_event():
    daemon = Daemon()
    with daemon.wire() as wire:
        wire.call("job.run", spec={"value": 1})
        id_ = wire.request("events.subscribe", after=0)
        first = wire.message()
        equal(first["id"], id_)
        subscription = first["result"]["subscription"]
        events = wire.events_until_end()
        equal([e["kind"] for e in events], ["job.queued", "job.started", "job.completed"])
        equal({e["subscription"] for e in events}, {subscription})


@test
def given_nobody_asked_then_nobody_is_told():
    daemon = Daemon()
    with daemon.wire() as quiet, daemon.wire() as wire:
        wire.call("job.run", spec=yields(5))
        equal(wire.notifications, [])
        quiet.half_close()
        equal(quiet.rest(), [])


@test
def given_the_past_and_the_present_then_there_is_no_gap_and_nothing_twice():
    daemon = Daemon()
    with daemon.wire() as writer, daemon.wire() as reader:
        count = 40
        for n in range(count):
            if n == count // 2:
                reader.call("events.subscribe", after=0)
            writer.request("job.submit", spec=yields(3))
        ends, seqs = 0, []
        while ends < count:
            event = reader.event()
            seqs.append(event["seq"])
            ends += is_end(event)
        equal(seqs, sorted(set(seqs)), "numbers")
        stored = []
        while not stored or stored[-1] < seqs[-1]:
            page = writer.call("events.read", after=stored[-1] if stored else 0)["events"]
            stored += [e["seq"] for e in page]
        equal(seqs, stored, "what was streamed and what is stored")


@test
def given_filters_then_only_what_was_asked_for_comes():
    daemon = Daemon()
    with daemon.wire() as writer, daemon.wire() as reader:
        reader.call("events.subscribe", after=0, label="a", kinds=["yield", "job.completed"])
        writer.call("job.run", spec={"yield": "no"})
        writer.call("job.run", spec={"yield": "yes"}, labels=["a"])
        equal([(e["kind"], e.get("data")) for e in reader.events_until_end()][:1],
              [("yield", "yes")])


@test
def given_events_unsubscribe_then_no_more_comes():
    daemon = Daemon()
    with daemon.wire() as reader:
        subscription = reader.call("events.subscribe", after=0)["subscription"]
        reader.call("job.run", spec={"value": 1})
        reader.call("events.unsubscribe", subscription=subscription)
        reader.notifications = []
        reader.call("job.run", spec={"value": 1})
        equal(reader.notifications, [])
        refused("NotFound", reader.call, "events.unsubscribe", subscription=subscription)


@test
def given_a_heartbeat_then_silence_is_not_silent():
    daemon = Daemon()
    with daemon.wire() as reader:
        reader.call("events.subscribe", after=0, heartbeat=1)
        beat = reader.event()
        equal(beat["kind"], "heartbeat")


@test
def given_named_tasks_and_branches_then_they_make_events_with_paths():
    daemon = Daemon()
    with daemon.wire() as wire:
        id_ = wire.request("job.run", stream="s", spec={"as_completed": {
            "slow": {"sleep": 0.02, "result": "c"}, "quick": {"sleep": 0.01, "result": "a"}}})
        equal(wire.reply(id_)["result"]["result"], ["a", "c"])
        done = [(m["params"]["path"], m["params"]["data"]) for m in wire.notifications
                if m["params"]["kind"] == "task.completed"]
        equal(done, [("/as_completed/quick", "a"), ("/as_completed/slow", "c")])


@test
def given_a_job_that_keeps_to_itself_then_only_its_own_events_are_there():
    daemon = Daemon()
    with daemon.wire() as wire:
        id_ = wire.request("job.run", stream="s", spec={"events": "job", "do": {"as_completed": [
            {"sleep": 0}, {"value": 1}]}})
        wire.reply(id_)
        equal([m["params"]["kind"] for m in wire.notifications],
              ["job.queued", "job.started", "job.completed"])


@test
def given_a_reader_of_single_bytes_then_memory_stays_flat_and_nothing_is_lost():
    daemon = Daemon()
    count, text = 20000, "x" * 1000
    thousand = [{"do": {"yield": f"{text}${{n}}"}, "for": "n", "in": "${range(1000)}"},
                {"return": 0}]
    with daemon.wire() as writer, daemon.wire() as reader:
        writer.call("job.run", spec=thousand)  # what one such job needs is no growth
        reader.call("events.subscribe", after=writer.call("ping")["seq"], kinds=["yield"])
        before = daemon.rss()
        for _ in range(count // 1000):
            equal(writer.call("job.run", spec=thousand)["status"], "completed")
            for _ in range(50):
                reader.pending += reader.socket.recv(1)
        grown = daemon.rss() - before
        # 20,000 events are more than 20 MB on the wire.
        true(grown < 8 << 20 or has_shadows(GATHERD), f"memory grew by {grown} bytes")

        seqs, numbers = [], []
        while len(seqs) < count:
            event = reader.event()
            seqs.append(event["seq"])
            numbers.append(int(event["data"][len(text):]))
        equal(numbers, list(range(1000)) * (count // 1000), "the data")
        equal(seqs, sorted(set(seqs)), "the numbers")


@test
def given_many_subscribers_then_each_gets_everything():
    daemon = Daemon()
    wires = [daemon.wire() for _ in range(20)]
    for wire in wires:
        wire.call("events.subscribe", after=0)
    with daemon.wire() as writer:
        writer.call("job.run", spec=yields(50))
    for wire in wires:
        events = wire.events_until_end()
        equal([e["data"] for e in events if e["kind"] == "yield"], list(range(50)))
        wire.close()


@test
def given_a_cursor_from_after_the_end_then_the_next_event_comes_anyway_later():
    daemon = Daemon()
    with daemon.wire() as wire:
        seq = wire.call("ping")["seq"]
        wire.call("events.subscribe", after=seq)
        job = wire.call("job.submit", spec={"value": 1})["id"]
        events = wire.events_until_end()
        equal({e["job"] for e in events}, {job})
        true(events[0]["seq"] > seq, "numbers go on")
        until(lambda: wire.call("job.get", id=job)["status"] == "completed", "the job")


if __name__ == "__main__":
    run()
