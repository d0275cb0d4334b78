"""A real web server in a directory of its own, over HTTP and HTTPS, for tests and for the bench.

Environment: NGINX names the program where it is not on the PATH.
"""

import gzip
import os
import shutil
import subprocess

from harness import free_port, until

NGINX = shutil.which(os.environ.get("NGINX") or "nginx") or shutil.which("/usr/sbin/nginx")

CONF = """
daemon off;
worker_processes 1;
worker_rlimit_nofile {connections};
pid {home}/pid;
error_log {home}/error.log;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path {home}; proxy_temp_path {home}; fastcgi_temp_path {home};
    uwsgi_temp_path {home}; scgi_temp_path {home};
    server {{
        listen 127.0.0.1:{plain} backlog=4096;
        listen 127.0.0.1:{tls} ssl http2 backlog=4096;
        ssl_certificate {home}/cert.pem;
        ssl_certificate_key {home}/key.pem;
        root {home}/www;
        default_type text/plain;
        location = / {{ return 200 "ok"; }}
        location /slow {{ limit_rate 50; return 200 "{slow}"; }}
        location /what {{ return 200 "$request_method $args $http_content_type"; }}
        location /key {{ return 200 "$http_idempotency_key"; }}
        location /protocol {{ return 200 "$server_protocol"; }}
        location /user {{ return 200 "$http_user_agent"; }}
        location /gone {{ return 410 "no more"; }}
        location /loop {{ return 302 /loop; }}
        location /hop {{ return 302 /protocol; }}
        location /away {{ return 302 http://elsewhere.example/; }}
        location /meta {{ return 302 http://169.254.169.254/latest/meta-data/; }}
        location /down {{ return 302 http://localhost:{plain}/protocol; }}
        location /bomb {{ add_header Content-Encoding gzip; }}
    }}
}}
"""
SLOW = "x" * 100  # some four seconds, with its headers


class Nginx:
    """Runs from its making until stop(). Its certificate is signed by ca.pem, for localhost alone."""

    def __init__(self, home, large=65537, connections=512):
        self.home = home
        self.connections = connections
        home.chmod(0o755)  # its worker is somebody else where we are root
        www = home / "www"
        www.mkdir()
        (www / "large").write_bytes(b"x" * large)
        (www / "fits").write_bytes(b"x" * (large - 1))
        (www / "bomb").write_bytes(gzip.compress(bytes(50 << 20)))
        (www / "bytes").write_bytes(b"\xff\x00")
        self._certificates()
        for _ in range(5):
            self.plain, self.tls = free_port(), free_port()
            if self._start():
                return
        raise AssertionError((home / "error.log").read_text())

    def _openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.home, check=True, capture_output=True)

    def _certificates(self):
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                      "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test",
                      "-addext", "basicConstraints=critical,CA:TRUE")
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem",
                      "-out", "request.pem", "-subj", "/CN=localhost")
        (self.home / "ext").write_text("subjectAltName=DNS:localhost\n")
        self._openssl("x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key",
                      "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out", "cert.pem")

    def _start(self):
        conf = self.home / "nginx.conf"
        conf.write_text(CONF.format(home=self.home, plain=self.plain, tls=self.tls, slow=SLOW,
                                    connections=self.connections))
        with open(self.home / "error.log", "ab") as log:
            self.process = subprocess.Popen([NGINX, "-p", self.home, "-c", conf, "-e",
                                             self.home / "error.log"], stdout=log, stderr=log)
        until(lambda: (self.home / "pid").exists() or self.process.poll() is not None, "nginx")
        return self.process.poll() is None

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def url(self, path, host="127.0.0.1"):
        return f"http://{host}:{self.plain}{path}"

    def tls_url(self, path, host="localhost"):
        return f"https://{host}:{self.tls}{path}"
