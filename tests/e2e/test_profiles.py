#!/usr/bin/env python3
"""What jobs may execute: exec profiles, the scopes for them, and secrets that only commands see."""

import hashlib
import os
import signal
import sys

sys.dont_write_bytecode = True
from harness import Daemon, at_end, equal, refused, run, scratch, test, true, until  # noqa: E402

CANARY = "canary-4f1d9c7e52"
SECTIONS = """
[exec greet]
program = /bin/echo
prefix = hello
arg = match [a-z]+
rest = one-of a b
max-args = 2
env = MODE=quiet
env = LEVEL one-of 1 2
timeout = 60

[exec show]
program = /bin/sh
prefix = -c
prefix = echo "$MODE $LEVEL"; cat
env = MODE=quiet
env = LEVEL one-of 1 2
stdin = yes
limit-nofile = 64

[exec vault]
program = /bin/sh
prefix = -c
prefix = printf %s "$TOKEN" | sha256sum; printf %s "$TOKEN" >"$OUT"
env = TOKEN=secret:deploy
env = OUT
"""


class Shop:
    """A daemon with profiles, a token file and secrets."""

    def __init__(self, *sections, exec_=(), **more):
        self.home = scratch()
        self.config = self.home / "conf"
        self.secrets = self.home / "credentials"
        self.secrets.mkdir(mode=0o700)
        (self.secrets / "deploy").write_text(CANARY + "\n")
        self.write(*(sections or (SECTIONS,)))
        self.daemon = Daemon("--config", self.config, "--log-level", "debug",
                             "--credentials", self.secrets, home=self.home, **more)

    def write(self, *sections):
        self.config.write_text("\n".join(sections))

    def reload(self):
        """Reads the configuration again; gives what the log says of it."""
        seen = len(self.daemon.log())
        self.daemon.process.send_signal(signal.SIGHUP)

        def told():
            return [line for line in self.daemon.log()[seen:].splitlines()
                    if "config.reloaded" in line or "config.refused" in line]
        return until(told, "the configuration, read again")[-1]

    def guest(self, *profiles, role="submitter"):
        """A connection over TCP with a new token for these profiles."""
        words = [w for p in profiles for w in ("--exec", p)]
        token = self.daemon.new_token(f"guest{len(self.daemon.token_file.read_text())}", role,
                                      *words)
        self.reload()
        wire = self.daemon.tcp_wire(say_hello=False)
        at_end(wire.close)
        wire.hello = wire.call("hello", protocol=[1], token=token)
        return wire


def result(wire, spec, **more):
    done = wire.call("job.run", spec=spec, **more)
    equal(done["status"], "completed", f"{done}")
    return done["result"]


def failure(wire, spec, **more):
    done = wire.call("job.run", spec=spec, **more)
    equal(done["status"], "failed", f"{done}")
    return done["error"]


@test
def given_a_token_with_a_profile_then_it_runs_that_and_nothing_else():
    shop = Shop(tcp=True)
    guest = shop.guest("greet")
    equal([s for s in guest.hello["scopes"] if s.startswith("exec")], ["exec:greet"])
    done = result(guest, {"exec": ["you", "b"], "profile": "greet", "timeout": 5})
    equal(done["stdout"], "hello you b\n")

    raw = refused("Forbidden", guest.call, "job.run", spec=[{"sleep": 0}, {"exec": ["true"]}])
    equal(raw.data["scope"], ["exec:raw"])
    true("/1/exec:" in raw.message, raw.message)
    other = refused("Forbidden", guest.call, "job.submit", spec={"exec": [], "profile": "show"})
    equal(other.data["scope"], ["exec:show"])
    many = guest.call("job.submit", specs=[{"value": 1}, {"exec": ["true"]},
                                           {"exec": ["X"], "profile": "greet", "timeout": 5}])
    true("id" in many["jobs"][0], many)
    equal(many["jobs"][1]["error"]["data"], {"type": "Forbidden", "scope": ["exec:raw"]})
    equal(many["jobs"][2]["error"]["data"]["type"], "InvalidSpec")
    told = guest.call("job.validate", spec={"exec": ["true"]})
    equal(told, {"ok": False, "errors": [
        {"pointer": "/exec", "message": "this needs the scope exec:raw, which you do not have"}]})


@test
def given_an_admin_over_tcp_then_it_has_every_profile_and_no_raw_commands():
    shop = Shop(tcp=True)
    with shop.daemon.tcp_wire() as admin:
        equal(result(admin, {"exec": [], "profile": "show"})["stdout"], "quiet \n")
        error = refused("Forbidden", admin.call, "job.run", spec={"exec": ["true"]})
        equal(error.data["scope"], ["exec:raw"])
        scopes = admin.call("hello", token=shop.daemon.token)["scopes"]
        true("exec:*" in scopes and "exec:raw" not in scopes, scopes)


@test
def given_our_own_user_on_the_unix_socket_then_any_program_runs():
    shop = Shop()
    with shop.daemon.wire() as wire:
        true("exec:raw" in wire.call("hello")["scopes"], "our own user")
        done = result(wire, {"exec": ["sh", "-c", "echo $GATHERD_JOB; env | wc -l"]})
        job, count = done["stdout"].split()
        true(int(job) > 0 and int(count) < 14, done)


@test
def given_another_user_on_the_unix_socket_then_only_what_names_him_runs():
    if os.geteuid() != 0:
        return
    shop = Shop(SECTIONS, "[exec his]\nprogram = /bin/echo\nallow = uid:12345\n")
    shop.home.chmod(0o755)
    shop.daemon.socket.chmod(0o666)
    os.seteuid(12345)
    try:
        guest = shop.daemon.wire()
    finally:
        os.seteuid(0)
    with guest:
        equal(guest.call("hello")["scopes"], ["submit", "observe:own", "cancel:own", "exec:his"])
        equal(result(guest, {"exec": [], "profile": "his"})["stdout"], "\n")
        for spec, scope in (({"exec": ["true"]}, "exec:raw"),
                            ({"exec": [], "profile": "show"}, "exec:show")):
            equal(refused("Forbidden", guest.call, "job.run", spec=spec).data["scope"], [scope])


@test
def given_a_profile_that_names_a_role_then_its_tokens_need_no_word_of_it():
    shop = Shop("[exec open]\nprogram = /bin/echo\nallow = role:submitter\n", tcp=True)
    equal(result(shop.guest(), {"exec": [], "profile": "open"})["stdout"], "\n")
    refused("Forbidden", shop.guest(role="viewer").call, "job.run",
            spec={"exec": [], "profile": "open"})


@test
def given_constants_that_break_a_rule_then_submit_refuses_and_names_it():
    shop = Shop()
    with shop.daemon.wire() as wire:
        error = refused("InvalidSpec", wire.call, "job.submit", spec={"gather": {
            "a": {"exec": ["../x"], "profile": "greet", "timeout": 5},
            "b": {"exec": ["x"], "profile": "gret"},
            "c": {"exec": ["x"], "profile": "greet", "env": {"LEVEL": "3"}, "timeout": "2h"}}})
        equal([(e["pointer"], e["message"], e.get("hint")) for e in error.data["errors"]], [
            ("/gather/a/exec/0", 'argument 1 "../x" does not match [a-z]+ of profile greet', None),
            ("/gather/b/profile", "there is no exec profile gret", 'did you mean "greet"?'),
            ("/gather/c/env/LEVEL", 'variable LEVEL "3" is not one of 1 2 of profile greet', None),
            ("/gather/c/timeout", "profile greet wants a timeout of at most 60 s", None)])
        equal(wire.call("job.list")["jobs"], [])


@test
def given_values_that_are_worked_out_then_the_same_rules_hold_when_the_command_starts():
    shop = Shop()
    with shop.daemon.wire() as wire:
        job = {"args": {"x": ""}, "do": {"exec": ["${x}"], "profile": "greet", "timeout": 5}}
        equal(result(wire, job, args={"x": "you"})["stdout"], "hello you\n")
        error = failure(wire, job, args={"x": "-n; rm"})
        equal(error["type"], "ExecError")
        equal(error["data"]["stage"], "profile")
        true('argument 1 "-n; rm" does not match [a-z]+ of profile greet' in error["message"],
             error)
        show = {"args": {"x": ""}, "do": {"exec": [], "profile": "show", "stdin": "${x}",
                                          "env": {"LEVEL": "${x}"}}}
        equal(result(wire, show, args={"x": "2"})["stdout"], "quiet 2\n2")
        error = failure(wire, show, args={"x": "3"})
        equal(error["data"]["stage"], "profile")


def everything_kept(shop):
    """Every byte of the state directory and of both logs."""
    files = [p for p in shop.home.rglob("*")
             if p.is_file() and shop.secrets not in p.parents and p.name != "told"]
    return {str(p): p.read_bytes() for p in files}


@test
def given_a_secret_then_the_command_has_it_and_nothing_that_is_kept_does():
    shop = Shop()
    told = shop.home / "told"
    with shop.daemon.wire() as wire:
        spec = {"exec": [], "profile": "vault", "env": {"OUT": str(told)}}
        equal(result(wire, spec)["stdout"].split()[0],
              hashlib.sha256(CANARY.encode()).hexdigest())
        equal(told.read_text(), CANARY, "what the command had")
        raw = {"exec": ["sh", "-c", "echo $${#TOKEN}"], "env": {"TOKEN": "secret:deploy"}}
        done = wire.call("job.run", spec=raw)
        equal(done["result"]["stdout"], f"{len(CANARY)}\n")
        shown = wire.call("job.get", id=done["id"], include=["spec", "tasks", "result"])
        true("secret:deploy" in str(shown) and CANARY not in str(shown), shown)
        events = wire.call("events.read", after=0, limit=1000)
        true(CANARY not in str(events), events)
        error = failure(wire, {"exec": ["true"], "env": {"TOKEN": "secret:other"}})
        equal((error["type"], error["data"]["stage"]), ("ExecError", "secret"))
        kept = everything_kept(shop)
        true(any(b"secret:deploy" in content for content in kept.values()), "the search works")
        shop.daemon.stop()
        kept.update(everything_kept(shop))
        for name, content in kept.items():
            true(CANARY.encode() not in content, f"the secret is in {name}")


@test
def given_text_that_looks_like_a_secret_then_it_stays_text():
    shop = Shop()
    with shop.daemon.wire() as wire:
        job = {"args": {"x": "secret:deploy"}, "do": {
            "exec": ["sh", "-c", "echo $X"], "env": {"X": "${x}"}}}
        equal(result(wire, job)["stdout"], "secret:deploy\n")
        spec = {"exec": [], "profile": "show", "env": {"LEVEL": "secret:deploy"}}
        errors = refused("InvalidSpec", wire.call, "job.run", spec=spec).data["errors"]
        equal(errors[0]["message"],
              "variable LEVEL: profile show says itself which secrets it has")


@test
def given_profiles_that_change_then_what_starts_later_meets_the_new_ones():
    shop = Shop()
    with shop.daemon.wire() as wire:
        job = {"exec": ["${job.title}"], "profile": "greet", "timeout": 5}
        equal(result(wire, job, title="you")["stdout"], "hello you\n")
        shop.write(SECTIONS.replace("[a-z]+", "[A-Z]+"))
        true("config.reloaded" in shop.reload(), "a good file")
        equal(failure(wire, job, title="you")["data"]["stage"], "profile")
        shop.write(SECTIONS, "[exec bad]\nprogram = /nowhere\n")
        said = shop.reload()
        true("config.refused" in said and "[exec bad]: /nowhere: No such file" in said, said)
        equal(result(wire, {"exec": ["YOU"], "profile": "greet", "timeout": 5})["stdout"],
              "hello YOU\n")


@test
def given_a_profile_that_is_taken_away_then_a_job_that_waits_for_it_fails():
    shop = Shop()
    with shop.daemon.wire() as wire:
        holder = wire.call("job.submit", spec={"sleep": 3600, "with": "gate"})["id"]
        job = wire.call("job.submit", spec={"exec": [], "profile": "show", "with": "gate"})["id"]
        shop.write("[gatherd]\n")
        true("config.reloaded" in shop.reload(), "a good file")
        wire.call("job.cancel", id=holder)
        wire.call("job.wait", ids=[job])
        error = wire.call("job.get", id=job)["error"]
        equal(error["data"], {"stage": "profile", "errno": 0,
                              "message": "there is no exec profile show any more"})


@test
def given_a_program_that_others_can_write_then_it_starts_neither_the_daemon_nor_a_command():
    home = scratch()
    program = home / "program"
    program.write_text("#!/bin/sh\necho good\n")
    program.chmod(0o755)
    shop = Shop(f"[exec own]\nprogram = {program}\n")
    with shop.daemon.wire() as wire:
        equal(result(wire, {"exec": [], "profile": "own"})["stdout"], "good\n")
        program.chmod(0o777)
        error = failure(wire, {"exec": [], "profile": "own"})
        equal(error["data"]["stage"], "profile")
        true("others may write to" in error["message"], error)
    shop.daemon.stop()
    shop.daemon.start(wait=False)
    equal(shop.daemon.wait(), 78)
    true(f"{shop.config}:2: [exec own]: others may write to" in shop.daemon.log(),
         shop.daemon.log())


@test
def given_limits_of_a_profile_then_the_command_has_them():
    shop = Shop("[exec limits]\nprogram = /bin/sh\nprefix = -c\n"
                "prefix = ulimit -n; ulimit -t; umask; nice; pwd\n"
                "limit-nofile = 61\nlimit-cpu = 62\numask = 027\nnice = 7\ncwd = /usr\n")
    with shop.daemon.wire() as wire:
        equal(result(wire, {"exec": [], "profile": "limits"})["stdout"].split(),
              ["61", "62", "0027", str(min(19, os.nice(0) + 7)), "/usr"])


@test
def given_root_and_a_user_then_the_command_is_that_user():
    if os.geteuid() != 0:
        return
    shop = Shop("[exec who]\nprogram = /bin/sh\nprefix = -c\nprefix = id -un; id -G; echo $HOME\n"
                "user = daemon\n")
    with shop.daemon.wire() as wire:
        equal(result(wire, {"exec": [], "profile": "who"})["stdout"].split(),
              ["daemon", "1", "/usr/sbin"])


if __name__ == "__main__":
    run()
