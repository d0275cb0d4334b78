"""Functions of the expressions, and how values become text, durations and items."""
import asyncio
import json
import re

UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def compact(value):
    """JSON as the daemon writes it. A task in it is a TypeError, as the language wants it."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def text_of(value):
    return value if isinstance(value, str) else compact(value)


def joined(*parts):
    return "".join(text_of(p) for p in parts)


def member(value, name):
    if not isinstance(value, dict):
        raise TypeError("no object, so it has no member %r" % name)
    return value[name]


def items(value):
    """What `for` goes over."""
    if not isinstance(value, (list, dict)):
        raise TypeError("cannot go over this")
    return list(value)


def duration(value):
    """Seconds. None stays None: no timeout."""
    if value is None or type(value) in (int, float):
        return value
    if not isinstance(value, str):
        raise TypeError("no duration: %r" % (value,))
    if not re.fullmatch(r"(\d+(\.\d+)?(d|h|ms|us|ns|m|s))+", value):
        raise ValueError("no duration: %r" % value)
    return sum(float(n) * UNITS[unit]
               for n, unit in re.findall(r"([\d.]+)(d|h|ms|us|ns|m|s)", value))


def fn_default(first, second):
    try:
        return first()
    except (KeyError, IndexError):
        return second()


def fn_type(value):
    return "null" if value is None else type(value).__name__


FUNCTIONS = {
    "member": member, "joined": joined, "text_of": text_of, "items": items, "duration": duration,
    "fn_default": fn_default, "fn_type": fn_type, "fn_str": text_of, "fn_json": compact,
    "fn_parse_json": json.loads,
    "fn_len": len, "fn_int": int, "fn_float": float, "fn_bool": bool, "fn_min": min,
    "fn_max": max, "fn_sum": sum, "fn_abs": abs, "fn_round": round, "fn_any": any, "fn_all": all,
    "fn_sorted": sorted,
    "fn_range": lambda *a: list(range(*a)),
    "fn_reversed": lambda v: list(reversed(v)),
    "fn_keys": lambda v: list(v.keys()),
    "fn_values": lambda v: list(v.values()),
    "fn_items": lambda v: [list(i) for i in v.items()],
    "fn_zip": lambda *a: [list(i) for i in zip(*a)],
    "fn_enumerate": lambda v: [list(i) for i in enumerate(v)],
    "fn_join": lambda sep, v: sep.join(v),
    "fn_split": lambda text, sep: text.split(sep),
    "fn_strip": str.strip, "fn_lower": str.lower, "fn_upper": str.upper,
    "fn_replace": str.replace, "fn_startswith": str.startswith, "fn_endswith": str.endswith,
}


async def awaited(value):
    """`await` of a handle, or of a list of handles in order."""
    if isinstance(value, list):
        return [await handle for handle in value]
    return await value


def cancelled(value, message=None):
    """`cancel` of a handle, or of a list of handles."""
    every = value if isinstance(value, list) else [value]
    if not all(isinstance(t, asyncio.Future) or asyncio.isfuture(t) for t in every):
        raise TypeError("cancel wants a handle or a list of them")
    answers = [t.cancel(message) if message is not None else t.cancel() for t in every]
    return answers if isinstance(value, list) else answers[0]
