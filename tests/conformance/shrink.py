"""Makes a job smaller for as long as the two sides still differ about it."""
import json

ROUNDS = 80
BATCH = 48
LEAVES = ({"sleep": 0}, {"value": 1})


def smaller_value(value):
    """What may stand in place of one value: fewer elements, one of its parts, a leaf, a smaller
    number. Many make no sense: the loader refuses those."""
    if isinstance(value, list):
        for i in range(len(value)):
            yield value[:i] + value[i + 1:]
        yield from value
    elif isinstance(value, dict):
        for key in value:
            yield {k: v for k, v in value.items() if k != key}
        for part in value.values():
            if isinstance(part, (list, dict)):
                yield part
        if value not in LEAVES:
            yield from LEAVES
    elif isinstance(value, str) and value.startswith("${"):
        yield 1
    elif type(value) in (int, float) and value not in (0, 1):
        yield 0
        yield 1
        yield int(value) // 2


def smaller_loop(loop):
    """A `while` keeps its condition, and the last step of its body, which lets it end."""
    if isinstance(loop["do"], list):
        for other in smaller_spec(loop["do"][:-1]):
            if isinstance(other, list):
                yield {**loop, "do": other + loop["do"][-1:]}


def smaller_spec(value):
    """Every spec that has one smaller value somewhere."""
    yield from smaller_value(value)
    if isinstance(value, list):
        for i, part in enumerate(value):
            for other in smaller_spec(part):
                yield value[:i] + [other] + value[i + 1:]
    elif isinstance(value, dict) and "while" in value:
        yield from smaller_loop(value)
    elif isinstance(value, dict):
        for key, part in value.items():
            for other in smaller_spec(part):
                yield {**value, key: other}


def smaller_jobs(line):
    cancels, spec = line.split("\t")
    several = cancels.split(",") if cancels else []
    for i in range(len(several)):
        yield ",".join(several[:i] + several[i + 1:]) + "\t" + spec
    for other in smaller_spec(json.loads(spec)):
        yield cancels + "\t" + json.dumps(other, separators=(",", ":"))


def shrink(line, differing):
    """differing(lines) gives those of the lines on which the two sides differ."""
    seen = {line}
    for _ in range(ROUNDS):
        candidates = sorted({c for c in smaller_jobs(line) if len(c) <= len(line)} - seen, key=len)
        for at in range(0, len(candidates), BATCH):
            batch = candidates[at:at + BATCH]
            seen.update(batch)
            found = differing(batch)
            if found:
                line = min(found, key=len)
                break
        else:
            break
    return line
