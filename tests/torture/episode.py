"""Some lives of one state directory under the crash rig, from its birth to its orderly end."""

import collections
import contextlib
import shutil
import signal
import sqlite3
import time

from checker import Log, Model, expect
from harness import PATIENCE, Refused, ctl, ctl_open, until
from load import JOBS_MAX, UNKNOWN, Load
from look import EVENTS_SLACK, Look
from server import Ended, Server

# A start that fails, or an end: by the failpoint, and by one that makes a sync fail (never 0).
SYNC_FAILS = "sqlite.sync_fails"
SYNC_FAILED = (74, 71, 78)
AT_BIRTH = {"store.before_birth", "store.after_birth", "store.in_migration"}
AT_STOP = {"store.marked_clean", "run.stopping"}
AT_UPKEEP = {"store.before_checkpoint", "store.after_checkpoint", "store.vacuumed"}
STOP_CHANCE = 0.1    # of a cycle that ends with SIGTERM
BACKUP_CHANCE = 0.04
BULKY_JOBS = 100     # whose deletion is worth a vacuum
KEEP_JOBS = 4000     # more than two cycles make, so that what is in doubt is still there
KEEP_EVENTS = 20000

# What an episode's daemon is told beside the usual.
PLAIN, SHORT_MEMORY = "plain", "short memory"
FLAGS = {PLAIN: [], SHORT_MEMORY: ["--keep-jobs", str(KEEP_JOBS),
                                   "--keep-events", str(KEEP_EVENTS)]}


class Episode:
    """One state directory, from its birth to its orderly end. `spent` adds up where time goes."""

    def __init__(self, home, rng, totals, memory=PLAIN, sabotage=None):
        self.home = home
        self.rng = rng
        self.totals = totals
        self.server = Server(home, FLAGS[memory], sabotage)
        self.log = Log(home / "acknowledged.log")
        is_short = memory == SHORT_MEMORY
        self.model = Model(self.log, KEEP_JOBS if is_short else None)
        self.look = Look(self.model, self.log, rng, KEEP_EVENTS if is_short else None)

    @contextlib.contextmanager
    def timed(self, what):
        start = time.monotonic()
        try:
            yield
        finally:
            self.totals.spent[what] += time.monotonic() - start

    # --- a cycle ---

    def come_up(self, failpoint):
        """Until a daemon runs and all that is known was found. True: the failpoint ended one."""
        has_fired = False
        while True:
            try:
                with self.timed("start"):
                    self.server.start(failpoint)
                with self.timed("check"), self.server.wire() as wire, \
                        self.server.guest_wire() as guest:
                    self.look.everything(wire, guest)
                return has_fired
            except (Ended, EOFError, OSError, Refused) as error:
                if isinstance(error, Refused):
                    self.take_unknown(error)
                code = self.server.kill()
                expect(is_expected(failpoint, code),
                       f"the daemon ended with {code} while it started: {error!r}")
            has_fired = True
            failpoint = None

    def take_unknown(self, error):
        """The one refusal that is no violation in a look: nobody knows, and the daemon ends."""
        expect(error.type == UNKNOWN, "refused:", error)
        self.model.note({"fact": "unknown"})

    def cycle(self, failpoint):
        """`failpoint`: NAME:N, or None for a random moment."""
        name = failpoint.split(":")[0] if failpoint else None
        if self.come_up(failpoint):
            self.totals.fired.add(name)
            self.server.kill()  # the second start after a crash in the first, and a crash again
            self.totals.faults += 2
            return
        backup = Backup(self) if self.rng.random() < BACKUP_CHANCE else None
        with self.timed("load"):
            load = Load(self.server, self.model, self.log, self.rng)
            try:
                died = backup is not None and self.bring_to_copy(load, backup) or \
                    self.bring_to_end(load, name)
            finally:
                load.close()
        code = self.server.process.wait(PATIENCE) if died else None
        if code is not None and code != 0 and is_expected(failpoint, code):
            self.totals.fired.add(name)
        expect(code in (None, 0) or is_expected(failpoint, code),
               f"the daemon ended by itself with {code}")
        self.server.kill()
        self.totals.faults += 1
        if backup is not None:
            with self.timed("backup"):
                backup.check()

    def bring_to_end(self, load, name):
        """Load until the failpoint ends it, or for a while. True: it has ended."""
        if name in AT_UPKEEP:
            return self.bring_to_upkeep(load)
        if name in AT_STOP or (name is None and self.rng.random() < STOP_CHANCE):
            if load.run(self.rng.uniform(0.005, 0.05)):
                return True
            self.server.process.send_signal(signal.SIGTERM)
            return load.run(PATIENCE)
        return load.run(1.5 if name else self.rng.uniform(0.005, 0.15))

    def bring_to_copy(self, load, backup):
        """Load until the backup is there, or for a while. True: it has ended."""
        end = time.monotonic() + self.rng.choice((0.05, 2))
        while backup.process.poll() is None and time.monotonic() < end:
            if load.run(0.02):
                return True
        return False

    def bring_to_upkeep(self, load):
        """The log grows, rows are deleted, and then it is quiet: a moment for checkpoints."""
        try:
            end = time.monotonic() + 5
            while load.left > JOBS_MAX - BULKY_JOBS and time.monotonic() < end:
                if load.run(0.1, is_bulky=True):
                    return True
            if load.run(0.1, is_sending=False):
                return True
            with self.server.wire() as wire:
                self.look.read_events(wire)
                self.look.delete_some(wire)
            return load.run(2, is_sending=False)
        except (EOFError, ConnectionError):
            return True

    # --- the end ---

    def settle(self):
        """Every job ends, the daemon stops in an orderly way, and the file is whole."""
        with self.timed("settle"):
            self.come_up(None)
            with self.server.wire() as wire:
                before = self.server.vitals(wire)
            load = Load(self.server, self.model, self.log, self.rng)
            expect(not load.run(0.05) and not load.run(0.05, is_sending=False),
                   "the daemon ended by itself")
            load.close()
            with self.server.wire() as wire, self.server.guest_wire() as guest:
                self.look.everything(wire, guest)
                self.wait_for_all(wire)
                self.expect_rest(wire)
                guest.close()
                self.server.expect_vitals(before, wire)
            code = self.server.stop()
            expect(code == 0, f"I9: the orderly stop gave {code}")
            self.server.expect_files()
            expect_whole(self.home / "state" / "gatherd.db")
        self.log.close()

    def wait_for_all(self, wire):
        ids = [j.id for j in self.model.live_jobs() if j.status is None and not j.deleting]
        for first in range(0, len(ids), 500):
            some = ids[first:first + 500]
            reply = wire.ask("job.wait", ids=some, timeout=PATIENCE / 2)
            if "error" in reply:  # one may have come to its end, and left, meanwhile
                self.look.read_events(wire)
                some = [id_ for id_ in some if self.model.by_id[id_].status is None]
                reply = wire.ask("job.wait", ids=some, timeout=PATIENCE / 2) if some else None
            if reply is not None and reply["result"]["pending"]:
                self.complain_pending(reply["result"]["pending"])
        self.look.read_events(wire)
        self.look.count(wire)

    def complain_pending(self, rows):
        ids = [row["id"] for row in rows]
        cancelled = [id_ for id_ in ids if self.model.by_id[id_].is_cancel_accepted]
        expect(not cancelled, "I5: the cancel was accepted, and they go on:", cancelled)
        expect(False, "I1: jobs that do not end:", ids)

    def expect_rest(self, wire):
        """Nothing is held, and what has to leave leaves."""
        for job in self.model.by_id.values():
            expect(job.status is not None, f"I2: job {job.id} ({job.n}) has no final event")
        gates = wire.call("semaphore.list")["semaphores"]
        expect(all(g["held"] == g["waiting"] == 0 for g in gates), "S: nobody is left:", gates)
        holders = {name: gate.holders for name, gate in self.model.gates.items() if gate.holders}
        expect(not holders, "S: who has ended holds:", holders)
        if self.model.keep_jobs is None:
            return
        until(lambda: sum(wire.call("server.info")["jobs"].values()) <= self.model.keep_jobs,
              "R: ended jobs leave")

        def has_let_go():
            oldest, newest = self.look.oldest_event(wire)
            return newest - oldest <= self.look.keep_events + EVENTS_SLACK
        until(has_let_go, "R: events leave")


def is_expected(failpoint, code):
    if failpoint is None:
        return False
    return code == -signal.SIGKILL or failpoint.startswith(SYNC_FAILS) and code in SYNC_FAILED


def expect_whole(path):
    link = sqlite3.connect(path)
    try:
        verdict = link.execute("pragma integrity_check").fetchall()
    finally:
        link.close()
    expect(verdict == [("ok",)], "I10: integrity_check says", verdict)


class Backup:
    """gatherctl backup while all the rest goes on. What it makes is one moment of the whole."""

    def __init__(self, episode):
        self.episode = episode
        self.path = episode.home / "backup"
        self.path.unlink(missing_ok=True)
        self.known = [j.id for j in episode.model.live_jobs()]
        self.process = ctl_open("backup", "--reconnect", "0", "--socket",
                                episode.home / "s", self.path)

    def check(self):
        """When it was done before the daemon's end: a start on it has all that there was."""
        _, words = self.process.communicate(timeout=PATIENCE)
        if self.process.returncode != 0:
            expect(not self.path.exists(), "a backup that failed is there:", words)
            return
        home = self.episode.home / "restored"
        (home / "state").mkdir(parents=True)
        shutil.copy(self.path, home / "state" / "gatherd.db")
        fsck = ctl("fsck", home / "state")
        expect(fsck.returncode == 0, "I10: fsck says of a backup:", fsck.stdout)
        server = Server(home, self.episode.server.flags)
        try:
            server.start()
            with server.wire() as wire:
                self.expect_moment(wire)
        finally:
            server.kill()
        shutil.rmtree(home)
        self.episode.totals.backups += 1

    def expect_moment(self, wire):
        """Of each job: there when it was queued by then, over when it was over by then."""
        model = self.episode.model
        rows, after = {}, None
        while True:
            page = wire.call("job.list", order="oldest", limit=1000, after=after)
            rows.update((row["id"], row) for row in page["jobs"])
            after = page["next"]
            if after is None:
                break
        newest = max((row["seq"] for row in rows.values()), default=0)
        counts = collections.Counter()
        for job in model.by_id.values():
            row = rows.get(job.id)
            counts[row is not None] += 1
            if row is not None:
                expect(row["title"] == f"n{job.n}" and row["seq"] == job.seq, "another job:", row)
            elif job.seq <= newest and not job.deleting:
                expect(model.may_be_gone(job), f"job {job.id} is not in a backup that goes to "
                       f"event {newest}:", counts)
        missing = [id_ for id_ in self.known if id_ not in rows and not model.by_id[id_].deleting
                   and not model.may_be_gone(model.by_id[id_])]
        expect(not missing, "known before the backup, and not in it:", missing[:20])
