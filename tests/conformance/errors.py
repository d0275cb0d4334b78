"""Exceptions of the job language as Python's.

The types that Python has are Python's own; any other name that a job raises is a class of its own,
so that `except` matches exactly the name.
"""
import asyncio

BUILT_IN = {t.__name__: t for t in (
    KeyError, IndexError, TypeError, ValueError, ZeroDivisionError, OverflowError, RuntimeError,
    TimeoutError, GeneratorExit, asyncio.CancelledError)}
made = {}


def failure(name):
    """What `except` catches for a type that Python does not have."""
    if name not in made:
        made[name] = type(name, (Exception,), {})
    return (made[name], BaseExceptionGroup) if name == "ExceptionGroup" else made[name]


def raised(what):
    """The exception for the operand of `raise`: a type, or {type, message?, data?}."""
    if isinstance(what, str):
        what = {"type": what}
    if not isinstance(what, dict) or not isinstance(what.get("type"), str):
        return TypeError("raise wants a type or an object that has one")
    name, message = what["type"], what.get("message", "")
    kind = BUILT_IN.get(name)
    if kind is asyncio.CancelledError:
        return kind(message) if message else kind()
    if kind is None:
        failure(name)
        kind = made[name]
    error = kind(message)
    error.raised = {k: v for k, v in what.items() if k != "path"}
    return error


def described(error):
    """The object that `error` is in a handler. Without `path`: asyncio has none."""
    if isinstance(error, BaseExceptionGroup):
        return {"type": "ExceptionGroup", "message": str(error),
                "data": {"exceptions": [described(e) for e in error.exceptions]}}
    if hasattr(error, "raised"):
        return {"message": "", **error.raised}
    message = error.args[0] if error.args and isinstance(error.args[0], str) else ""
    return {"type": type(error).__name__, "message": message}
