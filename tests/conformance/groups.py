"""The combinators, each in the words of asyncio. Branches are a list or, with names, an object.

A branch is a coroutine, a task where it was exactly {"await": handle}, or an After.
"""
import asyncio

from errors import described
from values import awaited, duration


class After:
    """A branch with `after`: the coroutine `body(*results, *args)`, begun when its siblings `keys`
    have ended. If one of them failed, it fails with that error."""

    def __init__(self, keys, body, *args):
        self.keys, self.body, self.args = keys, body, args
        self.gate = asyncio.get_running_loop().create_future()

    async def run(self, limit):
        failed = await self.gate
        if failed is not None:
            failed.result()
        results = [t.result() for t in self.siblings]
        return await limited(limit, self.body(*results, *self.args))

    def listen(self, siblings):
        self.siblings = siblings
        self.left = len(siblings)
        if not siblings:
            self.gate.set_result(None)
        for task in siblings:
            task.add_done_callback(self.on_end)

    def on_end(self, task):
        self.left -= 1
        has_failed = task.cancelled() or task.exception() is not None
        if not self.gate.done() and (has_failed or self.left == 0):
            self.gate.set_result(task if has_failed else None)


async def limited(limit, coroutine):
    if limit is None:
        return await coroutine
    async with limit:
        return await coroutine


class Branches:
    """The branches of one combinator, and their keys for its result."""

    def __init__(self, branches, limit=None):
        self.is_named = isinstance(branches, dict)
        pairs = list(branches.items() if self.is_named else enumerate(branches))
        self.keys = [key for key, _ in pairs]
        self.all = [branch for _, branch in pairs]
        if limit is not None and (type(limit) is not int or limit < 1):
            raise ValueError("limit is a whole number of at least 1")
        self.limit = None if limit is None else asyncio.Semaphore(limit)

    def awaitables(self):
        """For asyncio, in the order of the arguments."""
        return [b.run(self.limit) if isinstance(b, After)
                else b if self.limit is None else limited(self.limit, b) for b in self.all]

    def link(self, tasks):
        """Lets branches with `after` know their siblings. The combinator listens already."""
        for branch in self.all:
            if isinstance(branch, After):
                branch.listen([tasks[self.keys.index(k)] for k in branch.keys])

    def result(self, values):
        return dict(zip(self.keys, values)) if self.is_named else list(values)

    def completion(self, tasks, task):
        """{name, result} or {index, result}; a task that is there twice has its first index."""
        key = self.keys[tasks.index(task)]
        return {"name" if self.is_named else "index": key, "result": task.result()}


def in_order_of_ends(tasks):
    """Without duplicates; what has ended already in the order in which it did, where CPython goes
    over a set."""
    return sorted(dict.fromkeys(tasks), key=lambda task: task.ended)


def joined_task(value):
    """A branch that is exactly {"await": value}."""
    return value if asyncio.isfuture(value) else awaited(value)


async def gather(branches, limit=None, return_exceptions=False):
    branches = Branches(branches, limit)
    outer = asyncio.gather(*branches.awaitables(), return_exceptions=return_exceptions)
    branches.link(getattr(outer, "_children", []))
    got = await outer
    return branches.result(described(v) if isinstance(v, BaseException) else v for v in got)


class as_completed:
    """asyncio.as_completed() of 3.11, with ordered sets. Iterates over completions."""

    def __init__(self, branches, limit=None, timeout=None):
        self.branches = Branches(branches, limit)
        self.tasks = [asyncio.ensure_future(t) for t in self.branches.awaitables()]
        self.todo = dict.fromkeys(in_order_of_ends(self.tasks))
        self.left = len(self.todo)
        self.done = asyncio.Queue()
        self.timer = None
        for task in self.todo:
            task.add_done_callback(self.on_completion)
        self.branches.link(self.tasks)
        delay = duration(timeout)
        if self.todo and delay is not None:
            # Overdue is overdue: how long it has been makes no order.
            self.timer = asyncio.get_running_loop().call_later(max(delay, 0), self.on_timeout)

    def on_timeout(self):
        for task in self.todo:
            task.remove_done_callback(self.on_completion)
            self.done.put_nowait(None)
        self.todo.clear()

    def on_completion(self, task):
        if not self.todo:
            return
        del self.todo[task]
        self.done.put_nowait(task)
        if not self.todo and self.timer is not None:
            self.timer.cancel()

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self.left == 0:
            raise StopAsyncIteration
        self.left -= 1
        task = await self.done.get()
        if task is None:
            raise TimeoutError
        return self.branches.completion(self.tasks, task)


async def task_group(branches, limit=None):
    """`async with TaskGroup()` of 3.13 whose body only makes the tasks."""
    branches = Branches(branches, limit)
    me = asyncio.current_task()
    group = Group(me)
    tasks = [group.create_task(b if asyncio.iscoroutine(b) else awaited(b))
             for b in branches.awaitables()]
    branches.link(tasks)
    await group.join()
    return branches.result(t.result() for t in tasks)


class Group:
    """The accounting of TaskGroup at the end of its block."""

    def __init__(self, owner):
        self.owner = owner
        self.open = {}  # tasks that have not ended, in the order of creation
        self.errors = []
        self.is_aborting = False
        self.has_cancelled_owner = False
        self.all_ended = None

    def create_task(self, coroutine):
        task = asyncio.create_task(coroutine)
        self.open[task] = None
        task.add_done_callback(self.on_end)
        return task

    def abort(self):
        self.is_aborting = True
        for task in self.open:
            if not task.done():
                task.cancel()

    def on_end(self, task):
        del self.open[task]
        if self.all_ended is not None and not self.open and not self.all_ended.done():
            self.all_ended.set_result(True)
        if task.cancelled() or task.exception() is None:
            return
        self.errors.append(task.exception())
        if not self.is_aborting and not self.has_cancelled_owner:
            self.abort()
            self.has_cancelled_owner = True
            self.owner.cancel()

    async def join(self):
        cancelled = None
        while self.open:
            if self.all_ended is None:
                self.all_ended = asyncio.get_running_loop().create_future()
            try:
                await self.all_ended
            except asyncio.CancelledError as error:
                if not self.is_aborting:  # somebody cancels the owner
                    cancelled = error
                    self.abort()
            self.all_ended = None
        if self.has_cancelled_owner and self.owner.uncancel() == 0:
            cancelled = None
        if cancelled is not None and not self.errors:
            raise cancelled
        if self.errors:
            if self.owner.cancelling():
                # Errors go first, so the cancel comes again at the next wait.
                self.owner.uncancel()
                self.owner.cancel()
            raise BaseExceptionGroup("unhandled errors in a TaskGroup", self.errors)


async def race(branches, limit=None, until_success=False):
    branches = Branches(branches, limit)
    tasks = [asyncio.ensure_future(t) for t in branches.awaitables()]
    if not tasks:
        raise ValueError("a race without branches")
    distinct = in_order_of_ends(tasks)
    decided = asyncio.get_running_loop().create_future()
    order = []

    def has_won(task):
        return not task.cancelled() and task.exception() is None

    def on_end(task):
        order.append(task)
        if not decided.done() and (not until_success or has_won(task)
                                   or len(order) == len(distinct)):
            decided.set_result(None)

    for task in distinct:
        task.add_done_callback(on_end)
    branches.link(tasks)
    try:
        await decided
    finally:
        losers = [t for t in dict.fromkeys(tasks) if not t.done()]
        for task in losers:
            task.cancel()
        if losers:
            await asyncio.wait(losers)
    winner = order[0]
    if until_success:
        winner = next((t for t in order if has_won(t)), order[-1])
    return branches.completion(tasks, winner)


async def wait(tasks, timeout=None, return_when="ALL_COMPLETED"):
    if not isinstance(tasks, list) or not all(asyncio.isfuture(t) for t in tasks):
        raise TypeError("wait wants a list of handles")
    delay = duration(timeout)
    done, _ = await asyncio.wait(tasks, timeout=None if delay is None else max(delay, 0),
                                 return_when=return_when)
    tasks = list(dict.fromkeys(tasks))
    return {"done": [t for t in tasks if t in done],
            "pending": [t for t in tasks if t not in done]}


GROUPS = {"After": After, "gather": gather, "as_completed": as_completed,
          "task_group": task_group, "race": race, "wait": wait, "joined_task": joined_task}
