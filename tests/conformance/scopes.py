"""What lies around steps: timeout, retry, undo, closing. asyncio.timeout() is as it is in 3.13."""
import asyncio
import inspect

from commands import Lines
from errors import failure
from values import duration


class timeout:
    """asyncio.timeout(), with the comparison of cancel counts that came after 3.11.2."""

    def __init__(self, delay):
        self.delay = duration(delay)
        self.has_fired = False
        self.timer = None

    async def __aenter__(self):
        self.task = asyncio.current_task()
        self.cancels_before = self.task.cancelling()
        loop = self.task.get_loop()
        if self.delay is not None and self.delay <= 0:
            self.timer = loop.call_soon(self.fire)
        elif self.delay is not None:
            self.timer = loop.call_at(loop.time() + self.delay, self.fire)
        return self

    def disarm(self):
        if self.timer is not None:
            self.timer.cancel()

    def fire(self):
        self.has_fired = True
        self.task.cancel()

    async def __aexit__(self, kind, error, traceback):
        if not self.has_fired:
            self.disarm()
            return
        ours_alone = self.task.uncancel() <= self.cancels_before
        if ours_alone and isinstance(error, asyncio.CancelledError):
            raise TimeoutError from error


class Retry:
    """The options of a `retry`, evaluated once."""

    def __init__(self, attempts, delay=0, backoff=1, max_delay=None, timeout=None):
        if type(attempts) is not int or attempts < 1:
            raise ValueError("attempts is a whole number of at least 1")
        self.attempts = range(1, attempts + 1)
        self.last = attempts
        self.delay, self.backoff = duration(delay), backoff
        self.max_delay, self.timeout = duration(max_delay), timeout

    def pause(self, attempt):
        pause = self.delay * self.backoff ** (attempt - 1)
        return pause if self.max_delay is None else min(self.max_delay, pause)


class Undos:
    """The undos that steps of a `try` body, an attempt or the job have registered."""

    def __init__(self, outer):
        self.outer = outer
        self.entries = []
        self.state = "open"  # then: failed, or passed (what it had went to the outer one)

    def taker(self):
        """The scope that is in charge now; None when the job has ended well."""
        scope = self
        while scope is not None and scope.state == "passed":
            scope = scope.outer
        return scope

    async def add(self, entry):
        """Registers. What comes too late, to a scope that has failed, is run at once."""
        scope = self.taker()
        if scope is None:
            return
        if scope.state == "failed":
            await unwind([entry])
        else:
            scope.entries.append(entry)

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, error, traceback):
        outer = self.outer and self.outer.taker()
        if error is None and (outer is None or outer.state == "open"):
            self.state = "passed"
            if outer is not None:
                outer.entries += self.entries
            return
        try:
            await unwind(self.entries)
        finally:
            self.state = "failed"


async def unwind(entries):
    """Runs them, last first, each in a task of its own that a cancel of ours does not reach."""
    me = asyncio.current_task()
    cancelled = None
    while entries:
        task = asyncio.create_task(entries.pop()())
        while not task.done():
            before = me.cancelling()
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError as error:
                # That of the task alone, which had raised or met it, is an error like others.
                if not task.cancelled() or me.cancelling() > before:
                    cancelled = error
            except BaseException:
                pass  # the first error stays
    if cancelled is not None:
        raise cancelled


class aclosing:
    """contextlib.aclosing(). A generator that yields while it is being closed is left there for
    good, without its timeouts: were it freed, CPython would go on with it, whenever that is."""

    left = []

    def __init__(self, generator):
        self.generator = generator

    async def __aenter__(self):
        return self.generator

    async def __aexit__(self, kind, error, traceback):
        try:
            await self.generator.aclose()
        except RuntimeError:
            self.leave(self.generator)
            raise

    def leave(self, generator):
        """With what stands around its `yield`: timeouts, and generators that it goes over."""
        self.left.append(generator)
        around = generator.ag_frame.f_locals.values() if generator.ag_frame else ()
        for value in around:
            if isinstance(value, timeout):
                value.disarm()
            elif isinstance(value, Lines):
                value.command.stop()
            elif inspect.isasyncgen(value):
                self.leave(value)


SCOPES = {"aclosing": aclosing, "failure": failure, "timeout": timeout, "Retry": Retry,
          "Undos": Undos}
