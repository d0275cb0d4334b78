#!/usr/bin/env python3
"""What the documents say is what the programs do."""

import json
import re
import sys

sys.dont_write_bytecode = True
from harness import (SOURCE, Daemon, Wire, equal, fences, run, test, true)  # noqa: E402

SCHEMA = SOURCE / "proto" / "job.schema.json"
PROTOCOL = SOURCE / "proto" / "PROTOCOL.md"
JOBS = SOURCE / "proto" / "JOBS.md"
KINDS = {"number": (int, float), "text": str, "bool": bool, "list": list, "object": dict,
         "any": object}


def matches(expected, got, names, where=""):
    """Compares, and lets <name> stand for a value; raises with the place of a difference."""
    if isinstance(expected, str) and re.fullmatch(r"<\w+>", expected):
        name = expected[1:-1]
        if name in KINDS:
            true(isinstance(got, KINDS[name]), f"{where}: {got!r} is no {name}")
        else:
            equal(got, names.setdefault(name, got), f"{where}, <{name}>")
    elif isinstance(expected, dict) and isinstance(got, dict):
        equal(sorted(got), sorted(expected), f"{where}: members")
        for key, value in expected.items():
            matches(value, got[key], names, f"{where}/{key}")
    elif isinstance(expected, list) and isinstance(got, list):
        equal(len(got), len(expected), f"{where}: length")
        for i, value in enumerate(expected):
            matches(value, got[i], names, f"{where}/{i}")
    else:
        equal(got, expected, where)


def fill_in(value, names):
    """A request with the values that its <names> stand for."""
    if isinstance(value, str) and re.fullmatch(r"<\w+>", value):
        return names[value[1:-1]]
    if isinstance(value, dict):
        return {k: fill_in(v, names) for k, v in value.items()}
    if isinstance(value, list):
        return [fill_in(v, names) for v in value]
    return value


def next_message(wire, held, wanted):
    """The next message that is (or is not) a notification; the others wait in `held`."""
    for i, message in enumerate(held):
        if ("method" in message) == wanted:
            return held.pop(i)
    while True:
        message = wire.message()
        if ("method" in message) == wanted:
            return message
        held.append(message)


@test
def given_the_examples_of_the_protocol_then_each_gives_what_is_written():
    daemon = Daemon()
    names, held = {}, []
    blocks = fences(PROTOCOL, "request", "reply", "event")
    true(len(blocks) > 30, "examples")
    with daemon.wire() as wire:
        for kind, text, line in blocks:
            try:
                if kind == "request":
                    wire.send(json.dumps(fill_in(json.loads(text), names)) + "\n")
                else:
                    got = next_message(wire, held, kind == "event")
                    matches(json.loads(text), got, names)
            except (AssertionError, KeyError, EOFError, OSError, ValueError) as error:
                raise AssertionError(f"PROTOCOL.md:{line}: {error!r}") from error
        equal(held, [], "messages that no example shows")


@test
def given_the_methods_of_the_daemon_then_the_protocol_has_a_section_for_each():
    daemon = Daemon()
    with daemon.wire() as wire:
        known = {m["name"] for m in wire.call("rpc.discover")["methods"]}
    written = set(re.findall(r"^### (\S+)$", PROTOCOL.read_text(), re.M))
    equal(written, known, "sections")


@test
def given_the_params_of_a_method_then_the_protocol_names_each():
    daemon = Daemon()
    with daemon.wire() as wire:
        methods = wire.call("rpc.discover")["methods"]
    sections = dict(re.findall(r"^### (\S+)\n(.*?)(?=^##)", PROTOCOL.read_text() + "\n##",
                               re.M | re.S))
    for method in methods:
        for param in method["params"]:
            true(f"`{param['name']}`" in sections[method["name"]],
                 f"{param['name']} of {method['name']}")


@test
def given_the_table_of_errors_then_code_and_protocol_have_the_same():
    source = (SOURCE / "proto" / "base" / "err.h").read_text()
    known = {(int(code), name) for code, name in
             re.findall(r'X\(GD_\w+, (-\d+), "(\w+)"\)', source.split("never leave")[0])}
    written = {(int(code), name) for code, name in
               re.findall(r"^\| (-\d+) \| (\w+) \|", PROTOCOL.read_text(), re.M)}
    equal(written, known, "errors")


@test
def given_the_examples_of_the_job_language_then_each_gives_the_result_below_it():
    daemon = Daemon()
    blocks = fences(JOBS, "json", "result")
    pairs = [(a, b) for a, b in zip(blocks, blocks[1:]) if (a[0], b[0]) == ("json", "result")]
    true(len(pairs) > 10, f"examples: {len(pairs)}")
    for (_, spec, line), (_, result, _) in pairs:
        done = daemon.ctl("run", "--json", "-", stdin=spec)
        true(done.stdout, f"JOBS.md:{line}: {done.stderr}")
        got = json.loads(done.stdout)
        expected = json.loads(result)
        equal(got.get("result", got.get("error")), expected, f"JOBS.md:{line}")


def operations_of_schema():
    """Operation -> its options, as the schema describes them."""
    parts = json.loads(SCHEMA.read_text())["$defs"]
    found = {}
    for name in {op for rule in parts["rules"]["oneOf"] for op in rule["required"]}:
        text = parts["step"]["properties"][name]["description"]
        options = re.search(r" Options: ([\w, ]+)\.$", text)
        found[name] = options[1].split(", ") if options else []
    return found


@test
def given_the_operations_of_the_schema_then_the_table_of_jobs_lists_them_with_their_options():
    table = re.search(r"^## 2\. Operations\n(.*?)^### ", JOBS.read_text(), re.M | re.S)[1]
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|[^|]*\|$", table, re.M)
    equal(len(rows), len(dict(rows)), "rows, each with another operation")
    written = {name: sorted(re.findall(r"`(\w+)`", options)) for name, options in rows}
    equal(written, {name: sorted(keys) for name, keys in operations_of_schema().items()})


@test
def given_the_operations_of_the_schema_then_each_has_a_section_that_names_its_options():
    chapter = re.search(r"^## 2\. .*?(?=^## 3\. )", JOBS.read_text(), re.M | re.S)[0]
    sections = dict(re.findall(r"^### (\w+).*?\n(.*?)(?=^### |\Z)", chapter, re.M | re.S))
    operations = operations_of_schema()
    equal(sorted(sections), sorted(operations), "sections")
    for name, options in operations.items():
        for option in options:
            true(f"`{option}`" in sections[name], f"the section of {name} names {option}")


@test
def given_the_modifiers_of_the_schema_then_the_table_of_jobs_has_them():
    parts = json.loads(SCHEMA.read_text())["$defs"]
    operations = operations_of_schema()
    options = {option for options in operations.values() for option in options}
    table = re.search(r"^## 3\. Modifiers\n(.*?)^`if` beside", JOBS.read_text(), re.M | re.S)[1]
    written = set(re.findall(r"^\| `(\w+)` \|", table, re.M))
    known = set(parts["step"]["properties"]) - set(operations)
    equal(written | {"else"}, known - (options - {"name", "timeout"}))
    true("`else`" in table, "else beside if")


@test
def given_the_keys_of_the_root_then_the_table_of_jobs_has_those_of_the_schema():
    root = json.loads(SCHEMA.read_text())["$defs"]["job"]["properties"]
    table = re.search(r"^\| key \| meaning \|\n(.*?)\n\n", JOBS.read_text(), re.M | re.S)[1]
    written = re.findall(r"^\| `(\w+)` \|", table, re.M)
    equal(sorted(written), sorted(k for k, v in root.items() if list(v) != ["$ref"]))


@test
def given_the_first_steps_of_the_readme_then_they_show_what_is_written():
    daemon = Daemon()
    text = (SOURCE / "README.md").read_text()
    shown = re.search(r"^\$ gatherctl run '(.*?)'\n(.*?)^```$", text, re.M | re.S)
    done = daemon.ctl("run", shown.group(1))
    equal((done.returncode, done.stderr), (0, ""))
    equal(done.stdout, shown.group(2), "output of gatherctl")

    line, reply = re.search(r"^\$ echo '(.*?)' \|.*?\n(\{.*?)\n```$", text, re.M | re.S).groups()
    with Wire.unix(daemon.socket) as wire:
        wire.send(line + "\n")
        wire.half_close()
        got = wire.message()
    expected = json.loads(reply)
    expected["result"]["id"] = got["result"]["id"]
    equal(got, expected, "reply to the line")


if __name__ == "__main__":
    run()
