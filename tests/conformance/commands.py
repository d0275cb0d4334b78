"""Commands, as coroutines await them, over the programs that tests/sim/played.h describes.

asyncio's communicate() leaves the process running when it is cancelled (rule 202), and what it had
printed is lost (203). Here it is stopped, and the cancel is met when its end has come.
"""
import asyncio
import math

from errors import raised
from values import duration

SIGNALS = {9: "SIGKILL", 15: "SIGTERM"}
ATTEMPTS = 10  # of one that is interrupted, with "retry"


class Command:
    """One command, through all its attempts."""

    def __init__(self, argv, stdin=None, env=None, cwd=None, timeout=None, grace=10, pool=None,
                 check=True, on_interrupt="fail", gives_lines=False):
        for arg in argv:
            if not isinstance(arg, str):
                raise TypeError("an argument wants text")
        self.argv, self.timeout, self.grace = argv, duration(timeout), duration(grace)
        self.pool, self.check, self.on_interrupt = pool, check, on_interrupt
        self.gives_lines = gives_lines
        self.lines, self.is_deaf = [], False  # that have come; whether nobody takes more
        self.outcome, self.is_late, self.has_ended = None, False, False
        self.waiter = self.timer = None
        self.attempt = 0
        self.loop = asyncio.get_running_loop()
        self.process = None
        self.start()

    def start(self):
        self.attempt += 1
        self.process = Process(self)
        self.loop.runner.processes.append(self.process)

    def wake(self):
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def disarm(self):
        if self.timer is not None:
            self.timer.cancel()

    def end(self):
        self.disarm()
        self.has_ended = True
        self.loop.runner.remove(self.process)
        self.wake()

    # --- what the runner says ---

    def on_begin(self):
        if self.timeout is not None and self.timeout <= 0:
            self.expire()
        elif self.timeout is not None:
            self.timer = self.loop.call_at(self.loop.time() + self.timeout, self.expire)

    def expire(self):
        self.is_late = True
        self.process.stop(self.loop.time())

    def on_exit(self, outcome):
        self.disarm()
        self.outcome = outcome
        if "interrupted" in outcome and self.process.stopped is None:
            if self.on_interrupt == "retry" and self.attempt < ATTEMPTS:
                self.again()
                return
            if self.on_interrupt == "hold":
                self.process.held = self.loop.time()
                return
        self.end()

    def again(self):
        self.loop.runner.remove(self.process)
        self.start()

    def on_lines(self, lines):
        if not self.is_deaf:
            self.lines += lines
            self.wake()

    # --- what the job wants ---

    def stop(self):
        """True: its end is still to come."""
        self.is_deaf = True
        self.disarm()
        if self.has_ended:
            return False
        if self.process.begun is None or self.process.held is not None:
            self.end()
            return False
        self.process.stop(self.loop.time())
        return True

    async def wait(self, is_enough):
        """Until is_enough(). A cancel stops it, and is met when it has ended."""
        cancelled = None
        while not (is_enough() if cancelled is None else self.has_ended):
            self.waiter = self.loop.create_future()
            try:
                await self.waiter
            except asyncio.CancelledError as error:
                cancelled = cancelled or error
                self.stop()
        if cancelled is not None:
            raise cancelled

    def result(self):
        program = self.argv[0]
        if self.is_late:
            raise raised({"type": "TimeoutError", "data": self.outcome})
        if "error" in self.outcome:
            error = self.outcome["error"]
            raise raised({"type": "ExecError", "data": error, "message": "cannot start %s: %s (%s)" % (
                program, error["message"], error["stage"])})
        if "interrupted" in self.outcome:
            raise raised({"type": "InterruptedError", "data": self.outcome, "message":
                          "%s was interrupted, and how it ended is not known: %s" % (
                              program, self.outcome["interrupted"])})
        if not self.check or self.outcome["code"] == 0:
            return self.outcome
        how = "exited with %s" % self.outcome["code"]
        if self.outcome["signal"] is not None:
            how = "was ended by " + SIGNALS[self.outcome["signal"]]
        words = self.outcome["stderr"].strip().split("\n")[-1]
        raise raised({"type": "ExecError", "data": self.outcome,
                      "message": "%s %s%s" % (program, how, words and ": " + words)})


async def run_command(argv, **options):
    command = Command(argv, **options)
    await command.wait(lambda: command.has_ended)
    return command.result()


class Lines:
    """An async generator of what a command prints."""

    def __init__(self, argv, **options):
        self.command = Command(argv, gives_lines=True, **options)
        self.is_over = False

    def __aiter__(self):
        return self

    async def __anext__(self):
        command = self.command
        if not command.lines:
            await command.wait(lambda: command.lines or command.has_ended)
        if not command.lines:
            self.is_over = True
            command.result()
            raise StopAsyncIteration
        line = command.lines.pop(0)
        if not command.lines:
            command.process.wanted += 1
        return line

    async def aclose(self):
        if not self.is_over and self.command.stop():
            await self.command.wait(lambda: self.command.has_ended)


# --- the runner that is played ---


class Process:
    """An attempt, as the runner sees it."""

    def __init__(self, command):
        self.command, self.attempt = command, command.attempt
        self.name = command.argv[0]
        self.numbers, self.words = [], ""
        for word in command.argv[1:]:
            if self.name != "ok" and len(self.numbers) < 2 and is_number(word):
                self.numbers.append(float(word))
            else:
                self.words = word
        self.begun = self.stopped = self.killed = self.held = None
        self.given, self.wanted = 0, 1

    def stop(self, now):
        if self.stopped is None:
            self.stopped = now

    def line_count(self):
        return int(self.numbers[0]) if self.command.gives_lines and self.name == "lines" else 0

    def line_due(self, line):
        return self.begun + (line + 1) * self.numbers[1]

    def is_lost(self):
        return self.name == "gone" or self.name == "flaky" and self.attempt <= self.numbers[0]

    def own_end(self):
        seconds = {"lines": lambda: self.numbers[0] * self.numbers[1],
                   "flaky": lambda: self.numbers[1]}
        if self.name in ("sleep", "deaf", "tidy", "gone"):
            return self.begun + self.numbers[0]
        return self.begun + seconds.get(self.name, lambda: 0)()

    def end(self):
        """When, and by which signal; 0: by itself."""
        if self.stopped is None:
            return self.own_end(), 0
        by_kill = min(self.stopped + self.command.grace,
                      math.inf if self.killed is None else self.killed)
        if self.name not in ("deaf", "tidy"):
            return self.stopped, 15
        end = self.own_end() if self.name == "deaf" else self.stopped + self.numbers[1]
        return (end, 0) if end <= by_kill else (by_kill, 9)

    def outcome(self):
        has_failed, signal = self.name == "fail", self.end()[1]
        if self.name == "missing":
            return {"error": {"stage": "exec", "errno": 2,
                              "message": "No such file or directory"}}
        if signal == 0 and self.is_lost():
            return {"interrupted": "the runner ended"}
        return {"code": None if signal else int(self.numbers[0]) if has_failed else 0,
                "signal": signal or None, "stdout": "" if has_failed or signal else self.words,
                "stderr": self.words if has_failed else ""}

    def next(self, now, has_turn):
        """(when, what to do)"""
        if self.begun is None:
            return (now if has_turn else math.inf), self.begin
        if self.held is not None:
            return self.held + 2, self.resume
        if self.stopped is None and self.given < self.line_count():
            return (self.line_due(self.given) if self.wanted > 0 else math.inf), self.give
        return self.end()[0], self.exit

    def begin(self, now):
        self.begun = now
        self.command.on_begin()

    def resume(self, now):
        if self.attempt < 3:
            self.command.again()
        else:
            self.command.end()

    def give(self, now):
        due = [i for i in range(self.given, min(self.given + 3, self.line_count()))
               if self.line_due(i) <= now]
        self.given += len(due)
        self.wanted -= 1
        self.command.on_lines([str(i + 1) for i in due])

    def exit(self, now):
        self.command.on_exit(self.outcome())


def is_number(word):
    try:
        float(word)
    except ValueError:
        return False
    return True


class Runner:
    def __init__(self, loop):
        self.loop = loop
        self.processes = []  # in the order of asking
        self.all_ended = None

    def has_turn(self, process):
        pool = process.command.pool
        return pool is None or not any(
            p.command.pool == pool and p.begun is not None and p.held is None
            for p in self.processes)

    def next_of(self, process):
        due, act = process.next(self.loop.time(), self.has_turn(process))
        return max(due, self.loop.time()), act

    def next_due(self):
        return min((self.next_of(p)[0] for p in self.processes), default=math.inf)

    def act(self):
        """The first that happens now."""
        now = self.loop.time()
        next(act for due, act in map(self.next_of, self.processes) if due <= now)(now)

    def remove(self, process):
        if process in self.processes:
            self.processes.remove(process)
        if not self.processes and self.all_ended is not None and not self.all_ended.done():
            self.all_ended.set_result(None)

    def kill_all(self):
        for process in self.processes:
            if process.stopped is not None and process.killed is None:
                process.killed = self.loop.time()

    def stop_all(self):
        """No task is left. True: some command has not ended."""
        for process in list(self.processes):
            process.command.stop()
        if self.processes:
            self.all_ended = self.loop.create_future()
        return bool(self.processes)
