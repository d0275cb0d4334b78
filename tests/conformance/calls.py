"""Functions on threads and HTTP requests, as coroutines await them, over what tests/sim/played.h plays.

A cancel waits for none of them, as that of asyncio.to_thread() does not.
"""
from commands import Command, Process
from errors import raised


class Call(Command):
    """One call, through all its attempts."""

    def __init__(self, name, words, on_interrupt):
        self.name = name
        super().__init__(words, on_interrupt=on_interrupt)

    def start(self):
        self.attempt += 1
        self.process = CallProcess(self)
        if self.on_interrupt == "retry":
            self.process.begun = self.loop.time()
        self.loop.runner.processes.append(self.process)

    def stop(self):
        if not self.has_ended:
            self.end()
        return False

    async def result_of(self):
        await self.wait(lambda: self.has_ended)
        if "interrupted" in self.outcome:
            raise raised({"type": "InterruptedError", "data": self.outcome, "message":
                          "%s was interrupted, and how it ended is not known: %s" % (
                              self.name, self.outcome["interrupted"])})
        if "error" in self.outcome:
            raise raised(self.outcome["error"])
        return self.outcome["result"]


class CallProcess(Process):
    def outcome(self):
        if self.is_lost():
            return {"interrupted": "gatherd ended"}
        return self.command.answer(self.name, self.numbers, self.words)


class Function(Call):
    def answer(self, name, numbers, words):
        if name in ("fail", "missing"):
            return {"error": {"type": "OSError" if name == "fail" else "FileNotFoundError",
                              "message": words}}
        return {"result": words}


class Request(Call):
    def answer(self, name, numbers, words):
        if name == "missing":
            return {"error": {"type": "FileNotFoundError", "message": words}}
        return {"result": {"status": int(numbers[0]) if name == "fail" else 200, "body": words}}


async def run_function(name, path, on_interrupt):
    return await Function(name, path.split(" "), on_interrupt).result_of()


async def run_request(url, check=True, on_interrupt="retry"):
    result = await Request(url, url.split("/")[3:], on_interrupt).result_of()
    if check and result["status"] // 100 != 2:
        raise raised({"type": "HttpError", "message": "%s answered %s" % (url, result["status"]),
                      "data": result})
    return result
