"""The jobs of the crash rig: what each is, and all that may be seen of it.

A job is made from its number alone, so that the checker's log needs nothing else. What it gives
does not depend on when the daemon is killed: that is what the rig is about.
"""

import dataclasses


@dataclasses.dataclass
class Kind:
    """A job, and what must come of it."""
    spec: object
    args: dict = dataclasses.field(default_factory=dict)
    status: str = "completed"
    result: object = None
    error: str = None           # type, of one that fails
    yields: tuple = ()          # in this order, each once
    takes: float = None         # seconds, exactly, on the job's own clock
    is_cancelled: bool = False  # by the rig, as soon as it was accepted
    is_bulky: bool = False


def value(n):
    return Kind({"value": {"n": n}}, result={"n": n})


def sleep(n):
    return Kind({"sleep": n % 20 / 1000, "result": n}, result=n, takes=n % 20 / 1000)


def steps(n):
    return Kind({"args": {"n": 0}, "do": [
        {"do": [{"sleep": 0.002}, {"yield": "${n * 100 + i}"}], "for": "i", "in": "${range(5)}"},
        {"return": "${n}"}]}, args={"n": n}, result=n, yields=tuple(n * 100 + i for i in range(5)),
        takes=0.01)


def gather(n):
    return Kind({"args": {"n": 0}, "do": {
        "gather": {"sleep": "${(n + i) % 7 / 1000}", "result": "${n + i}"}, "for": "i",
        "in": "${range(8)}", "limit": 3}}, args={"n": n}, result=[n + i for i in range(8)])


def as_completed(n):
    return Kind([{"as_completed": {"c": {"sleep": 0.006}, "a": {"sleep": 0.002},
                                   "b": {"sleep": 0.004}},
                  "do": {"yield": "${c.name}"}, "as": "c"}, {"return": n}],
                result=n, yields=("a", "b", "c"), takes=0.006)


def task_group(n):
    return Kind({"try": {"task_group": {"bad": [{"sleep": 0.003}, {"raise": "Boom"}],
                                        "slow": {"sleep": 3600}}},
                 "except": {"ExceptionGroup": {
                     "value": ["${[e.type for e in error.data.exceptions]}", n]}}},
                result=[["Boom"], n], takes=0.003)


def timeout(n):
    return Kind({"try": {"sleep": 3600, "timeout": 0.005},
                 "except": {"TimeoutError": {"value": ["late", n]}}},
                result=["late", n], takes=0.005)


def retry(n):
    return Kind({"do": [{"yield": "${attempt}"},
                        {"if": "${attempt < 4}", "raise": "Flaky", "else": {"value": n}}],
                 "retry": {"attempts": 5, "delay": 0.003, "backoff": 2, "max_delay": 0.01,
                           "jitter": True, "on": ["Flaky"]}},
                result=n, yields=(1, 2, 3, 4))


def undo(n):
    return Kind({"try": [{"value": 1, "undo": {"yield": "undo 1"}}, {"sleep": 0.004},
                         {"value": 2, "undo": {"yield": "undo 2"}}, {"raise": "Late"}],
                 "except": {"Late": {"value": n}}},
                result=n, yields=("undo 2", "undo 1"), takes=0.004)


def permit(n):
    return Kind({"do": [{"sleep": 0.001}, {"yield": "in"}, {"value": n}], "with": f"gate{n % 2}"},
                result=n, yields=("in",))


def cancelled(_):
    return Kind({"try": {"sleep": 3600}, "finally": [{"sleep": 0.002}, {"yield": "cleanup"}]},
                status="cancelled", error="CancelledError", yields=("cleanup",), is_cancelled=True)


def failed(n):
    return Kind([{"sleep": 0.002}, {"raise": {"type": "Planned", "message": str(n)}}],
                status="failed", error="Planned", takes=0.002)


def race(n):
    return Kind([{"race": {"a": {"sleep": 0.005}, "b": {"sleep": 0.002, "result": n}}, "as": "r"},
                 {"return": "${r}"}], result={"name": "b", "result": n}, takes=0.002)


def generator(n):
    return Kind({"def": {"count": {"params": ["k"], "do": {
        "do": [{"sleep": 0.001}, {"yield": "${i}"}], "for": "i", "in": "${range(k)}"}}},
        "do": {"async_for": {"call": "count", "args": [4]}, "as": "x",
               "do": [{"yield": f"${{x + {n}}}"}, {"value": "${x}"}]}},
        result=[0, 1, 2, 3], yields=tuple(n + i for i in range(4)), takes=0.004)


def spin(n):
    """Enough ticks that the loop has to journal what time it is."""
    return Kind({"events": "job", "do": [
        {"do": {"sleep": 0}, "for": "i", "in": "${range(10500)}"}, {"return": n}]}, result=n)


def bulky(n):
    """Makes the log grow and, deleted, free pages."""
    return Kind({"args": {"text": "", "n": 0}, "do": {"value": "${[n, len(text)]}"}},
                args={"text": "x" * 100_000, "n": n}, result=[n, 100_000], is_bulky=True)


USUAL = (value, sleep, steps, gather, as_completed, task_group, timeout, retry, undo, permit,
         cancelled, failed, race, generator)


def kind_of(n):
    """Every 97th job spins, every 41st is bulky."""
    if n % 97 == 96:
        return spin(n)
    if n % 41 == 40:
        return bulky(n)
    return USUAL[n * 7919 % len(USUAL)](n)
