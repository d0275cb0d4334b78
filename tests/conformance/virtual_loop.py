"""An asyncio event loop whose clock moves only when nothing else can happen, and its tasks.

Where CPython leaves an order open, or 3.11 has a defect that 3.13 has not, the job language has
decided; those few points are here: equal deadlines fire in the order in which they were armed, and
a task whose last cancel was taken back has none pending any more.
"""
import asyncio
import heapq
import math
import selectors
from asyncio import events, tasks

from commands import Runner


class Timer(asyncio.TimerHandle):
    """A timer that keeps the order of arming among equal deadlines."""

    __slots__ = ("order",)

    def __init__(self, when, callback, args, loop, context):
        super().__init__(when, callback, args, loop, context)
        loop.timers_armed += 1
        self.order = loop.timers_armed

    def __lt__(self, other):
        return (self._when, self.order) < (other._when, other.order)


class JobTask(tasks._PyTask):
    """A task as it is in 3.13, which knows when it ended. Only the Python one lets its pending
    cancel be withdrawn."""

    ended = float("inf")  # among all that have ended

    def _Future__schedule_callbacks(self):
        self._loop.tasks_ended += 1
        self.ended = self._loop.tasks_ended
        super()._Future__schedule_callbacks()

    def uncancel(self):
        left = super().uncancel()
        if left == 0:
            self._must_cancel = False
        return left


class Stuck(Exception):
    """Nothing is ready and no timer is armed, but the job has not ended."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """One for a process: reset() makes it new for the next job."""

    def __init__(self):
        super().__init__(selectors.SelectSelector())
        self._clock_resolution = 1e-9
        self._selector.select = self.pass_time
        self.set_task_factory(VirtualLoop.make_task)
        self.reset()

    def reset(self):
        self.virtual = 0.0
        self.timers_armed = self.tasks_ended = 0
        self.live = []  # tasks in the order of their creation
        self.runner = Runner(self)
        self._ready.clear()
        self._scheduled.clear()
        self._timer_cancelled_count = 0
        events.set_event_loop(self)

    def make_task(self, coroutine, context=None):
        task = JobTask(coroutine, loop=self, context=context)
        self.live.append(task)
        return task

    def time(self):
        return self.virtual

    def pass_time(self, timeout=None):
        if timeout == 0:
            return []
        timer = self._scheduled[0]._when if timeout is not None else math.inf
        due = self.runner.next_due()
        if due < timer:  # what commands do comes behind all else at its moment
            self.virtual = due
            self.runner.act()
        elif timeout is None:
            raise Stuck("nothing is left to wait for")
        else:
            self.virtual = timer
        return []

    def call_at(self, when, callback, *args, context=None):
        timer = Timer(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer

    def _asyncgen_finalizer_hook(self, generator):
        """Nothing of a job runs because its memory was found to be free."""

    def sweep(self):
        """What asyncio.run() does at the end, but in the order of creation, and until no task is
        left: tasks that were made by the clean-up of others are cancelled as well."""
        while True:
            left = [t for t in self.live if not t.done()]
            if not left:
                break
            for task in left:
                task.cancel()
            self.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        if self.runner.stop_all():
            self.run_until_complete(self.runner.all_ended)
