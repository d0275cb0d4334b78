"""What two runs of one job say, and whether it is the same.

A story is a list of (time in ms, word, value). Compared are times, order and values. Of an error:
the type, `data` and, where a job has made the text, the message. The messages of built-in errors
differ on purpose, and asyncio has no paths. asyncio sometimes loses the message of a cancel, which
gatherd may keep; what asyncio has must be there.
"""
import json

from errors import BUILT_IN

WITHOUT_MESSAGE = set(BUILT_IN) - {"CancelledError"}


def story(text):
    lines = []
    for line in text.splitlines():
        time, word, value = line.split(" ", 2)
        lines.append((int(time), word, json.loads(value)))
    return lines


def is_error(value):
    return ("type" in value and "message" in value
            and value.keys() <= {"type", "message", "path", "data"})


def same_error(ours, theirs):
    kind = ours["type"]
    if kind != theirs["type"] or not same(ours.get("data"), theirs.get("data")):
        return False
    if kind in WITHOUT_MESSAGE or kind == "CancelledError" and not theirs["message"]:
        return True
    return ours["message"] == theirs["message"]


def same(ours, theirs):
    if type(ours) is not type(theirs):
        return False
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if not isinstance(ours, dict):
        return ours == theirs
    if is_error(ours) and is_error(theirs):
        return same_error(ours, theirs)
    return ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in ours)


def same_line(ours, theirs):
    return ours[:2] == theirs[:2] and same(ours[2], theirs[2])


def same_story(ours, theirs):
    return len(ours) == len(theirs) and all(map(same_line, ours, theirs))


def line_text(line):
    return "%d %s %s" % (line[0], line[1], json.dumps(line[2])) if line else ""


def side_by_side(ours, theirs):
    """Both stories, with a mark where they part."""
    rows = [("gatherd", "asyncio", " ")]
    for i in range(max(len(ours), len(theirs))):
        a = ours[i] if i < len(ours) else None
        b = theirs[i] if i < len(theirs) else None
        rows.append((line_text(a), line_text(b), " " if a and b and same_line(a, b) else "|"))
    width = min(70, max(len(row[0]) for row in rows))
    return "\n".join("  %-*s %s %s" % (width, a, mark, b) for a, b, mark in rows)
