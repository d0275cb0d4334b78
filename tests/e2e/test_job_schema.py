#!/usr/bin/env python3
"""The JSON Schema of jobs, beside what the daemon itself says of the same jobs.

It needs python3-jsonschema, and takes Debian's python3 where another one stands first in PATH.
"""

import copy
import json
import os
import random
import re
import subprocess
import sys

sys.dont_write_bytecode = True
DEBIAN = "/usr/bin/python3"

try:
    from jsonschema import Draft202012Validator
except ImportError:
    if os.path.exists(DEBIAN) and os.environ.get("JOB_SCHEMA_PYTHON") != DEBIAN:
        os.environ["JOB_SCHEMA_PYTHON"] = DEBIAN
        os.execv(DEBIAN, [DEBIAN] + sys.argv)
    print("1..0 # SKIP no jsonschema of 4.0 or later: apt-get install python3-jsonschema")
    sys.exit(0)

from harness import (GATHERD, SOURCE, Daemon, clean_env, equal, fences, run, test,  # noqa: E402
                     true)

COMMITTED = SOURCE / "proto" / "job.schema.json"
SIM_JOBS = os.path.join(os.environ.get("builddir", "."), "tests", "conformance", "sim_jobs")
RANDOM_JOBS = 500
MUTANTS = 3000
BATCH = 50  # requests on their way at the same time

# What is wrong, and a job that has nothing else wrong with it.
BROKEN = [
    ("an unknown operation", {"slep": 3}),
    ("an event without a name", {"event": ""}),
    ("a number for an event", [{"event": 7}]),
    ("no such function", [{"to_thread": "resolv", "args": ["localhost"]}]),
    ("a function without arguments", [{"to_thread": "resolve"}]),
    ("a function with an empty list", [{"to_thread": "resolve", "args": []}]),
    ("too many arguments", [{"to_thread": "resolve", "args": ["localhost", 1, 2]}]),
    ("an argument that a function has not",
     [{"to_thread": "resolve", "args": {"host": "a", "prot": 1}}]),
    ("one of the wrong type", [{"to_thread": "resolve", "args": ["localhost", "http"]}]),
    ("null for one that has to be given", [{"to_thread": "resolve", "args": {"host": None}}]),
    ("no operation", {}),
    ("no operation, only a header", {"title": "nothing to do"}),
    ("no operation, only a modifier", [{"as": "x"}]),
    ("no operation, only an option", [{"result": 1}]),
    ("two operations", [{"sleep": 1, "value": 2}]),
    ("three operations", [{"sleep": 1, "value": 2, "yield": 3}]),
    ("two operations, and do an option of one", [{"as_completed": [], "gather": [], "do": []}]),
    ("an unknown key", {"sleep": 1, "resutl": 2}),
    ("an unknown key below", {"do": [{"gather": {"a": {"sleep": 1, "nmae": "x"}}}]}),
    ("an unknown key of a def", {"def": {"f": {"do": [], "parms": []}}, "call": "f"}),
    ("an unknown part of a retry", {"sleep": 1, "retry": {"attempts": 2, "pause": 1}}),
    ("an unknown part of an exception", {"raise": {"type": "E", "mesage": "m"}}),
    ("$schema, which is no key of a job", {"$schema": "job.schema.json", "sleep": 1}),
    ("a number for a job", 3),
    ("text for a job", "sleep"),
    ("null for a job", None),
    ("a number for a node", [3]),
    ("text for a node", {"do": "sleep"}),
    ("text for a branch", {"gather": {"a": "sleep"}}),
    ("text for branches", {"gather": "sleep"}),
    ("text for the body of a for", {"gather": "sleep", "for": "i", "in": [1]}),
    ("text for a task", {"create_task": "work"}),
    ("text for a finally", {"try": {"sleep": 1}, "finally": "close"}),
    ("null for an undo", {"sleep": 1, "undo": None}),
    ("a boolean for a duration", {"sleep": True}),
    ("an array for a duration", {"sleep": [1]}),
    ("an object for a duration", {"sleep": {"seconds": 1}}),
    ("a duration without a unit", {"sleep": "5"}),
    ("a duration with a sign", {"sleep": "-5s"}),
    ("a duration with an unknown unit", {"sleep": "5w"}),
    ("a literal where an expression is meant", {"sleep": "$${x}"}),
    ("a negative pause", {"sleep": 1, "retry": {"attempts": 2, "delay": -1}}),
    ("a boolean for a timeout", {"sleep": 1, "timeout": False}),
    ("a day for a moment", {"sleep_until": "2030-01-31"}),
    ("a moment without an offset", {"sleep_until": "2030-01-31T08:00:00"}),
    ("text that is no condition", {"sleep": 1, "if": "yes"}),
    ("text that is no condition of a while", {"do": [], "while": "true"}),
    ("text for a while", {"do": [], "while": "$${x}"}),
    ("no runs at all", {"sleep": 1, "retry": 0}),
    ("half a run", {"sleep": 1, "retry": 1.5}),
    ("a retry without attempts", {"sleep": 1, "retry": {"delay": 1}}),
    ("a negative backoff", {"sleep": 1, "retry": {"attempts": 2, "backoff": -2}}),
    ("no types to retry", {"sleep": 1, "retry": {"attempts": 2, "on": []}}),
    ("one type to retry, alone", {"sleep": 1, "retry": {"attempts": 2, "on": "E"}}),
    ("an expression for a type", {"sleep": 1, "retry": {"attempts": 2, "on": ["${now}"]}}),
    ("a limit of 0", {"gather": [], "limit": 0}),
    ("a limit of half", {"gather": {"sleep": 1}, "for": "i", "in": [1], "limit": 0.5}),
    ("text for a flag", {"gather": [], "return_exceptions": "true"}),
    ("an expression for a flag", {"gather": [], "return_exceptions": "${1 == 1}"}),
    ("an unknown word for until", {"race": [[]], "until": "first"}),
    ("an unknown word for return_when",
     [{"create_task": [], "as": "t"}, {"wait": ["${t}"], "return_when": "FIRST"}]),
    ("an expression for return_when",
     [{"create_task": [], "as": "t"}, {"wait": ["${t}"], "return_when": "${'ALL_COMPLETED'}"}]),
    ("an unknown word for events", {"events": "none", "sleep": 1}),
    ("constants for handles", {"wait": [1, 2]}),
    ("no handles", {"wait": []}),
    ("text to go over", {"do": [], "for": "c", "in": "abc"}),
    ("a number to go over", {"do": [], "for": "i", "in": 3}),
    ("for without in", {"gather": {"sleep": 1}, "for": "i"}),
    ("in without for", {"gather": [{"sleep": 1}], "in": [1]}),
    ("for and while", {"do": [], "for": "i", "in": [1], "while": "${now > 0}"}),
    ("else without if", {"sleep": 1, "else": []}),
    ("match without case", {"match": 1}),
    ("match without cases", {"match": 1, "case": {}}),
    ("a list of cases", {"match": 1, "case": [[]]}),
    ("try without except or finally", {"try": {"sleep": 1}}),
    ("except without branches", {"try": {"sleep": 1}, "except": {}}),
    ("except with a list", {"try": {"sleep": 1}, "except": [[]]}),
    ("except without a type", {"try": {"sleep": 1}, "except": {"": []}}),
    ("a race of nobody", {"race": []}),
    ("a race of nobody by name", {"race": {}}),
    ("a race over nothing", {"race": {"sleep": 1}, "for": "i", "in": []}),
    ("an empty set", {"set": {}}),
    ("a list for a set", {"set": ["x"]}),
    ("a name with a dash", {"set": {"a-b": 1}}),
    ("a name with a digit first", {"sleep": 1, "as": "1st"}),
    ("a number for a name", {"sleep": 1, "as": 1}),
    ("an expression for a name", {"sleep": 1, "as": "${x}"}),
    ("a list for a name", {"gather": [], "for": ["i"], "in": [1]}),
    ("a number for a semaphore", {"sleep": 1, "with": 3}),
    ("no name for a semaphore", {"sleep": 1, "with": ""}),
    ("a type that is no text", {"raise": 3}),
    ("a type without a letter", {"raise": ""}),
    ("an exception without a type", {"raise": {"message": "m"}}),
    ("a message that is no text", {"raise": {"type": "E", "message": 3}}),
    ("a number for a def", {"call": 3}),
    ("text for args", {"def": {"f": {"do": []}}, "do": [{"call": "f", "args": "a"}]}),
    ("a negative loop", [{"create_task": [], "loop": -1}]),
    ("a boolean for a loop", [{"create_task": [], "loop": True}]),
    ("an option of sleep beside value", {"value": 1, "result": 2}),
    ("an option of gather beside race", {"race": [[]], "return_exceptions": True}),
    ("an option of race beside gather", {"gather": [[]], "until": "success"}),
    ("an option of wait beside gather", {"gather": [[]], "return_when": "ALL_COMPLETED"}),
    ("an option of try beside gather", {"gather": [[]], "finally": []}),
    ("an option of match beside value", {"value": 1, "case": {"_": []}}),
    ("an option of cancel beside raise", {"raise": "E", "message": "m"}),
    ("an option of call beside sleep", [{"sleep": 1, "args": []}]),
    ("an option of create_task beside sleep", [{"sleep": 1, "loop": 1}]),
    ("a loop around sleep", {"sleep": 1, "for": "i"}),
    ("a while around gather", {"gather": [], "while": "${now > 0}"}),
    ("a limit beside do", {"do": [], "for": "i", "in": [1], "limit": 2}),
    ("a for beside async_for",
     {"def": {"g": {"do": {"yield": 1}}},
      "do": {"async_for": {"call": "g"}, "do": [], "for": "i"}}),
    ("an option of exec", {"sleep": 1, "check": False}),
    ("no program", {"exec": []}),
    ("no name of a program", {"exec": [""]}),
    ("a number for an argument", {"exec": ["ls", 1]}),
    ("a number for a profile", {"exec": [], "profile": 1}),
    ("an expression for a profile", {"exec": [], "profile": "${job.title}"}),
    ("a profile beside sleep", {"sleep": 1, "profile": "p"}),
    ("no program of lines", {"async_for": {"exec": [], "yield": "lines"}}),
    ("a sequence for a generator", {"def": {"g": {"do": {"yield": 1}}},
                                    "do": {"async_for": [{"call": "g"}]}}),
    ("a node that is no generator", {"async_for": {"gather": []}}),
    ("a modifier of a generator", {"def": {"g": {"do": {"yield": 1}}},
                                   "do": {"async_for": {"call": "g", "timeout": 1}}}),
    ("a name for a generator", {"async_for": {"as_completed": [[]], "as": "x"}}),
    ("do inside a generator", {"async_for": {"as_completed": [[]], "do": []}}),
    ("another version", {"gatherd": 2, "sleep": 1}),
    ("a version as text", {"gatherd": "1", "sleep": 1}),
    ("a title that is no text", {"title": 1, "sleep": 1}),
    ("a list of args", {"args": ["n"], "sleep": 1}),
    ("an arg that is no name", {"args": {"in": 1}, "sleep": 1}),
    ("a list of defs", {"def": [], "sleep": 1}),
    ("a def that is a sequence", {"def": {"f": []}, "sleep": 1}),
    ("a def without a body", {"def": {"f": {"params": []}}, "sleep": 1}),
    ("a def that is no name", {"def": {"a b": {"do": []}}, "sleep": 1}),
    ("params by name", {"def": {"f": {"params": {"a": 1}, "do": []}}, "sleep": 1}),
    ("a param that is no name", {"def": {"f": {"params": ["a.b"], "do": []}}, "sleep": 1}),
    ("two params of one name", {"def": {"f": {"params": ["a", "a"], "do": []}}, "sleep": 1}),
    ("a loop of the job without a name", {"loop": "", "sleep": 1}),
    ("a loop of the job with a long name", {"loop": "x" * 201, "sleep": 1}),
    ("a loop of a task without a name", [{"create_task": [], "loop": ""}]),
    ("a negative loop of the job", {"loop": -1, "sleep": 1}),
    ("a loop of the job as an expression, in a list", {"loop": ["${now}"], "sleep": 1}),
    ("a title below the root", [{"title": "t", "sleep": 1}]),
    ("a version below the root", [{"gatherd": 1, "sleep": 1}]),
    ("a def below the root", {"do": {"def": {}, "sleep": 1}}),
    ("events below the root", {"gather": {"a": {"events": "job", "sleep": 1}}}),
    ("args of the job below the root", {"do": {"args": {"n": 1}, "sleep": 1}}),
    ("after at the root", {"sleep": 1, "after": []}),
    ("after in a sequence", [{"sleep": 1, "after": []}]),
    ("after in a listed branch", {"gather": [{"sleep": 1, "after": []}]}),
    ("after beside for", {"gather": {"sleep": 1, "after": []}, "for": "i", "in": [1]}),
    ("after that is no list", {"gather": {"a": [], "b": {"sleep": 1, "after": "a"}}}),
    ("after twice the same", {"gather": {"a": [], "b": {"sleep": 1, "after": ["a", "a"]}}}),
    ("after an expression", {"gather": {"a": [], "b": {"sleep": 1, "after": [3]}}}),
    ("a label at the root", {"sleep": 1, "name": "n"}),
    ("a label in a sequence", {"gather": [[{"sleep": 1, "name": "n"}]]}),
]

# Odd, and right.
GOOD = [
    [{"to_thread": "resolve", "args": ["localhost"]}],
    [{"to_thread": "resolve", "args": ["localhost", None], "on_interrupt": "hold"}],
    [{"to_thread": "resolve", "args": {"port": 80, "host": "localhost"}}],
    {"args": {"p": 1}, "do": [{"to_thread": "resolve", "args": ["${p}", "${p}"]}]},
    [], {"do": []}, [[], [[]]], {"gather": []}, {"gather": {}}, {"value": None},
    {"value": {"${": 1}}, {"return": [{"slep": 1}]}, {"sleep": "${1 + 1}"}, {"sleep": 0},
    {"sleep": -1.5},
    {"sleep": "1h30m0.5s", "result": {"a": [None]}}, {"sleep": "$${${now}"},
    {"sleep": ["${now}"]}, {"sleep": {"a": {"b": ["x", "${now}"]}}},
    {"sleep_until": 0}, {"sleep_until": "2001-01-01t00:00:60.25+02:00"},
    {"sleep": 1, "timeout": None, "if": True, "else": {"value": 1}},
    {"sleep": 1, "retry": "${2}", "with": "${job.title}", "as": "_", "undo": []},
    {"sleep": 1, "retry": {"attempts": "${1 + 1}", "delay": "10ms", "max_delay": "${1}",
                           "jitter": "${now > 0}", "on": ["E", "E"], "timeout": None}},
    [{"create_task": [], "name": 3}],
    {"create_task": {"sleep": 1, "name": "${job.id}"}, "loop": "side"},
    {"gather": [{"sleep": 1, "name": "n"}, {"await": []}]},
    {"gather": {"sleep": 1, "name": "n"}, "for": "i", "in": {"a": 1}, "limit": "${2}"},
    {"gather": {"exec": {"sleep": 1}, "title": [], "for": {"value": 1, "after": ["exec"]}}},
    {"race": [], "for": "i", "in": [1]}, {"race": [[]], "until": "success"},
    {"as_completed": [[]], "as": "c", "do": {"as_completed": [[]], "do": []}, "timeout": "1s"},
    {"async_for": {"as_completed": {"value": "${i}"}, "for": "i", "in": "${range(3)}", "limit": 1,
                   "timeout": 3}, "as": "x", "do": {"do": {"value": "${x}"}}},
    {"def": {"g": {"params": ["n"], "do": {"yield": "${n}"}}},
     "do": {"async_for": {"call": "g", "args": {"n": 1}}}},
    {"def": {"f": {"do": []}}, "args": {"n": "${", "m": None}, "call": "f"},
    {"gatherd": 1, "title": "", "loop": 0, "events": "job", "sleep": 1}, {"loop": "x" * 200, "value": 1},
    {"loop": "side", "create_task": []},
    {"shield": {"sleep": 1, "name": "n"}}, {"await": []}, {"cancel": [], "message": [1]},
    {"set": {"x": 1, "_y": "${now}"}},
    {"try": {"sleep": 1}, "except": {"*": {"raise": None}, "E": {"raise": {}}}},
    {"try": {"raise": {"type": "${'E'}", "message": "", "data": [1], "path": 3}}, "finally": []},
    {"match": [1], "case": {"": [], "_": [], "[1]": {"return": None}}},
    [{"create_task": [], "as": "t"}, {"wait": {"a": "${t}"}, "timeout": "${1}"}],
    {"do": {"value": "${i}"}, "for": "i", "in": ["${now}"], "if": "${now > 0}"},
    {"do": [], "while": False}, {"do": [], "while": 0},
]


# --- both sides ---

def schema():
    return json.loads(COMMITTED.read_text())


def validator():
    return Draft202012Validator(schema())


def verdicts(daemon, jobs):
    """What the daemon says of each: a list of problems, empty for a good one."""
    found = []
    with daemon.wire() as wire:
        for first in range(0, len(jobs), BATCH):
            sent = [wire.request("job.validate", spec=job) for job in jobs[first:first + BATCH]]
            replies = [wire.reply(id_) for id_ in sent]
            found += [r["result"]["errors"] if "result" in r else [r["error"]] for r in replies]
    return found


def complaint(valid, job):
    """The first thing that the schema has against it, or None."""
    error = next(valid.iter_errors(job), None)
    return error and f"{error.json_path}: {error.message:.300}"


def documents():
    """(where, job) of every job that a document or an example shows."""
    found = [(f"JOBS.md:{line}", json.loads(text))
             for _, text, line in fences(SOURCE / "proto" / "JOBS.md", "json")]
    demo = SOURCE / "tests" / "demo" / "three-loops.json"
    found.append((demo.name, json.loads(demo.read_text())))
    readme = (SOURCE / "README.md").read_text()
    found += [("README.md", json.loads(text))
              for text in re.findall(r"^\$ gatherctl run '(\{.*?\})'$", readme, re.M | re.S)]
    found += [("README.md", json.loads(text)["params"]["spec"])
              for text in re.findall(r"^\$ echo '(\{.*?\})' \|", readme, re.M)]
    return found


def corpus():
    """The first document of each job that the fuzzer starts from; what is no JSON is left out."""
    found = []
    for path in sorted((SOURCE / "tests" / "fuzz" / "corpus" / "job").glob("*.txt")):
        try:
            job, _ = json.JSONDecoder().raw_decode(path.read_text(errors="replace").lstrip())
        except (ValueError, RecursionError):
            continue
        found.append((path.name, job))
    return found


def random_jobs():
    lines = subprocess.run([SIM_JOBS, "make", "1", str(RANDOM_JOBS)], text=True, check=True,
                           capture_output=True).stdout.splitlines()
    return [(f"seed {seed}", json.loads(line.split("\t", 1)[1]))
            for seed, line in enumerate(lines, 1)]


def expect_agreement(jobs):
    """Neither side has anything against these."""
    valid = validator()
    daemon = Daemon()
    for (where, job), problems in zip(jobs, verdicts(daemon, [job for _, job in jobs])):
        equal(problems, [], f"{where}: the daemon")
        equal(complaint(valid, job), None, f"{where}: the schema")


# --- the file ---

@test
def given_the_schema_of_this_daemon_then_it_is_the_one_that_is_installed():
    printed = subprocess.run([GATHERD, "--schema"], text=True, capture_output=True, check=False,
                             env=clean_env())
    equal((printed.returncode, printed.stderr), (0, ""))
    true(printed.stdout == COMMITTED.read_text(),
         "proto/job.schema.json is not what gatherd --schema prints; look at the difference and "
         "say: ./gatherd --schema >proto/job.schema.json")


@test
def given_the_schema_then_it_is_one():
    Draft202012Validator.check_schema(schema())


@test
def given_every_list_of_keys_then_each_key_has_a_description():
    parts = schema()["$defs"]
    lists = [parts["step"]["properties"], parts["def"]["properties"],
             parts["error"]["properties"], parts["retry"]["then"]["properties"],
             {k: v for k, v in parts["job"]["properties"].items() if list(v) != ["$ref"]}]
    true(len(lists[-1]) >= 6, "keys of the header")
    for key, what in (pair for keys in lists for pair in keys.items()):
        true(what.get("description"), f"{key} has a description")


def references(part):
    """Every object in it that has a $ref."""
    inside = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    found = [part] if isinstance(part, dict) and isinstance(part.get("$ref"), str) else []
    return found + [reference for item in inside for reference in references(item)]


@test
def given_a_reference_then_its_neighbours_are_no_keywords_of_what_it_refers_to():
    """Some editors would put the one in place of the other."""
    whole = schema()
    for reference in references(whole):
        target = whole
        for step in reference["$ref"].split("/")[1:]:
            target = target[step]
        equal(set(reference) & set(target) - {"$ref"}, set(), reference)


# --- what is right ---

@test
def given_the_examples_of_the_documents_then_schema_and_daemon_take_them():
    jobs = documents()
    true(len(jobs) > 30, f"examples: {len(jobs)}")
    equal(sum(where == "README.md" for where, _ in jobs), 2, "examples of the README")
    expect_agreement(jobs)


@test
def given_odd_jobs_that_are_right_then_schema_and_daemon_take_them():
    expect_agreement([(json.dumps(job), job) for job in GOOD])


@test
def given_random_jobs_then_schema_and_daemon_take_them():
    jobs = random_jobs()
    equal(len(jobs), RANDOM_JOBS, "random jobs")
    expect_agreement(jobs)


@test
def given_the_corpus_of_the_fuzzer_then_the_schema_takes_what_the_daemon_takes():
    valid = validator()
    jobs = corpus()
    taken = 0
    for (where, job), problems in zip(jobs, verdicts(Daemon(), [job for _, job in jobs])):
        if not problems:
            taken += 1
            equal(complaint(valid, job), None, where)
    true(taken > 25, f"good jobs in the corpus: {taken}")


# --- what is wrong ---

@test
def given_broken_jobs_then_schema_and_daemon_refuse_each():
    valid = validator()
    refused = verdicts(Daemon(), [job for _, job in BROKEN])
    for (what, job), problems in zip(BROKEN, refused):
        true(problems, f"the daemon takes {what}: {json.dumps(job)}")
        equal(len(problems), 1, f"problems with {what}: {problems}")
        true(complaint(valid, job), f"the schema takes {what}: {json.dumps(job)}")


@test
def given_the_words_that_are_no_names_then_schema_daemon_and_document_have_the_same():
    words = schema()["$defs"]["name"]["not"]["enum"]
    document = (SOURCE / "proto" / "JOBS.md").read_text()
    equal(sorted(words), sorted(re.search(r"words `([\w ]+)` are taken", document)[1].split()))
    jobs = [{"value": 1, "as": word} for word in words]
    for job, problems in zip(jobs, verdicts(Daemon(), jobs)):
        true(problems, f"the daemon takes {job}")


# --- what nobody thought of ---

WORDS = ["x", "", "5s", "${now}", "${", "$${x}", "E", "*", "_", "in", "lines", "success",
         "2030-01-31T08:00:00Z", "http://a", "job"]


def places(value, at=()):
    """The address of every value inside."""
    found = [at]
    inside = value.items() if isinstance(value, dict) else enumerate(value) \
        if isinstance(value, list) else ()
    for key, item in inside:
        found += places(item, at + (key,))
    return found


def value_at(value, at):
    for key in at:
        value = value[key]
    return value


def some_value(dice, jobs):
    """Anything: a constant, or a piece of another job."""
    job = dice.choice(jobs)
    return dice.choice([None, True, 0, -1, 2.5, 1, [], {}, dice.choice(WORDS), [dice.choice(WORDS)],
                        {"x": dice.choice(WORDS)}, value_at(job, dice.choice(places(job)))])


def mutate(dice, job, jobs, keys):
    """The job with one value, key or member changed, away or new."""
    job = copy.deepcopy(job)
    at = dice.choice(places(job))
    target = value_at(job, at)
    how = dice.randrange(4)
    if isinstance(target, dict) and how == 0:
        target[dice.choice(keys)] = copy.deepcopy(some_value(dice, jobs))
    elif isinstance(target, dict) and target and how == 1:
        del target[dice.choice(sorted(target))]
    elif isinstance(target, dict) and target and how == 2:
        target[dice.choice(keys)] = target.pop(dice.choice(sorted(target)))
    elif at:
        value_at(job, at[:-1])[at[-1]] = copy.deepcopy(some_value(dice, jobs))
    return job


@test
def given_mutants_of_good_jobs_then_the_schema_takes_those_that_the_daemon_takes():
    dice = random.Random(1)
    valid = validator()
    jobs = [job for _, job in documents()] + GOOD
    keys = sorted(schema()["$defs"]["job"]["properties"]) + ["after", "exec", "check", "x"]
    mutants = [mutate(dice, dice.choice(jobs), jobs, keys) for _ in range(MUTANTS)]
    taken = 0
    for job, problems in zip(mutants, verdicts(Daemon(), mutants)):
        if not problems:
            taken += 1
            equal(complaint(valid, job), None, json.dumps(job))
    true(taken > MUTANTS // 20, f"good mutants: {taken} of {MUTANTS}")


if __name__ == "__main__":
    run()
