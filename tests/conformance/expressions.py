"""The expressions of the job language as Python's, and values with ${...} as Python displays.

Python decides what an expression means, so most of it stays as it is. Different are members
(`a.b` is a["b"] of an object), `default`, and the functions of values.py.
"""
import ast
import functools
import re

CONSTANTS = {"true": True, "false": False, "null": None}
NAME = re.compile("\u00a7(\\w+)\u00a7")  # a name to be looked up, in a translated expression


class ToPython(ast.NodeTransformer):
    """Marks the names, and turns into calls what Python writes differently."""

    def __init__(self):
        self.locals = []  # variables of comprehensions

    def visit_Name(self, node):
        if node.id in CONSTANTS:
            return ast.Constant(CONSTANTS[node.id])
        if node.id in self.locals:
            return node
        return ast.Name("\u00a7%s\u00a7" % node.id, node.ctx)

    def visit_Attribute(self, node):
        return call("member", self.visit(node.value), ast.Constant(node.attr))

    def visit_Call(self, node):
        args = [self.visit(a) for a in node.args]
        if node.func.id == "default":
            args = [ast.Lambda(ast.arguments([], [], None, [], [], None, []), a) for a in args]
        return call("fn_" + node.func.id, *args)

    def visit_ListComp(self, node):
        loop = node.generators[0]
        items = self.visit(loop.iter)
        self.locals.append(loop.target.id)
        loop = ast.comprehension(loop.target, items, [self.visit(i) for i in loop.ifs], 0)
        value = self.visit(node.elt)
        self.locals.pop()
        return ast.ListComp(value, [loop])


def call(function, *args):
    return ast.Call(ast.Name(function), list(args), [])


@functools.lru_cache(maxsize=None)
def translated(source):
    tree = ToPython().visit(ast.parse(source.strip(), mode="eval").body)
    return "(%s)" % ast.unparse(ast.fix_missing_locations(ast.Expression(tree)))


def end_of(text, at):
    """The index of the brace that closes the expression which begins at `at`."""
    depth, quote = 0, None
    for i in range(at, len(text)):
        c = text[i]
        if quote:
            if c == quote and text[i - 1] != "\\":
                quote = None
        elif c in "'\"":
            quote = c
        elif c == "{":
            depth += 1
        elif c == "}":
            if depth == 0:
                return i
            depth -= 1
    raise SyntaxError("no } in " + text)


@functools.lru_cache(maxsize=None)
def parts_of(text):
    """A text as a list of (is it an expression, text)."""
    parts, plain, at = [], "", 0
    while at < len(text):
        if text.startswith("$${", at):
            plain += "${"
            at += 3
        elif text.startswith("${", at):
            end = end_of(text, at + 2)
            if plain:
                parts.append((False, plain))
            parts.append((True, text[at + 2:end]))
            plain, at = "", end + 1
        else:
            plain += text[at]
            at += 1
    if plain or not parts:
        parts.append((False, plain))
    return parts


def text_to_python(text, lookup):
    if "${" not in text:
        return repr(text)
    parts = [NAME.sub(lambda m: lookup(m[1]), translated(part)) if is_expression else repr(part)
             for is_expression, part in parts_of(text)]
    if len(parts) == 1:
        return parts[0]
    return "joined(%s)" % ", ".join(parts)


def value_to_python(value, lookup):
    """The Python display for a value position; lookup(name) gives the variable for a name."""
    if isinstance(value, str):
        return text_to_python(value, lookup)
    if isinstance(value, list):
        return "[%s]" % ", ".join(value_to_python(v, lookup) for v in value)
    if isinstance(value, dict):
        return "{%s}" % ", ".join("%r: %s" % (k, value_to_python(v, lookup))
                                  for k, v in value.items())
    return repr(value)


def condition_to_python(value, lookup):
    """An expression position: ${...} may be left out."""
    if isinstance(value, str) and "${" not in value:
        value = "${%s}" % value
    return value_to_python(value, lookup)
