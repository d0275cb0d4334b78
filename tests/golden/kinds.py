"""The jobs of golden state: what each is, and what must come of it.

All but those that are over come to rest within a moment: they wait for something that is an hour
away or more, for a permit, or for a cancel. `then` says what ends one, and the rest what it ends
with; that follows from the language and not from any daemon. Kinds are added, never changed: what
is recorded of them stays.
"""

import dataclasses

FAR = "3650d"        # nobody opens a state that late
DUE = "due"          # its sleeps, as soon as the clock has gone on for five days
CANCEL = "cancel"    # job.cancel
PERMIT = "permit"    # semaphore.put with one permit more
OVER = "over"        # it has ended when the state is recorded
YIELDED = object()   # the result is what it yielded first


@dataclasses.dataclass
class Kind:
    """A job. `yields` and `takes` are what is seen of it until its end, from its start on."""
    name: str
    spec: object
    then: str = DUE
    status: str = "completed"
    result: object = None
    error: str = None          # the type, of one that does not complete
    yields: tuple = ()
    takes: float = None        # seconds on its own clock
    submit: dict = dataclasses.field(default_factory=dict)
    start_in: float = None     # start_at, so many seconds ahead
    is_cancelled: bool = False  # job.cancel, before the state is recorded
    is_brief: bool = False     # it is not kept for five days
    since: int = 1             # version of the schema


def over():
    """Jobs that have ended: what they left must stay readable as it was."""
    return [
        Kind("value", {"value": {"n": 1, "text": "Grüße, 世界 \" \\ \n", "list": [1, 2.5, None, True]}},
             OVER, result={"n": 1, "text": "Grüße, 世界 \" \\ \n", "list": [1, 2.5, None, True]}),
        Kind("numbers", {"value": [9223372036854775807, -9223372036854775808, 1e308, 5e-324, 0.1]},
             OVER, result=[9223372036854775807, -9223372036854775808, 1e308, 5e-324, 0.1]),
        Kind("long result", {"value": "${join('', [str(i % 10) for i in range(3000)])}"}, OVER,
             result="0123456789" * 300),
        Kind("keyed", {"args": {"a": 0, "b": "x"}, "do": {"value": "${[a, b]}"}}, OVER,
             result=[7, "x"], submit={"args": {"a": 7}, "key": "keyed-1", "title": "with a key",
                                      "labels": ["red", "green"]}),
        Kind("failed", [{"yield": "before"}, {"raise": {"type": "Full", "message": "no room",
                                                        "data": {"left": [0]}}}],
             OVER, "failed", error="Full", yields=("before",)),
        Kind("division", {"args": {"n": 0}, "do": [{"gather": {"a": {"value": "${1 // n}"}}}]},
             OVER, "failed", error="ZeroDivisionError"),
        Kind("group fails", {"task_group": {"a": {"raise": "A"}, "b": [{"sleep": 0.001}]}}, OVER,
             "failed", error="ExceptionGroup"),
        Kind("cancelled", {"try": {"sleep": FAR}, "finally": {"yield": "cleanup"}}, OVER,
             "cancelled", error="CancelledError", yields=("cleanup",), is_cancelled=True),
        Kind("cancelled before its start", {"value": 1}, OVER, "cancelled",
             error="CancelledError", start_in=86400, is_cancelled=True),
        Kind("completions", {"as_completed": {"c": {"sleep": 0.006}, "a": {"sleep": 0.002},
                                              "b": {"sleep": 0.004}},
                             "do": {"yield": "${c.name}"}, "as": "c"},
             OVER, result=[None, None, None], yields=("a", "b", "c"), takes=0.006),
        Kind("race", {"race": {"a": {"sleep": FAR}, "b": {"sleep": 0.002, "result": 5}}}, OVER,
             result={"name": "b", "result": 5}, takes=0.002),
        Kind("named tasks", [{"create_task": {"sleep": 0.002, "result": 1}, "name": "one", "as": "t"},
                             {"await": "${t}"}], OVER, result=1, takes=0.002),
        Kind("retried", {"do": [{"yield": "${attempt}"},
                                {"if": "${attempt < 3}", "raise": "Flaky", "else": {"value": "ok"}}],
                         "retry": {"attempts": 3, "delay": 0.001, "backoff": 2, "jitter": True}},
             OVER, result="ok", yields=(1, 2, 3)),
        Kind("quiet", {"events": "job", "do": {"as_completed": {"sleep": 0}, "for": "i",
                                               "in": "${range(50)}", "limit": 7}},
             OVER, result=[None] * 50),
        Kind("kept for long", {"value": "kept"}, OVER, result="kept", submit={"retain": "30d"},
             since=4),
        Kind("kept for ten minutes", {"value": "kept"}, OVER, result="kept",
             submit={"retain": "10m"}, is_brief=True, since=4),
    ]


def asleep():
    """Jobs that wait for a moment."""
    return [
        Kind("far sleep", {"sleep": FAR}, CANCEL, "cancelled", error="CancelledError"),
        Kind("hour", [{"sleep": "1h"}, {"return": "rested"}], result="rested", takes=3600,
             submit={"key": "hour-1", "labels": ["red"], "title": "an hour"}),
        Kind("until", [{"sleep_until": "${now + 3600}"}, {"return": "woke"}], result="woke",
             takes=3600),
        Kind("starts later", [{"sleep": 2}, {"return": "late"}], result="late", takes=2,
             start_in=3600),
        Kind("starts far ahead", {"value": 1}, CANCEL, "cancelled", error="CancelledError",
             start_in=86400 * 3650),
        Kind("timeout", {"try": {"sleep": FAR, "timeout": "2h"},
                         "except": {"TimeoutError": {"value": "late"}}}, result="late", takes=7200),
        Kind("rounds", {"do": [{"sleep": "${n * 1800}"}, {"yield": "${n}"}, {"value": "${n * n}"}],
                        "for": "n", "in": "${range(4)}"}, result=[0, 1, 4, 9], yields=(0, 1, 2, 3),
             takes=10800),
        Kind("while", [{"set": {"n": 3}},
                       {"do": [{"yield": "${n}"}, {"sleep": "1h"}, {"set": {"n": "${n - 1}"}}],
                        "while": "${n > 0}"}, {"return": "${n}"}],
             result=0, yields=(3, 2, 1), takes=10800),
        Kind("now", [
            {"do": {"sleep": 0}, "for": "i", "in": "${range(10500)}"}, {"value": "${now}", "as": "t"},
            {"yield": "${t}"}, {"sleep": "1h"}, {"return": "${t}"}], result=YIELDED),
        Kind("backoff", {"do": [{"yield": "${attempt}"},
                                {"if": "${attempt < 5}", "raise": "Flaky", "else": {"value": "ok"}}],
                         "retry": {"attempts": 5, "delay": "10h", "backoff": 1.5, "max_delay": "20h",
                                   "jitter": True, "on": ["Flaky"]}},
             result="ok", yields=(1, 2, 3, 4, 5)),
        Kind("backoff with undo", {"do": [{"value": 1, "undo": {"yield": "undo ${attempt}"}},
                                          {"raise": "Flaky"}],
                                   "retry": {"attempts": 2, "delay": "1h"}},
             status="failed", error="Flaky", yields=("undo 1", "undo 2"), takes=3600),
        Kind("generator", {"def": {"count": {"params": ["k"], "do": {
            "do": [{"sleep": "30m"}, {"yield": "${i}"}], "for": "i", "in": "${range(k)}"}}},
            "do": {"async_for": {"call": "count", "args": [3]}, "as": "x",
                   "do": [{"yield": "${x * 10}"}, {"value": "${x}"}]}},
             result=[0, 1, 2], yields=(0, 10, 20), takes=5400),
        Kind("inside a generator", {"def": {"once": {"params": [], "do": {
            "try": [{"yield": 1}, {"yield": 2}], "finally": {"sleep": "1h"}}}},
            "do": {"async_for": {"call": "once"}, "as": "x",
                   "do": [{"yield": "${x}"}, {"sleep": "1h"}, {"return": "left"}]}},
             result="left", yields=(1,), takes=7200),
        Kind("calls", {"def": {"deep": {"params": ["n"], "do": [
            {"if": "${n == 0}", "sleep": "1h", "result": 0, "as": "r",
             "else": {"call": "deep", "args": ["${n - 1}"]}}, {"return": "${r + 1}"}]}},
            "do": [{"call": "deep", "args": [20]}]}, result=21, takes=3600),
    ]


def joined():
    """Jobs in the middle of what they do side by side."""
    return [
        Kind("gather half done", {"gather": {"a": {"sleep": 0.002, "result": 1},
                                             "b": {"sleep": "1h", "result": 2},
                                             "c": [{"sleep": 0.001}, {"raise": "Bad"}],
                                             "d": {"sleep": FAR}},
                                  "return_exceptions": True, "as": "r"},
             CANCEL, "cancelled", error="CancelledError"),
        Kind("gather of many", {"events": "job", "do": [
            {"gather": {"sleep": "${3600 + n % 5}", "result": "${n}"}, "for": "n",
             "in": "${range(40)}", "as": "r"}, {"return": "${sum(r)}"}]}, result=780, takes=3604),
        Kind("gather with a limit", {"gather": [{"sleep": "${n * 1200}"}, {"yield": "${n}"},
                                                {"value": "${n}"}],
                                     "for": "n", "in": "${range(4)}", "limit": 2},
             result=[0, 1, 2, 3], yields=(0, 1, 2, 3), takes=4800),
        Kind("after", {"gather": {"one": {"sleep": "1h", "result": 1},
                                  "two": {"value": "${one + 1}", "after": ["one"]},
                                  "three": [{"yield": "first"}, {"value": 3}]}},
             result={"one": 1, "two": 2, "three": 3}, yields=("first",), takes=3600),
        Kind("completions half done", {"as_completed": {"c": {"sleep": "2h", "result": 3},
                                                        "a": {"sleep": 0.002, "result": 1},
                                                        "b": {"sleep": "1h", "result": 2}},
                                       "do": [{"yield": "${c.name}"}, {"value": "${c.result}"}],
                                       "as": "c"},
             result=[1, 2, 3], yields=("a", "b", "c"), takes=7200),
        Kind("completions in their do", {"as_completed": {"sleep": "${n / 1000}", "result": "${n}"},
                                         "for": "n", "in": [3, 1, 2], "as": "c",
                                         "do": [{"yield": "${c.index}"}, {"sleep": "1h"},
                                                {"value": "${c.result}"}]},
             result=[1, 2, 3], yields=(1, 2, 0)),
        Kind("completions too late", {"try": {"as_completed": {"a": {"sleep": 0.001},
                                                               "b": {"sleep": FAR}},
                                              "timeout": "1h"},
                                      "except": {"TimeoutError": {"value": "late"}}},
             result="late", takes=3600),
        Kind("group that fails", {"try": {"task_group": {
            "bad": [{"sleep": "1h"}, {"raise": "Boom"}],
            "slow": {"try": {"sleep": FAR}, "finally": {"yield": "slow cleans up"}}}},
            "except": {"ExceptionGroup": {"value": "${[e.type for e in error.data.exceptions]}"}}},
             result=["Boom"], yields=("slow cleans up",), takes=3600),
        Kind("race to success", {"race": {"a": [{"sleep": 0.001}, {"raise": "Unreachable"}],
                                          "b": {"sleep": "1h", "result": "here"},
                                          "c": {"sleep": FAR}}, "until": "success"},
             result={"name": "b", "result": "here"}, takes=3600),
        Kind("tasks", [{"do": {"create_task": {"sleep": "${s}", "result": "${s}"}}, "for": "s",
                        "in": [0.001, 3600, 7200], "as": "t"},
                       {"create_task": {"sleep": FAR}, "name": "left over"},
                       {"wait": "${t}", "return_when": "FIRST_COMPLETED", "as": "w"},
                       {"yield": "${[len(w.done), len(w.pending)]}"},
                       {"wait": "${t}", "timeout": "90m", "as": "w"},
                       {"yield": "${[len(w.done), len(w.pending)]}"}, {"await": "${t}", "as": "r"},
                       {"return": "${r}"}],
             result=[0.001, 3600, 7200], yields=([1, 2], [2, 1])),
        Kind("shield", [{"create_task": [{"sleep": "2h"}, {"yield": "written"}, {"value": 1}],
                         "as": "write"},
                        {"try": {"shield": {"await": "${write}"}, "timeout": "1h"},
                         "except": {"TimeoutError": {"yield": "no patience"}}},
                        {"await": "${write}"}],
             result=1, yields=("no patience", "written"), takes=7200),
    ]


def ending():
    """Jobs that are being cancelled, or will have something to undo."""
    return [
        Kind("in its finally", {"try": {"sleep": FAR},
                                "finally": [{"yield": "cleaning"}, {"sleep": "1h"},
                                            {"yield": "clean"}]},
             status="cancelled", error="CancelledError", yields=("cleaning", "clean"),
             is_cancelled=True),
        Kind("refuses", {"try": {"sleep": FAR}, "except": {"CancelledError": [
            {"yield": "${error.message}"}, {"sleep": "1h"}, {"value": "no"}]}},
             result="no", yields=("golden",), is_cancelled=True),
        Kind("cancelled branches", {"gather": {
            "a": {"try": {"sleep": FAR}, "finally": {"sleep": "1h"}},
            "b": {"try": {"sleep": FAR}, "finally": [{"sleep": "2h"}, {"yield": "b"}]}}},
             status="cancelled", error="CancelledError", is_cancelled=True),
        Kind("undo", {"try": [{"value": 1, "undo": {"yield": "undo 1"}},
                              {"value": 2, "undo": [{"sleep": 60}, {"yield": "undo 2"}]},
                              {"sleep": "1h"}, {"raise": "Late"}],
                      "except": {"Late": {"value": "undone"}}},
             result="undone", yields=("undo 2", "undo 1"), takes=3660),
        Kind("undo by cancel", [{"value": 1, "undo": {"yield": "undo 1"}}, {"sleep": FAR}], CANCEL,
             "cancelled", error="CancelledError", yields=("undo 1",)),
        Kind("in its undo", [{"value": 1, "undo": [{"sleep": "1h"}, {"yield": "undone"}]},
                             {"raise": "Bad"}],
             status="failed", error="Bad", yields=("undone",), takes=3600),
    ]


def permitted():
    """Jobs that hold a permit."""
    hour = [{"yield": "in"}, {"sleep": "1h"}, {"value": "out"}]
    seen = {"result": "out", "yields": ("in",), "since": 2}
    return [
        Kind("holds", {"do": hour, "with": "narrow"}, **seen),
        Kind("holds one of two", {"do": hour, "with": "wide"}, **seen),
        Kind("holds the other", {"do": hour, "with": "wide"}, **seen),
    ]


def in_line():
    """Jobs that stand in line behind them."""
    step = [{"yield": "in"}, {"value": "out"}]
    seen = {"result": "out", "yields": ("in",), "since": 2}
    cancelled = {"status": "cancelled", "error": "CancelledError", "since": 2}
    return [
        Kind("waits", {"do": step, "with": "narrow"}, **seen),
        Kind("waits behind", {"do": step, "with": "narrow"}, **seen),
        Kind("waits for either", {"do": step, "with": "wide"}, **seen),
        Kind("waits for nobody", {"do": step, "with": "shut"}, PERMIT, **seen),
        Kind("waits with patience", {"do": [{"do": step, "with": "shut"}], "timeout": FAR}, CANCEL, **cancelled),
        Kind("waits and cleans up", {"try": {"do": step, "with": "shut"},
                                     "finally": {"yield": "clean"}}, CANCEL,
             yields=("clean",), **cancelled),
    ]


def child(body, name="child", **more):
    return {"create_task": body, "loop": "loop of " + name, "name": name, **more}


def families():
    """Jobs with child jobs."""
    hours = [{"sleep": "${h * 3600}"}, {"yield": "${h}"}, {"value": "${h}"}]
    nested = [child({"sleep": "1h", "result": "deep"}, "inner", **{"as": "t"}), {"await": "${t}"}]
    return [
        Kind("child that is over", [child([{"yield": 1}, {"value": [1, None]}], **{"as": "t"}), {"await": "${t}"}],
             OVER, result=[1, None], since=8),
        Kind("child that has failed", {"try": [child({"raise": "Bad"}, **{"as": "t"}), {"await": "${t}"}],
                                       "except": {"Bad": {"value": "${error.path}"}}},
             OVER, result="/try/0/create_task", since=8),
        Kind("children", [{"do": child(hours, "${h}"), "for": "h", "in": [1, 2], "as": "all"},
                          {"await": "${all}", "as": "r"}, {"yield": "${r}"}, {"value": "${r}"}],
             result=[1, 2], yields=([1, 2],), takes=7200, since=8),
        Kind("child in time", [child({"sleep": "1h", "result": "in time"}, **{"as": "t"}),
                               {"await": "${t}", "timeout": "61m"}], result="in time", takes=3600, since=8),
        Kind("child of a child", [child(nested, "outer", **{"as": "t"}), {"await": "${t}", "timeout": "61m"}],
             result="deep", takes=3600, since=8),
        Kind("child by a timer", [{"sleep": "1h"}, child({"sleep": "1h", "result": "second hour"}, **{"as": "t"}),
                                  {"await": "${t}", "timeout": "61m"}], result="second hour", takes=7200, since=8),
        Kind("child that has ended", [child({"value": 7}, **{"as": "t"}), {"sleep": "1h"}, {"await": "${t}"}],
             result=7, takes=3600, since=8),
        Kind("child to cancel", [child({"try": {"sleep": FAR}, "finally": {"yield": "clean"}}, **{"as": "t"}),
                                 {"await": "${t}"}], CANCEL, "cancelled", error="CancelledError", since=8),
        Kind("child that refuses", [child({"try": {"sleep": FAR}, "except": {"CancelledError": [
            {"sleep": "1h"}, {"value": "${error.message}"}]}}, **{"as": "t"}), {"await": "${t}"}],
             result="golden", is_cancelled=True, since=8),
    ]


SEMAPHORES = {"wide": 2, "shut": 0}  # permits; all others have one


def kinds(schema):
    """All that a daemon of this version of the schema can do, in two parts: the second is handed
    in when the first is at rest."""
    first = over() + asleep() + joined() + ending() + permitted() + families()
    return [[kind for kind in part if kind.since <= schema] for part in (first, in_line())]
