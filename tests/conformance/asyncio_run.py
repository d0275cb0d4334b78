#!/usr/bin/python3
"""Runs jobs of the job language on CPython's asyncio, under a virtual clock.

Reads one job a line from standard input: when to cancel it in milliseconds, or -1; a tab; the job.
For each it prints a line for every value that the job
yields, "TIME yield JSON", then "TIME completed JSON" or "TIME failed TYPE", then an empty line.
TIME is in milliseconds since the start.

Where CPython leaves an order open, the order of the job language is taken: equal deadlines fire in
the order in which they were armed, and as_completed begins its branches in argument order.
"""
import asyncio
import heapq
import json
import re
import selectors
import sys
from asyncio import events


class Timer(asyncio.TimerHandle):
    """A timer that keeps the order of arming among equal deadlines."""

    count = 0

    def __init__(self, *args):
        super().__init__(*args)
        Timer.count += 1
        self.order = Timer.count

    def __lt__(self, other):
        return (self._when, self.order) < (other._when, other.order)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time passes only when nothing else can happen."""

    def __init__(self):
        super().__init__(selectors.SelectSelector())
        self.virtual = 0.0
        self._clock_resolution = 1e-9
        self._selector.select = self.pass_time

    def time(self):
        return self.virtual

    def pass_time(self, timeout=None):
        if timeout is None:
            raise RuntimeError("nothing is left to wait for")
        if timeout > 0:
            self.virtual = self._scheduled[0]._when
        return []

    def call_at(self, when, callback, *args, context=None):
        timer = Timer(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer


class Dot(dict):
    """An object whose members are attributes, as expressions write them."""

    __getattr__ = dict.__getitem__


def scan(value, env):
    """A value position."""
    if isinstance(value, str):
        whole = re.fullmatch(r"\$\{(.*)\}", value)
        return eval(whole[1], {"range": range, "len": len}, env) if whole else value
    if isinstance(value, list):
        return [scan(v, env) for v in value]
    if isinstance(value, dict):
        return {k: scan(v, env) for k, v in value.items()}
    return value


def plain(value):
    """An exception as the object that stands for it."""
    if isinstance(value, asyncio.CancelledError):
        return Dot(type="CancelledError")
    if isinstance(value, BaseException):
        return Dot(type=type(value).__name__)
    return value


async def in_order_as_completed(tasks, timeout):
    """asyncio.as_completed() of 3.11, with an ordered set."""
    todo = dict.fromkeys(tasks)
    done = asyncio.Queue()

    def on_timeout():
        for f in todo:
            f.remove_done_callback(on_completion)
            done.put_nowait(None)
        todo.clear()

    def on_completion(f):
        if not todo:
            return
        del todo[f]
        done.put_nowait(f)
        if not todo and timer is not None:
            timer.cancel()

    count = len(todo)
    for f in todo:
        f.add_done_callback(on_completion)
    timer = None
    if todo and timeout is not None:
        timer = asyncio.get_running_loop().call_later(timeout, on_timeout)
    for _ in range(count):
        f = await done.get()
        if f is None:
            raise asyncio.TimeoutError
        yield f


class Job:
    def __init__(self, spec):
        self.spec = spec if isinstance(spec, dict) and "do" in spec else {"do": spec}
        self.defs = self.spec.get("def", {})
        self.out = []

    def note(self, what, value):
        at = asyncio.get_running_loop().time() * 1000
        self.out.append("%.0f %s %s" % (at, what, value))

    async def main(self):
        try:
            return await self.node(self.spec["do"], {})
        finally:
            pass

    async def node(self, node, env):
        if isinstance(node, list):
            value, scope = None, env
            for step in node:
                value = await self.node(step, scope)
                if isinstance(step, dict) and "as" in step:
                    scope[step["as"]] = value
            return value
        op = next(k for k in node if hasattr(self, "op_" + k) and (k != "do" or len(
            [o for o in node if hasattr(self, "op_" + o)]) == 1))
        return await getattr(self, "op_" + op)(node, env)

    async def op_sleep(self, node, env):
        return await asyncio.sleep(scan(node["sleep"], env), scan(node.get("result"), env))

    async def op_value(self, node, env):
        return scan(node["value"], env)

    async def op_yield(self, node, env):
        self.note("yield", json.dumps(scan(node["yield"], env), separators=(",", ":")))

    async def op_do(self, node, env):
        if "for" not in node:
            return await self.node(node["do"], dict(env))
        out = []
        for item in scan(node["in"], env):
            out.append(await self.node(node["do"], {**env, node["for"]: item}))
        return out

    async def op_call(self, node, env):
        d = self.defs[node["call"]]
        args = dict(zip(d["params"], scan(node["args"], env)))
        try:
            return await self.node(d["do"], args)
        except Return as r:
            return r.value

    async def op_return(self, node, env):
        raise Return(scan(node["return"], env))

    async def op_create_task(self, node, env):
        return asyncio.create_task(self.node(node["create_task"], dict(env)))

    async def op_await(self, node, env):
        return await scan(node["await"], env)

    async def op_cancel(self, node, env):
        return scan(node["cancel"], env).cancel(node.get("message"))

    def branches(self, node, op, env):
        """(name or index, awaitable or node, environment) for each branch."""
        body = node[op]
        if "for" in node:
            return [(i, body, {**env, node["for"]: item})
                    for i, item in enumerate(scan(node["in"], env))]
        items = body.items() if isinstance(body, dict) else enumerate(body)
        return [(key, branch, dict(env)) for key, branch in items]

    def start(self, node, op, env):
        """The keys of the branches, and what asyncio is given for them."""
        limit = asyncio.Semaphore(node["limit"]) if "limit" in node else None

        async def limited(branch, scope):
            async with limit:
                return await self.node(branch, scope)

        keys, tasks = [], []
        for key, branch, scope in self.branches(node, op, env):
            if limit is not None:
                task = limited(branch, scope)
            elif isinstance(branch, dict) and list(branch) == ["await"]:
                task = scan(branch["await"], scope)
            else:
                task = self.node(branch, scope)
            keys.append(key)
            tasks.append(task)
        return keys, tasks

    async def op_gather(self, node, env):
        keys, tasks = self.start(node, "gather", env)
        got = await asyncio.gather(*tasks,
                                   return_exceptions=node.get("return_exceptions", False))
        got = [plain(v) for v in got]
        return dict(zip(keys, got)) if isinstance(node["gather"], dict) and "for" not in node else got

    async def op_as_completed(self, node, env):
        keys, tasks = self.start(node, "as_completed", env)
        tasks = [asyncio.ensure_future(t) for t in tasks]
        first = {}
        for key, task in zip(keys, tasks):
            first.setdefault(task, key)
        named = isinstance(node["as_completed"], dict) and "for" not in node
        out = []
        async for f in in_order_as_completed(tasks, node.get("timeout")):
            c = Dot({"name" if named else "index": first[f], "result": f.result()})
            if "do" in node:
                out.append(await self.node(node["do"], {**env, node["as"]: c}))
            else:
                out.append(c.result)
        return out


class Return(Exception):
    def __init__(self, value):
        super().__init__()
        self.value = value


def run(spec, cancel_at):
    job = Job(spec)
    loop = VirtualLoop()
    events.set_event_loop(loop)
    task = loop.create_task(job.main())
    if cancel_at >= 0:
        loop.call_at(cancel_at / 1000, task.cancel)
    try:
        value = loop.run_until_complete(task)
        end = "completed " + json.dumps(plain(value), separators=(",", ":"))
    except asyncio.CancelledError:
        end = "failed CancelledError"
    except Exception as e:
        end = "failed " + ("TimeoutError" if isinstance(e, asyncio.TimeoutError) else type(e).__name__)
    at = loop.time() * 1000
    for t in asyncio.all_tasks(loop):
        t.cancel()
    loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(loop), return_exceptions=True))
    job.out.append("%.0f %s" % (at, end))
    loop.close()
    return job.out


def main():
    import logging
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        cancel_at, spec = line.split("\t")
        print("\n".join(run(json.loads(spec), int(cancel_at))) + "\n", flush=True)


main()
