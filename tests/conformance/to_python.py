"""A job of the job language as a Python program on asyncio.

Every operation becomes the statement that it stands for: `try` a try, a `def` that yields an
async generator, a branch a coroutine function. What a branch sees of its maker's names are its
parameters, so it sees them as they were when it was made. Names get a number, so that none hides
another or a function of this program. The code writes one node at a time; where the value of a
node is wanted, the node is told the variable.
"""
import json

from errors import BUILT_IN
from expressions import condition_to_python, value_to_python

HEADER = {"gatherd", "title", "args", "def", "loop", "events"}
OPERATIONS = {"sleep", "value", "set", "do", "gather", "as_completed", "task_group", "race",
              "create_task", "await", "cancel", "wait", "shield", "call", "async_for", "yield",
              "return", "try", "raise", "match", "exec", "event", "http", "to_thread"}


# In the order in which they are evaluated.
COMMAND_OPTIONS = ("stdin", "env", "cwd", "timeout", "grace", "pool", "check", "on_interrupt")


class NotInPython(Exception):
    """The job uses what this program cannot say."""


class Body:
    """One function that is being written: its lines, and the names that it sees."""

    def __init__(self, program, maker, name):
        self.program, self.maker, self.name = program, maker, name
        self.lines, self.depth = [], 1
        self.scopes = [{}]
        self.captured = {}
        self.undos = "undos" if program.has_undo else None
        self.errors = []  # variables of the handlers around, innermost last
        self.is_generator = False

    def write(self, line):
        self.lines.append("    " * self.depth + line)

    def lookup(self, name):
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        if name in self.captured:
            return self.captured[name]
        if self.maker is None:
            if name in ("attempt", "now", "job"):
                return {"attempt": "1", "now": "now()", "job": "JOB"}[name]
            raise NotInPython("unknown name " + name)
        variable = self.maker.lookup(name)
        if not variable.isidentifier():
            return variable
        self.captured[name] = variable
        return variable

    def own(self, name):
        return next((s[name] for s in reversed(self.scopes) if name in s), None)

    def bind(self, name):
        """The variable that an assignment to `name` means."""
        variable = self.own(name)
        if variable is None:
            variable = self.scopes[-1][name] = self.program.new(name)
        return variable

    def value(self, value):
        return value_to_python(value, self.lookup)

    def condition(self, value):
        return condition_to_python(value, self.lookup)


class Indented:
    """`with Indented(body, "for x in y:", scope)`: a block, and a scope of names."""

    def __init__(self, body, head, scope=None):
        self.body, self.head, self.scope = body, head, {} if scope is None else scope

    def __enter__(self):
        self.body.write(self.head)
        self.body.depth += 1
        self.body.scopes.append(self.scope)

    def __exit__(self, *error):
        self.body.depth -= 1
        self.body.scopes.pop()


class Program:
    def __init__(self, spec):
        if not isinstance(spec, dict):
            spec = {"do": spec}
        self.count = 0
        self.functions = []
        self.defs = spec.get("def", {})
        self.has_undo = '"undo"' in json.dumps(spec)
        root = {k: v for k, v in spec.items() if k not in HEADER}
        main = Body(self, None, "job")
        if self.has_undo:
            main.write("async with Undos(None) as undos:")
            main.depth += 1
        for name, default in spec.get("args", {}).items():
            main.write("%s = %r" % (main.bind(name), default))
        self.finish(main, root, [])
        for name, function in self.defs.items():
            body = Body(self, None, "def_" + name)
            body.is_generator = yields(function["do"])
            self.finish(body, function["do"], [body.bind(p) for p in function.get("params", [])])

    def new(self, name):
        self.count += 1
        return "%s_%d" % (name, self.count)

    def text(self):
        return "\n\n".join(self.functions) + "\n"

    def finish(self, body, node, params):
        value = None if body.is_generator else self.new("v")
        self.node(body, node, value)
        if value is not None:
            body.write("return " + value)
        elif body.is_generator:
            body.write("return\n    yield")
        if self.has_undo and body.name != "job":
            params = ["undos"] + params
        self.functions.append("async def %s(%s):\n%s" % (
            body.name, ", ".join(params + list(body.captured.values())), "\n".join(body.lines)))

    def function(self, maker, node, params=(), scope=None):
        """Writes a branch, task or undo as a function of its own; its name, and its arguments."""
        body = Body(self, maker, self.new("part"))
        body.scopes[0].update(scope or {})
        self.finish(body, node, list(params))
        args = list(body.captured.values())
        return body.name, ([maker.undos] if self.has_undo else []) + args

    def coroutine(self, maker, node):
        name, args = self.function(maker, node)
        return "%s(%s)" % (name, ", ".join(args))

    # --- a node: the operation, and what stands around it ---

    def node(self, body, node, to):
        if isinstance(node, list):
            self.sequence(body, node, to)
            return
        name = node.get("as")
        if name is not None and to is None:
            to = self.new("v")
        if "if" in node:
            with Indented(body, "if %s:" % body.condition(node["if"])):
                self.around(body, node, to)
                self.undo(body, node, to)
            with Indented(body, "else:"):
                if "else" in node:
                    self.node(body, node["else"], to)
                else:
                    body.write("%s = None" % (to or "_"))
        else:
            self.around(body, node, to)
        if name is not None:
            body.write("%s = %s" % (body.bind(name), to))
        if "if" not in node:
            self.undo(body, node, to)

    def sequence(self, body, nodes, to):
        body.scopes.append({})
        for i, step in enumerate(nodes):
            self.node(body, step, to if i + 1 == len(nodes) else None)
        if not nodes and to:
            body.write("%s = None" % to)
        body.scopes.pop()

    def undo(self, body, node, to):
        if "undo" not in node:
            return
        # It sees the step's own name, which behind an `if` is assigned only later.
        body.scopes.append({node["as"]: to} if "if" in node and "as" in node else {})
        name, args = self.function(body, node["undo"])
        body.scopes.pop()
        body.write("await %s.add(partial(%s))" % (body.undos, ", ".join([name] + args)))

    def around(self, body, node, to):
        op = next((k for k in node if k in OPERATIONS and k != "do"), "do")
        if op not in node:
            raise NotInPython("no operation in %s" % list(node))
        if "timeout" in node and op not in ("as_completed", "wait", "exec"):
            body.write("async with timeout(%s) as %s:" % (
                body.value(node["timeout"]), self.new("timeout")))
            body.depth += 1
            self.retried(body, op, node, to)
            body.depth -= 1
        else:
            self.retried(body, op, node, to)

    def retried(self, body, op, node, to):
        if "retry" not in node:
            getattr(self, "op_" + op)(body, node, to)
            return
        options = node["retry"] if isinstance(node["retry"], dict) else {"attempts": node["retry"]}
        retry, attempt = self.new("retry"), self.new("attempt")
        body.write("%s = Retry(%s)" % (retry, ", ".join(
            "%s=%s" % (k, body.value(v)) for k, v in options.items() if k != "on")))
        with Indented(body, "for %s in %s.attempts:" % (attempt, retry), {"attempt": attempt}):
            with Indented(body, "try:"):
                self.with_undos(body, lambda: self.attempt(body, op, node, to, retry))
                body.write("break")
            types = options.get("on")
            caught = "Exception" if types is None else "(%s,)" % ", ".join(map(caught_by, types))
            with Indented(body, "except %s:" % caught):
                body.write("if %s == %s.last: raise" % (attempt, retry))
            body.write("await sleep(%s.pause(%s))" % (retry, attempt))

    def attempt(self, body, op, node, to, retry):
        if isinstance(node["retry"], dict) and "timeout" in node["retry"]:
            body.write("async with timeout(%s.timeout) as %s:" % (retry, self.new("timeout")))
            body.depth += 1
            getattr(self, "op_" + op)(body, node, to)
            body.depth -= 1
        else:
            getattr(self, "op_" + op)(body, node, to)

    def with_undos(self, body, write):
        if not self.has_undo:
            write()
            return
        outer, body.undos = body.undos, self.new("undos")
        body.write("async with Undos(%s) as %s:" % (outer, body.undos))
        body.depth += 1
        write()
        body.depth -= 1
        body.undos = outer

    # --- operations ---

    def give(self, body, to, expression):
        body.write("%s = %s" % (to, expression) if to else expression)

    def duration(self, body, value):
        is_number = isinstance(value, (int, float))
        return repr(value) if is_number else "duration(%s)" % body.value(value)

    def op_sleep(self, body, node, to):
        self.give(body, to, "await sleep(%s, %s)" % (
            self.duration(body, node["sleep"]), body.value(node.get("result"))))

    def op_event(self, body, node, to):
        self.give(body, to, "await wait_event(%s)" % body.value(node["event"]))

    def op_value(self, body, node, to):
        self.give(body, to, body.value(node["value"]))

    def op_set(self, body, node, to):
        values = [body.value(v) for v in node["set"].values()]
        body.write("%s = %s" % (", ".join(body.bind(n) for n in node["set"]), ", ".join(values)))
        if to:
            body.write("%s = None" % to)

    def op_do(self, body, node, to):
        if "for" in node:
            variable = self.new(node["for"])
            if to:
                body.write("%s = []" % to)
            with Indented(body, "for %s in items(%s):" % (variable, body.value(node["in"])),
                          {node["for"]: variable}):
                self.collected(body, node["do"], to)
        elif "while" in node:
            if to:
                body.write("%s = None" % to)
            with Indented(body, "while %s:" % body.condition(node["while"])):
                self.node(body, node["do"], to)
                body.write("pass")
        else:
            self.node(body, node["do"], to)

    def collected(self, body, node, to):
        value = self.new("v") if to else None
        self.node(body, node, value)
        body.write("%s.append(%s)" % (to, value) if to else "pass")

    def op_await(self, body, node, to):
        self.give(body, to, "await awaited(%s)" % body.value(node["await"]))

    def op_cancel(self, body, node, to):
        self.give(body, to, "cancelled(%s, %s)" % (
            body.value(node["cancel"]), body.value(node.get("message"))))

    def op_wait(self, body, node, to):
        options = "".join(", %s=%s" % (k, body.value(node[k]))
                          for k in ("timeout", "return_when") if k in node)
        self.give(body, to, "await wait(%s%s)" % (body.value(node["wait"]), options))

    def op_exec(self, body, node, to):
        self.give(body, to, "await run_command(%s)" % self.command(body, node))

    def op_http(self, body, node, to):
        options = "".join(", %s=%s" % (k, body.value(node[k])) for k in ("check", "on_interrupt")
                          if k in node)
        self.give(body, to, "await run_request(%s%s)" % (body.value(node["http"]), options))

    def op_to_thread(self, body, node, to):
        then = node.get("on_interrupt", "fail" if node["to_thread"] == "write_file" else "retry")
        self.give(body, to, "await run_function(%r, %s, %r)" % (
            node["to_thread"], body.value(node["args"][0]), then))

    def command(self, body, node):
        argv = "[%s]" % ", ".join(body.value(a) for a in node["exec"])
        return ", ".join([argv] + ["%s=%s" % (k, body.value(node[k])) for k in COMMAND_OPTIONS
                                   if k in node])

    def op_shield(self, body, node, to):
        self.give(body, to, "await shield(%s)" % self.branch(body, node["shield"], True))

    def op_create_task(self, body, node, to):
        self.give(body, to, "create_task(%s)" % self.coroutine(body, node["create_task"]))

    def op_call(self, body, node, to):
        self.give(body, to, "await " + self.call(body, node))

    def call(self, body, node):
        params, args = self.defs[node["call"]].get("params", []), node.get("args", [])
        if isinstance(args, dict):
            args = [args[p] for p in params]
        args = ([body.undos] if self.has_undo else []) + [body.value(a) for a in args]
        return "def_%s(%s)" % (node["call"], ", ".join(args))

    def op_yield(self, body, node, to):
        value = body.value(node["yield"])
        body.write("yield " + value if body.is_generator else "emit(%s)" % value)
        if to:
            body.write("%s = None" % to)

    def op_return(self, body, node, to):
        body.write("return" if body.is_generator else "return " + body.value(node["return"]))

    def op_raise(self, body, node, to):
        if node["raise"] in (None, {}):
            body.write("raise " + body.errors[-1])
        else:
            body.write("raise raised(%s)" % body.value(node["raise"]))

    def op_match(self, body, node, to):
        text = self.new("text")
        body.write("%s = text_of(%s)" % (text, body.value(node["match"])))
        word = "if"
        for literal, part in node["case"].items():
            if literal != "_":
                with Indented(body, "%s %s == %r:" % (word, text, literal)):
                    self.node(body, part, to)
                    body.write("pass")
                word = "elif"
        with Indented(body, "else:" if word == "elif" else "if True:"):
            if "_" in node["case"]:
                self.node(body, node["case"]["_"], to)
                body.write("pass")
            else:
                body.write("%s = None" % (to or "_"))

    def op_try(self, body, node, to):
        with Indented(body, "try:"):
            if "except" in node and "finally" in node:
                with Indented(body, "try:"):
                    self.tried(body, node, to)
                self.handlers(body, node, to)
            else:
                self.tried(body, node, to)
        if "finally" not in node:
            self.handlers(body, node, to)
        else:
            with Indented(body, "finally:"):
                self.node(body, node["finally"], None)
                body.write("pass")

    def tried(self, body, node, to):
        self.with_undos(body, lambda: self.node(body, node["try"], to))
        body.write("pass")

    def handlers(self, body, node, to):
        for name in sorted(node["except"], key=lambda name: name == "*"):
            caught, error = self.new("caught"), self.new("error")
            with Indented(body, "except %s as %s:" % (caught_by(name), caught), {"error": error}):
                body.write("%s = described(%s)" % (error, caught))
                body.errors.append(caught)
                self.node(body, node["except"][name], to)
                body.errors.pop()

    # --- branches ---

    def branch(self, body, node, may_be_task):
        if may_be_task and isinstance(node, dict) and list(node) == ["await"]:
            return "joined_task(%s)" % body.value(node["await"])
        return self.coroutine(body, node)

    def branches(self, body, node, op):
        """The Python display of the branches, and the option `limit`."""
        listed, limit = node[op], ""
        if "limit" in node:
            limit = ", limit=" + body.value(node["limit"])
        may_be_task = "limit" not in node
        if "for" in node:
            variable = self.new(node["for"])
            items = body.value(node["in"])
            body.scopes.append({node["for"]: variable})
            branch = self.branch(body, listed, may_be_task)
            body.scopes.pop()
            return "[%s for %s in items(%s)]%s" % (branch, variable, items, limit)
        if isinstance(listed, list):
            return "[%s]%s" % (", ".join(self.branch(body, b, may_be_task) for b in listed), limit)
        return "{%s}%s" % (", ".join(
            "%r: %s" % (name, self.after(body, b) if isinstance(b, dict) and "after" in b
                        else self.branch(body, b, may_be_task))
            for name, b in listed.items()), limit)

    def after(self, body, node):
        siblings = node["after"]
        variables = [self.new(s if s.isidentifier() else "s") for s in siblings]
        own = {k: v for k, v in node.items() if k != "after"}
        name, args = self.function(body, own, variables, dict(zip(siblings, variables)))
        if self.has_undo:  # results come first
            name = "with_undos_first(%s, %s)" % (name, args.pop(0))
        return "After(%s)" % ", ".join(["%r" % (siblings,), name] + args)

    def op_gather(self, body, node, to):
        flag = ", return_exceptions=True" if node.get("return_exceptions") else ""
        self.give(body, to, "await gather(%s%s)" % (self.branches(body, node, "gather"), flag))

    def op_task_group(self, body, node, to):
        self.give(body, to, "await task_group(%s)" % self.branches(body, node, "task_group"))

    def op_race(self, body, node, to):
        flag = ", until_success=True" if node.get("until") == "success" else ""
        self.give(body, to, "await race(%s%s)" % (self.branches(body, node, "race"), flag))

    def op_as_completed(self, body, node, to):
        self.completions(body, node, node, to)

    def op_async_for(self, body, node, to):
        source = node["async_for"]
        if "as_completed" in source:
            self.completions(body, source, node, to)
            return
        generator = self.new("generator")
        made = ("Lines(%s)" % self.command(body, source) if "exec" in source
                else self.call(body, source))
        with Indented(body, "async with aclosing(%s) as %s:" % (made, generator)):
            self.consumer(body, node, generator, "%s", to)

    def completions(self, body, source, node, to):
        timeout = ""
        if "timeout" in source:
            timeout = ", timeout=" + body.value(source["timeout"])
        made = "as_completed(%s%s)" % (self.branches(body, source, "as_completed"), timeout)
        self.consumer(body, node, made, "%s['result']", to)

    def consumer(self, body, node, source, item_value, to):
        item = self.new(node.get("as", "item"))
        if to:
            body.write("%s = []" % to)
        scope = {node["as"]: item} if "as" in node else {}
        with Indented(body, "async for %s in %s:" % (item, source), scope):
            if "do" in node:
                self.collected(body, node["do"], to)
            else:
                body.write("%s.append(%s)" % (to, item_value % item) if to else "pass")


def caught_by(name):
    """What stands behind `except`."""
    if name == "*":
        return "Exception"
    return name if name in BUILT_IN else "failure(%r)" % name


def yields(node):
    """Whether a def is a generator. Branches of a def have no `yield`."""
    if isinstance(node, list):
        return any(yields(n) for n in node)
    if not isinstance(node, dict):
        return False
    if "yield" in node:
        return True
    parts = [node[k] for k in ("do", "try", "finally", "else") if k in node]
    for k in ("except", "case"):
        if isinstance(node.get(k), dict):
            parts += node[k].values()
    return any(yields(p) for p in parts)


def to_python(spec):
    return Program(spec).text()
