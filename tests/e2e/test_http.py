"""HTTP requests of jobs, against nginx and a server that answers when it is told to."""

import contextlib
import http.server
import pathlib
import subprocess
import sys
import threading

from harness import (GATHERD, Daemon, at_end, equal, refused, run, scratch, test, true, until)
from nginx import NGINX, Nginx

HERE = ["--http-allow", "127.0.0.1, localhost", "--http-allow-address", "127.0.0.1"]
KIB = 64  # of a response

def serve():
    """nginx, until the test is over."""
    nginx = Nginx(scratch(), large=KIB * 1024 + 1)
    at_end(nginx.stop)
    return nginx


class Held:
    """Answers nothing until `go` is set; `asked` are the paths and keys of the requests so far."""

    def __init__(self):
        self.go = threading.Event()
        self.asked = []
        held = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """Takes down what is asked."""

            def do_GET(self):  # pylint: disable=invalid-name
                held.asked.append((self.path, self.headers.get("Idempotency-Key")))
                held.go.wait()
                with contextlib.suppress(OSError):
                    self.send_response(200)
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"ok")

            do_POST = do_GET

            def log_message(self, *_):  # pylint: disable=arguments-differ
                """Not a word."""

        class Server(http.server.ThreadingHTTPServer):
            """With room for all who come at one time."""
            request_queue_size = 256

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        at_end(self.stop)

    def stop(self):
        self.go.set()
        self.server.shutdown()
        self.server.server_close()

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_address[1]}{path}"

    def paths(self):
        return sorted(path for path, _ in self.asked)


def outcome(daemon, spec, **more):
    """The result of a job, or its error."""
    with daemon.wire() as wire:
        reply = wire.call("job.run", spec=spec, **more)
        return reply.get("result", reply.get("error"))


def failure(daemon, request, type_, stage=None, **more):
    error = outcome(daemon, dict({"http": request}, **more))
    equal(error.get("type"), type_, f"type of {error}")
    if stage is not None:
        equal(error["data"].get("stage"), stage, f"stage of {error}")
    return error


def problem(daemon, spec):
    """The only problem of a spec that is refused."""
    with daemon.wire() as wire:
        errors = refused("InvalidSpec", wire.call, "job.submit", spec=spec).data["errors"]
        equal(len(errors), 1, f"problems: {errors}")
        return errors[0]


@test
def given_requests_when_run_then_their_answers_are_the_results():
    nginx = serve()
    daemon = Daemon(*HERE)
    answer = outcome(daemon, {"http": nginx.url("/protocol")})
    equal((answer["status"], answer["body"]), (200, "HTTP/1.1"))
    equal(answer["url"], nginx.url("/protocol"))
    equal(answer["headers"]["content-type"], "text/plain")
    for request, wanted in [
            ({"url": nginx.url("/what"), "query": {"a": "b c", "ä": "&"}},
             "GET a=b%20c&%c3%a4=%26 "),
            ({"url": nginx.url("/what?x"), "json": {"a": [1]}}, "POST x application/json"),
            ({"url": nginx.url("/what"), "method": "PUT", "body": "text"}, "PUT  "),
            ({"url": nginx.url("/what"), "method": "DELETE"}, "DELETE  "),
            ({"url": nginx.url("/user")}, "gatherd/0.1.0"),
            ({"url": nginx.url("/user"), "headers": {"User-Agent": "me"}}, "me"),
            ({"url": nginx.url("/hop")}, "HTTP/1.1"),
            ({"url": nginx.url("/bytes")}, {"base64": "/wA="})]:
        equal(outcome(daemon, {"http": request})["body"], wanted, f"body of {request}")


@test
def given_a_status_that_is_not_good_then_it_is_an_error_unless_the_job_looks_itself():
    nginx = serve()
    daemon = Daemon(*HERE)
    error = failure(daemon, nginx.url("/gone"), "HttpError")
    equal((error["data"]["status"], error["data"]["body"]), (410, "no more"))
    equal(outcome(daemon, {"http": nginx.url("/gone"), "check": False})["status"], 410)


@test
def given_tls_then_the_certificate_is_verified_and_http_2_is_spoken():
    nginx = serve()
    daemon = Daemon(*HERE, "--http-ca-file", nginx.home / "ca.pem")
    equal(outcome(daemon, {"http": nginx.tls_url("/protocol")})["body"], "HTTP/2.0")
    failure(daemon, nginx.tls_url("/protocol", host="127.0.0.1"), "HttpError", "tls")
    failure(daemon, nginx.tls_url("/down"), "PermissionError", "redirect")
    stranger = Daemon(*HERE, name="2")
    failure(stranger, nginx.tls_url("/protocol"), "HttpError", "tls")
    lenient = Daemon(*HERE, "--http-ca-file", nginx.home / "ca.pem", "--http-downgrade", name="3")
    equal(outcome(lenient, {"http": nginx.tls_url("/down")})["body"], "HTTP/1.1")


@test
def given_many_requests_over_http_2_then_they_share_few_connections():
    nginx = serve()
    daemon = Daemon(*HERE, "--loops", "1", "--http-ca-file", nginx.home / "ca.pem")
    spec = [{"gather": {"http": nginx.tls_url("/protocol")}, "for": "n", "in": "${range(1000)}",
             "as": "r"}, {"return": "${[x.body for x in r]}"}]
    equal(outcome(daemon, spec), ["HTTP/2.0"] * 1000)
    count = connections_to(nginx.tls)
    true(1 <= count <= 40, f"{count} connections")


def connections_to(port):
    """Established ones, from the side that made them."""
    lines = pathlib.Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    return sum(line.split()[2].endswith(f":{port:04X}") and line.split()[3] == "01"
               for line in lines)


@test
def given_redirects_to_nowhere_good_then_they_end_with_an_error():
    nginx = serve()
    daemon = Daemon(*HERE)
    failure(daemon, nginx.url("/loop"), "LimitError", "redirect")
    error = failure(daemon, nginx.url("/away"), "PermissionError", "redirect")
    true("http-allow does not allow the host elsewhere.example:80" in error["message"], error)
    open_one = Daemon("--http-allow", "*", "--http-allow-address", "127.0.0.1", name="2")
    error = failure(open_one, nginx.url("/meta"), "PermissionError", "redirect")
    true("169.254.169.254 is a link-local address" in error["message"], error)


@test
def given_responses_that_are_too_large_then_it_is_a_limit_also_when_compressed():
    nginx = serve()
    daemon = Daemon(*HERE, "--http-response-kib", str(KIB))
    equal(len(outcome(daemon, {"http": nginx.url("/fits")})["body"]), KIB * 1024)
    failure(daemon, nginx.url("/large"), "LimitError", "response")
    before = daemon.rss()
    failure(daemon, nginx.url("/bomb"), "LimitError", "response")
    true(daemon.rss() - before < 20 << 20, "memory of a bomb")


@test
def given_a_server_that_does_not_answer_then_time_ends_the_request_and_others_go_on():
    held = Held()
    daemon = Daemon(*HERE)
    failure(daemon, {"url": held.url("/own"), "timeout": "50ms"}, "TimeoutError", "receive")
    impatient = Daemon(*HERE, "--http-timeout", "1", name="2")
    failure(impatient, {"url": held.url("/key")}, "TimeoutError", "receive")
    many = {"gather": {"http": held.url("/many")}, "for": "n", "in": "${range(50)}",
            "return_exceptions": True}
    with daemon.wire() as wire:
        id_ = wire.call("job.submit", spec=many)["id"]
        until(lambda: held.paths().count("/many") == 50, "50 requests")
        equal(wire.call("job.run", spec={"value": 1})["result"], 1)
        wire.call("job.cancel", id=id_)
        equal(wire.call("job.wait", ids=[id_], timeout=30)["done"][0]["status"], "cancelled")


@test
def given_what_can_be_known_when_submitted_then_it_is_a_problem_of_the_spec():
    daemon = Daemon(*HERE)
    for spec, pointer, words in [
            ([{"http": "http://example.org/"}], "/0/http",
             "http-allow does not allow the host example.org:80"),
            ({"do": [{"http": {"url": "http://127.0.0.2/"}}]}, "/do/0/http/url",
             "http-allow does not allow the host 127.0.0.2:80"),
            ([{"http": "ftp://127.0.0.1/"}], "/0/http", "no http:// or https:// URL"),
            ([{"http": "http://127.0.0.1:99999/"}], "/0/http", "not a URL: "),
            ([{"http": "http://me:secret@127.0.0.1/"}], "/0/http", "no user or password"),
            ([{"http": {"url": "http://127.0.0.1/", "method": "get"}}], "/0/http/method",
             "capital letters"),
            ([{"http": {"url": "http://127.0.0.1/", "headers": {"Host": "x"}}}], "/0/http/headers",
             "\"Host\" cannot be set"),
            ([{"http": {"url": "http://127.0.0.1/", "headers": {"X": "a\r\nY: b"}}}],
             "/0/http/headers", "control character")]:
        found = problem(daemon, spec)
        equal(found["pointer"], pointer, f"pointer of {found}")
        true(words in found["message"], found)
    any_name = Daemon("--http-allow", "*", name="2")
    for url in ("http://127.0.0.1/", "http://0x7f.1/", "http://2130706433/", "http://[::1]/",
                "http://[::ffff:10.0.0.1]/", "http://169.254.169.254/"):
        true("http-allow-address" in problem(any_name, [{"http": url}])["message"], url)
    closed = Daemon(name="3")
    true("http-allow" in problem(closed, [{"http": "http://127.0.0.1/"}])["message"], "no rule")


@test
def given_what_is_worked_out_when_it_runs_then_the_job_gets_the_error():
    daemon = Daemon(*HERE)
    for url, type_ in [("http://example.org/", "PermissionError"), ("ftp://x/", "ValueError"),
                       ("http://127.0.0.1:1/", "HttpError"), ("", "ValueError")]:
        equal(outcome(daemon, [{"value": url, "as": "u"}, {"http": "${u}"}])["type"], type_, url)
    name = Daemon("--http-allow", "*", name="2")
    error = failure(name, "http://localhost:1/", "PermissionError", "policy")
    true("http-allow-address" in error["message"], error)


@test
def given_a_daemon_that_dies_then_what_was_safe_is_asked_again_and_the_rest_is_interrupted():
    held = Held()
    daemon = Daemon(*HERE)
    nginx = serve()
    spec = {"gather": {"done": {"http": nginx.url("/key")},
                       "get": {"http": held.url("/get")},
                       "post": {"http": {"url": held.url("/post"), "method": "POST"}},
                       "again": {"http": {"url": held.url("/again"), "method": "POST"},
                                 "on_interrupt": "retry"}},
            "return_exceptions": True}
    with daemon.wire() as wire:
        id_ = wire.call("job.submit", spec=spec)["id"]
    until(lambda: held.paths() == ["/again", "/get", "/post"], "three requests")
    until(lambda: done_tasks(daemon, id_) == 1, "the end of the first")
    daemon.kill()
    daemon.start()
    until(lambda: held.paths() == ["/again", "/again", "/get", "/get", "/post"], "two of them again")
    held.go.set()
    with daemon.wire() as wire:
        true(wire.call("job.wait", ids=[id_], timeout=30)["done"], "the job does not end")
        result = wire.call("job.get", id=id_, include=["result"])["result"]
    equal(result["done"]["status"], 200)
    equal(result["get"]["body"], "ok")
    equal(result["again"]["body"], "ok")
    equal(result["post"]["type"], "InterruptedError")
    keys = {}
    for path, key in held.asked:
        keys.setdefault(path, set()).add(key)
    equal([len(keys[path]) for path in ("/again", "/get", "/post")], [1, 1, 1], f"keys {keys}")
    equal(len(set().union(*keys.values())), 3, f"keys {keys}")


def done_tasks(daemon, id_):
    with daemon.wire() as wire:
        events = wire.call("events.read", after=0, limit=1000, job=id_)["events"]
        return sum(event["kind"] == "task.completed" for event in events)


@test
def given_a_wrong_configuration_then_the_daemon_says_so_and_does_not_start():
    for flags, words in [(["--http-allow", "http://x"], "http-allow: http://x is not a host"),
                         (["--http-allow-address", "10.0.0.1/8"], "more bits than the network"),
                         (["--http-allow", "*", "--http-ca-file", "/dev/null"],
                          "http-ca-file: no certificates in /dev/null")]:
        home = scratch()
        for more in ([], ["--check-config"]):
            done = subprocess.run([GATHERD, "--state-dir",
                                   home / "state", "--socket", home / "s", *flags, *more],
                                  capture_output=True, text=True, check=False, timeout=60)
            equal(done.returncode, 78, f"exit code with {flags}: {done.stderr}")
            true(words in done.stderr, done.stderr)


if NGINX is None:
    print("1..0 # SKIP nginx is not installed (on Debian: nginx-light)")
    sys.exit(0)
run()
