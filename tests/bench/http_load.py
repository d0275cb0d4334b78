"""HTTP requests for bench.py: through a job, by the client alone, and by curl; nginx answers."""

import pathlib
import shutil
import subprocess
import tempfile
import time

import harness
from nginx import NGINX, Nginx
from scale import cpu

ABREAST = 100


class HttpLoad:
    def __init__(self, bench):
        self.bench = bench

    def http(self):
        """Nothing where there is no nginx."""
        if NGINX is None:
            return
        home = pathlib.Path(tempfile.mkdtemp(prefix="gd-"))
        nginx = None
        try:
            nginx = Nginx(home, connections=12000)
            self.abreast(nginx)
            self.at_one_time(nginx)
        finally:
            if nginx is not None:
                nginx.stop()
            shutil.rmtree(home, ignore_errors=True)

    def daemon(self):
        return self.bench.daemon("--loops", "1", "--http-allow", "127.0.0.1",
                                 "--http-allow-address", "127.0.0.1")

    def job(self, url, count, **more):
        """(seconds, CPU seconds) of one job that asks for the same so often."""
        spec = {"events": "job",
                "do": [{"gather": {"do": [{"http": url, "as": "x"}, {"value": "${x.status}"}]},
                        "for": "n", "in": f"${{range({count})}}", "as": "r", **more},
                       {"return": "${sum(r)}"}]}
        with self.daemon() as daemon, daemon.wire() as wire:
            before, began = cpu(daemon.process.pid), time.monotonic()
            harness.equal(wire.call("job.run", spec=spec)["result"], 200 * count, "the job")
            return time.monotonic() - began, cpu(daemon.process.pid) - before

    def alone(self, url, count, most):
        """(seconds, CPU seconds, CPU milliseconds of the longest turn), without jobs or a journal."""
        words = [self.bench.programs / "http_speed", url, count, most]
        printed = subprocess.run([str(w) for w in words], check=True, capture_output=True, text=True)
        return [float(word) for word in printed.stdout.split()[:3]]

    def abreast(self, nginx):
        count = self.bench.sizes.requests
        what = f"HTTP requests a second, {ABREAST} at a time, in one job"
        put = self.bench.table.put
        put(what, "gatherd", count / self.job(nginx.url("/"), count, limit=ABREAST)[0], True)
        put(what, "alone", count / self.alone(nginx.url("/"), count, ABREAST)[0], True)
        if shutil.which("curl"):
            began = time.monotonic()
            subprocess.run(["curl", "-s", "-Z", "--parallel-max", str(ABREAST), "-o", "/dev/null",
                            nginx.url(f"/?[1-{count}]")], check=True,
                           stderr=subprocess.DEVNULL)
            put(what, "curl -Z", count / (time.monotonic() - began), True)

    def at_one_time(self, nginx):
        count = self.bench.sizes.requests_at_once
        used, turn = (f"{count:,} HTTP requests of 4 s at one time: {what}"
                      for what in ("CPU, s", "CPU of the longest turn, ms"))
        put = self.bench.table.put
        put(used, "gatherd", max(self.job(nginx.url("/slow"), count)[1], 1e-6))
        _, seconds, longest = self.alone(nginx.url("/slow"), count, count)
        put(used, "alone", max(seconds, 1e-6))
        put(turn, "gatherd", longest)
