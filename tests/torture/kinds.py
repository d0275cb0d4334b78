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
    is_raced: bool = False      # the cancel may come too late; then it is completed
    is_signalled: bool = False  # by the rig, as soon as it was accepted: see signal_params()
    is_bulky: bool = False
    retain: float = None        # seconds that it stays after its end; such a job has no key


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
    """Of gates whose permits change all the time, and of one that nobody puts: it has one."""
    gate = ("gate0", "gate1", "solo")[n % 3]
    return Kind({"do": [{"yield": f"{gate} in"}, {"sleep": 0.001}, {"yield": f"{gate} out"},
                        {"value": n}], "with": gate},
                result=n, yields=(f"{gate} in", f"{gate} out"))


def cancelled(_):
    return Kind({"try": {"sleep": 3600}, "finally": [{"sleep": 0.002}, {"yield": "cleanup"}]},
                status="cancelled", error="CancelledError", yields=("cleanup",), is_cancelled=True)


def raced(n):
    """Its end and its cancel come at the same time."""
    return Kind({"sleep": n % 8 / 1000, "result": n}, result=n, error="CancelledError",
                is_cancelled=True, is_raced=True)


def large(n):
    """A result that a client reads in pieces."""
    return Kind({"value": [n, "large " * 600]}, result=[n, "large " * 600])


def signalled(n):
    """It waits for what the rig tells it, or finds it there already."""
    return Kind([{"sleep": n % 3 / 1000}, {"event": "go", "as": "told"}, {"yield": "${told}"},
                 {"sleep": 0.001}, {"event": "go"}], result=n, yields=(n,), is_signalled=True)


def fleeting(n):
    return Kind({"value": {"fleeting": n}}, result={"fleeting": n}, retain=0.1)


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
         cancelled, failed, race, generator, raced, large, signalled)
BATCHED = 10**9  # numbers from here on go out many in one request, without keys


def kind_of(n):
    """Every 97th job spins, every 41st is bulky, every 43rd leaves soon after its end."""
    if n < BATCHED:
        if n % 97 == 96:
            return spin(n)
        if n % 41 == 40:
            return bulky(n)
        if n % 43 == 42:
            return fleeting(n)
    return USUAL[n * 7919 % len(USUAL)](n)


def is_guests(n):
    """Every 16th job is handed in by somebody else, who may see nothing but these."""
    return n < BATCHED and n % 16 == 7


def key_of(n):
    """Every tenth job has none. A guest's is one that others use as well: keys are one's own."""
    if n >= BATCHED or n % 10 == 0 or n % 43 == 42:
        return None
    return f"k{n - 1}" if is_guests(n) else f"k{n}"


def submit_params(n, kind):
    """The same number, the same request. The title tells whose job it is where no reply does."""
    params = {"spec": kind.spec, "args": kind.args, "title": f"n{n}"}
    if key_of(n) is not None:
        params["key"] = key_of(n)
    if kind.retain is not None:
        params["retain"] = kind.retain
    return params


def signal_params(job):
    """The same job, the same request."""
    return {"id": job.id, "event": "go", "value": job.n, "key": f"go {job.n}"}


def titled_spec(n, kind):
    """For a request with many jobs: what is said in submit_params() stands in the spec."""
    spec = dict(kind.spec) if isinstance(kind.spec, dict) else {"do": kind.spec}
    spec["title"] = f"n{n}"
    if kind.args:
        spec["args"] = kind.args
    return spec
