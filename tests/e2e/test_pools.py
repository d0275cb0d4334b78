#!/usr/bin/env python3
"""Pools of commands: how many run at a time, and who comes first."""

import os
import sys

sys.dont_write_bytecode = True
from harness import Daemon, equal, refused, run, test, true  # noqa: E402


def pools(wire):
    return [(row["name"], row["permits"]) for row in wire.call("pool.list")["pools"]]


@test
def given_a_pool_that_was_put_then_its_number_stays_until_it_is_taken_back():
    daemon = Daemon("--loops", "2")
    with daemon.wire() as wire:
        equal(wire.call("pool.list"), {"usual": os.sysconf("SC_NPROCESSORS_ONLN"), "pools": [],
                                       "next": None})
        equal(wire.call("pool.put", name="db", permits=0),
              {"name": "db", "permits": 0, "held": 0, "waiting": 0})
        wire.call("pool.put", name="one", permits=1)
        # As many as usual, but said: it does not follow the machine.
        wire.call("pool.put", name="said", permits=os.sysconf("SC_NPROCESSORS_ONLN"))
        daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        equal(pools(wire), [("db", 0), ("one", 1), ("said", os.sysconf("SC_NPROCESSORS_ONLN"))])
        equal(wire.call("pool.put", name="one")["permits"], os.sysconf("SC_NPROCESSORS_ONLN"))
        wire.call("pool.put", name="said")
        equal(pools(wire), [("db", 0)])
        daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        equal(pools(wire), [("db", 0)])


@test
def given_a_semaphore_and_a_pool_of_one_name_then_they_are_two():
    daemon = Daemon()
    with daemon.wire() as wire:
        wire.call("semaphore.put", name="db", permits=7)
        wire.call("pool.put", name="db", permits=3)
        daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        equal(pools(wire), [("db", 3)])
        equal(wire.call("semaphore.list")["semaphores"],
              [{"name": "db", "permits": 7, "held": 0, "waiting": 0}])
        done = wire.call("job.run", spec={"with": "db", "value": 1})
        equal(done["result"], 1)
        wire.call("semaphore.put", name="db", permits=1)
        equal(pools(wire), [("db", 3)])


@test
def given_wrong_params_of_a_pool_then_each_is_refused():
    daemon = Daemon()
    with daemon.wire() as wire:
        for params in ({}, {"permits": 1}, {"name": "", "permits": 1},
                       {"name": "x" * 201, "permits": 1}, {"name": "db", "permits": -1},
                       {"name": "db", "permits": 2 ** 31}, {"name": "db", "permits": 1.5},
                       {"name": "db", "permits": "1"}, {"name": "db", "permits": 1, "more": 1}):
            refused("InvalidParams", wire.call, "pool.put", params)
        refused("InvalidParams", wire.call, "pool.list", limit=0)
        equal(wire.call("pool.list")["pools"], [])


@test
def given_a_priority_then_it_is_shown_and_survives():
    daemon = Daemon("--loops", "2")
    expected = {}
    with daemon.wire() as wire:
        for n, priority in enumerate((None, -10, 0, 10)):
            job = wire.call("job.submit", spec={"loop": n % 2, "do": {"sleep": 3600}},
                            **({} if priority is None else {"priority": priority}))["id"]
            expected[job] = priority or 0
        over = wire.call("job.run", spec={"value": 1}, priority=-3)["id"]
        expected[over] = -3

        def expect_priorities(wire):
            for job, priority in expected.items():
                equal(wire.call("job.get", id=job)["priority"], priority)
            equal({row["id"]: row["priority"] for row in wire.call("job.list")["jobs"]}, expected)
        expect_priorities(wire)
        daemon.kill()
    daemon.start()
    with daemon.wire() as wire:
        expect_priorities(wire)


@test
def given_a_priority_that_is_none_then_it_is_refused():
    daemon = Daemon()
    with daemon.wire() as wire:
        for priority in (11, -11, 1.5, "1", True, [1], 2 ** 40):
            for method in ("job.submit", "job.run"):
                error = refused("InvalidParams", wire.call, method, spec={"value": 1},
                                priority=priority)
                equal(error.data["pointer"], "/priority")
        true(wire.call("job.list")["jobs"] == [], "no job")


if __name__ == "__main__":
    run()
