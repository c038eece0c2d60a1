"""A webhook's receiver: it keeps every request and answers as it is told.

Receiver speaks plain HTTP. Endpoint stands before one with TLS, as a real
web server does: nginx, with certificates that the lab makes.
"""

import asyncio
import hashlib
import hmac
import shutil
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from .basics import LabError, free_port, listens, run, stop_process, tail, wait_for


@dataclass
class Request:
    """One POST as it came."""
    line: str                                    # "POST /hook HTTP/1.1"
    fields: list = field(default_factory=list)   # [(name, value), ...]
    body: bytes = b""
    at: float = 0.0
    client: int = 0    # the port that it came from

    def header(self, name):
        """The one value of a header; None without it."""
        values = [v for n, v in self.fields if n.lower() == name.lower()]
        if len(values) > 1:
            raise LabError(f"{name} stands {len(values)} times: {values}")
        return values[0] if values else None

    @property
    def path(self):
        return self.line.split()[1]

    @property
    def id(self):
        return self.header("X-Waybill-Id")

    def is_signed_by(self, *keys):
        """Does X-Waybill-Signature hold a signature of each of these keys, in
        this order, and no other?"""
        stamp, *signatures = (self.header("X-Waybill-Signature") or "none").split(",")
        if not stamp.startswith("t=") or abs(int(stamp[2:]) - self.at) > 60:
            return False
        text = stamp[2:].encode() + b"." + self.body
        return signatures == ["v1=" + hmac.new(key.encode(), text, hashlib.sha256).hexdigest()
                              for key in keys]


@dataclass
class Answer:
    """status 0: none, the connection ends. stays_s: it comes so much later.
    body_octets: as large as that. is_last: the connection ends behind it."""
    status: int = 200
    headers: tuple = ()
    stays_s: float = 0.0
    body_octets: int = 0
    is_last: bool = False


class Receiver:
    """An HTTP server in a thread."""

    def __init__(self, keeps_bodies=True):
        self.port = free_port()
        self.keeps_bodies = keeps_bodies
        self._changed = threading.Condition()
        self._requests, self._answers, self._default = [], {}, Answer()
        self._held = self._waiting = self._most_waiting = 0
        self._loop = self._thread = self._released = None

    # what it got

    def url(self, path="/hook"):
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def requests(self):
        with self._changed:
            return list(self._requests)

    @property
    def ids(self):
        """How often each id came."""
        return Counter(r.id for r in self.requests)

    @property
    def most_waiting(self):
        """How many were without an answer at one time, at most."""
        with self._changed:
            return self._most_waiting

    def wait_for(self, count, timeout=15.0, log=None):
        """The requests, once there are at least count of them."""
        return self._wait(lambda: len(self._requests) >= count and list(self._requests),
                          f"{count} requests", timeout, log)

    def wait_for_waiting(self, count, timeout=15.0, log=None):
        """Until count requests are held."""
        return self._wait(lambda: self._waiting >= count, f"{count} held requests", timeout, log)

    def _wait(self, probe, what, timeout, log):
        end = time.monotonic() + timeout
        with self._changed:
            while not (found := probe()):
                left = end - time.monotonic()
                if left <= 0:
                    raise LabError(f"after {timeout:g} s not {what} but {len(self._requests)} "
                                   f"requests, {self._waiting} held" + tail(log))
                self._changed.wait(left)
            return found

    # what it says

    def answer(self, status=200, *, path=None, **more):
        """From now on, on that path or on all that have no answer of their
        own."""
        with self._changed:
            if path is None:
                self._default = Answer(status, **more)
            else:
                self._answers[path] = Answer(status, **more)

    def hold(self):
        """Answer nobody until release()."""
        self._loop.call_soon_threadsafe(self._released.clear)

    def release(self):
        self._loop.call_soon_threadsafe(self._released.set)

    def clear(self):
        with self._changed:
            self._requests.clear()
            self._most_waiting = 0
            self._answers.clear()
            self._default = Answer()
        self.release()

    # its life

    def start(self):
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), daemon=True,
                                        name="receiver")
        self._thread.start()
        if not started.wait(10):
            raise LabError("the receiver did not start")
        return self

    def stop(self):
        if self._loop:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop = None

    def _run(self, started):
        self._loop = loop = asyncio.new_event_loop()
        self._released = asyncio.Event()
        self._released.set()
        server = loop.run_until_complete(asyncio.start_server(
            self._session, "127.0.0.1", self.port, backlog=1024, limit=1 << 20))
        started.set()
        loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    async def _session(self, reader, writer):
        try:
            client = writer.get_extra_info("peername")[1]
            while request := await self._read(reader):
                request.client = client
                if not await self._reply(request, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _read(self, reader):
        line = await reader.readline()
        if not line:
            return None
        request = Request(line.decode("latin-1").strip())
        while (line := (await reader.readline()).decode("latin-1")).strip():
            name, _, value = line.partition(":")
            request.fields.append((name, value.strip()))
        left = int(request.header("Content-Length") or 0)
        chunks = []
        while left:
            chunk = await reader.readexactly(min(left, 1 << 16))
            left -= len(chunk)
            if self.keeps_bodies:
                chunks.append(chunk)
        request.body, request.at = b"".join(chunks), time.time()
        return request

    async def _reply(self, request, writer):
        with self._changed:
            answer = self._answers.get(request.path.partition("?")[0], self._default)
            self._requests.append(request)
            self._waiting += 1
            self._most_waiting = max(self._most_waiting, self._waiting)
            self._changed.notify_all()
        try:
            await self._released.wait()
            await asyncio.sleep(answer.stays_s)
        finally:
            with self._changed:
                self._waiting -= 1
        if not answer.status:
            return False
        lines = [f"HTTP/1.1 {answer.status} Said", f"Content-Length: {answer.body_octets}",
                 *answer.headers, "", ""]
        writer.write("\r\n".join(lines).encode() + b"x" * answer.body_octets)
        await writer.drain()
        return not answer.is_last


class Endpoint:
    """nginx with TLS before a Receiver, on three ports: with a right
    certificate (for localhost and 127.0.0.1), with one for another name, and
    with one that nobody has signed."""

    PORTS = ("right", "other", "own")

    def __init__(self, directory, **options):
        self.dir = Path(directory)
        self.receiver = Receiver(**options)
        self.ports = {name: free_port() for name in self.PORTS}
        self.ca_file = self.dir / "ca.pem"
        self._process = None

    @staticmethod
    def missing():
        """Why it cannot run here; None if it can."""
        for program, package in (("nginx", "nginx-light"), ("openssl", "openssl")):
            if not shutil.which(program, path="/usr/sbin:/usr/bin"):
                return f"{program} is not installed (Debian: {package})"
        return None

    def url(self, path="/hook", certificate="right", host="localhost"):
        return f"https://{host}:{self.ports[certificate]}{path}"

    def start(self):
        self.dir.mkdir(mode=0o755)
        self._make_certificates()
        self.receiver.start()
        (self.dir / "nginx.conf").write_text(self._configuration())
        self._process = subprocess.Popen(
            ["/usr/sbin/nginx", "-p", self.dir, "-c", self.dir / "nginx.conf",
             "-e", self.dir / "error.log"], stdin=subprocess.DEVNULL)
        for port in self.ports.values():
            wait_for(f"nginx on port {port}", lambda p=port: listens(("127.0.0.1", p)),
                     log=self.dir / "error.log")
        return self

    def stop(self):
        stop_process(self._process)
        self._process = None
        self.receiver.stop()

    def _configuration(self):
        servers = "".join(f"""
    server {{
        listen 127.0.0.1:{port} ssl backlog=1024;
        ssl_certificate {self.dir}/{name}.pem;
        ssl_certificate_key {self.dir}/{name}.key;
        location / {{ proxy_pass http://receiver; }}
    }}""" for name, port in self.ports.items())
        return f"""\
daemon off;
user root;
worker_processes 1;
worker_rlimit_nofile 8192;
pid {self.dir}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_max_body_size 0;
    client_body_temp_path {self.dir}/body;
    proxy_temp_path {self.dir}/proxy;
    fastcgi_temp_path {self.dir}/fastcgi;
    uwsgi_temp_path {self.dir}/uwsgi;
    scgi_temp_path {self.dir}/scgi;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    upstream receiver {{ server 127.0.0.1:{self.receiver.port}; keepalive 64; }}
{servers}
}}
"""

    def _make_certificates(self):
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-days", "2"]
        run(["openssl", "req", "-x509", *key, "-subj", "/CN=Throwaway CA of the endpoint",
             "-keyout", self.dir / "ca.key", "-out", self.ca_file])
        signed = ["-addext", "basicConstraints=critical,CA:FALSE",
                  "-CA", self.ca_file, "-CAkey", self.dir / "ca.key"]
        right = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        other = ["-addext", "subjectAltName=DNS:other.test"]
        for name, more in (("right", right + signed), ("other", other + signed),
                           ("own", right)):
            run(["openssl", "req", "-x509", *key, "-subj", f"/CN={name}", *more,
                 "-keyout", self.dir / f"{name}.key", "-out", self.dir / f"{name}.pem"])
