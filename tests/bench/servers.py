#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
servers.py MEMTRACE: attaches to a redis-server and to a worker of nginx under load, with the
clients' requests a second before, during and after.  It never judges: the exit status is 0.

The clients are threads of this process that check each answer, byte by byte; what is counted is
what was right.  They are at work all the time, also while memtrace starts and resolves names.
"traced" is from the attach to the detach.  Server, clients and memtrace share the cores of one
machine, so a ratio also has what memtrace and strangers take; the server's own CPU time an answer
has not.  The environment may say ENGINE (memtrace's default), TRACED_S (10), and LOGS, a folder
that keeps reports and logs.
"""
import contextlib
import grp
import gzip
import hashlib
import json
import os
import pwd
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

ENGINE = os.environ.get("ENGINE")
TRACED_S = float(os.environ.get("TRACED_S") or 10)
LOGS = os.environ.get("LOGS")
WARM_S, NATIVE_S, AFTER_S = 1, 5, 3
WAIT_S = 30             # for anything that should happen soon
ANSWER_S = 10           # for an answer to a client
CLIENTS = 3             # of a kind
FAULTS_SHOWN = 5
LOCALHOST = "127.0.0.1"
REDIS = "redis-check-rdb"       # is the server under another name, and comes without a service

NGINX_CONF = """
{user}
worker_processes 1;
daemon off;
pid nginx.pid;
error_log error.log notice;
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    default_type text/plain;
    gzip on;
    gzip_types text/plain;
    gzip_http_version 1.0;
    gzip_min_length 1000;
    keepalive_requests 1000000000;
    client_body_temp_path temp_body;
    proxy_temp_path temp_proxy;
    fastcgi_temp_path temp_fastcgi;
    uwsgi_temp_path temp_uwsgi;
    scgi_temp_path temp_scgi;
    server {{
        listen {address}:{port} backlog=256;
        location / {{ root pages; }}
    }}
}}
"""


class Failed(Exception):
    """A server or memtrace that did not do its work; the text says how."""


class Wrong(Exception):
    """An answer that is not the right one; the text says how."""


def until(condition, what, limit_s=WAIT_S):
    end = time.monotonic() + limit_s
    while not (value := condition()):
        if time.monotonic() > end:
            raise Failed(f"not within {limit_s} s: {what}")
        time.sleep(0.01)
    return value


def read(path):
    with open(path, errors="surrogateescape") as file:
        return file.read()


def free_port():
    with socket.socket() as probe:
        probe.bind((LOCALHOST, 0))
        return probe.getsockname()[1]


# Processes

def end(process):
    """By its id, and first in a way that lets memtrace give its target back."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(WAIT_S)
    if process.poll() is None:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(WAIT_S)


def tracer_of(pid):
    """0 if there is none, or no such process."""
    with contextlib.suppress(OSError):
        return int(re.search(r"TracerPid:\s+(\d+)", read(f"/proc/{pid}/status"))[1])
    return 0


def alive(pid):
    """Neither gone nor a zombie."""
    with contextlib.suppress(OSError):
        return re.search(r"State:\s+(\w)", read(f"/proc/{pid}/status"))[1] not in "ZX"
    return False


def cpu_s(pid):
    """CPU time of a process so far."""
    words = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def code_of(pid):
    """A digest of each executable mapping."""
    found = {}
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in read(f"/proc/{pid}/maps").splitlines():
            span, mode, *_ = line.split()
            if "x" in mode and "[v" not in line:
                start, stop = (int(word, 16) for word in span.split("-"))
                memory.seek(start)
                found[line] = hashlib.sha1(memory.read(stop - start)).hexdigest()
    return found


def left_behind(pid, code):
    """What of a trace is still there, in words; `code` is code_of() before it."""
    found = ["memfd:"] if "memfd:" in read(f"/proc/{pid}/maps") else []
    now = code_of(pid)
    if any(now.get(line) != digest for line, digest in code.items()):
        found.append("changed code")
    if set(now) - set(code):
        found.append("executable mappings")
    if tracer_of(pid):
        found.append("TracerPid")
    return ", ".join(found) or "nothing"


# Clients

class Client(threading.Thread):
    """Sends its jobs in turns until it is told to stop.  A job is (request, answers, number of
    answers); check() compares.  After an error it connects anew."""
    keeps_alive = True

    def __init__(self, port, number):
        super().__init__(daemon=True)
        self.address = (LOCALHOST, port)
        self.jobs = self.make_jobs(number)
        self.answered = self.errors = 0
        self.longest_s = 0.0
        self.faults = []
        self.stopping = False

    def run(self):
        while not self.stopping:
            try:
                self.converse()
            except Exception as fault:      # whatever it is, the answer was not the right one
                self.errors += 1
                if len(self.faults) < FAULTS_SHOWN:
                    self.faults.append(f"{type(self).__name__}: {type(fault).__name__}: {fault}")
                time.sleep(0.05)

    def converse(self):
        """One connection."""
        with socket.create_connection(self.address, ANSWER_S) as wire:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with wire.makefile("rb", 65536) as reader:
                while not self.stopping:
                    for job in self.jobs:
                        self.do(wire, reader, *job)

    def do(self, wire, reader, request, answers, number):
        start = time.monotonic()
        wire.sendall(request)
        self.check(reader, answers)
        self.longest_s = max(self.longest_s, time.monotonic() - start)
        self.answered += number


class RedisPipelined(Client):
    """Strings and lists of many sizes; all of a pipeline's answers are known beforehand."""

    def make_jobs(self, number):
        dice = random.Random(number)
        return [self.pipeline(dice, f"client{number}") for _ in range(30)]

    @staticmethod
    def words(*words):
        words = [word if isinstance(word, bytes) else word.encode() for word in words]
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)

    def pipeline(self, dice, prefix):
        requests, answers = [], []
        for n in range(4):
            name, items = f"{prefix}:{n}", f"{prefix}:list{n}"
            value = dice.randbytes(int(2 ** dice.uniform(0, 13)))
            more = dice.randbytes(dice.randrange(1, 400))
            both = value + more
            requests += [self.words("SET", name, value), self.words("APPEND", name, more),
                         self.words("GET", name), self.words("LPUSH", items, value, more),
                         self.words("LPOP", items), self.words("DEL", name, items)]
            answers += [b"+OK\r\n", b":%d\r\n" % len(both), b"$%d\r\n%s\r\n" % (len(both), both),
                        b":2\r\n", b"$%d\r\n%s\r\n" % (len(more), more), b":2\r\n"]
        return b"".join(requests), b"".join(answers), len(requests)

    def check(self, reader, answers):
        """Stops at the first byte that is wrong, since there may be no further ones."""
        at = 0
        while at < len(answers):
            found = reader.read1(len(answers) - at)
            if not found:
                raise Wrong("connection closed")
            if found != answers[at:at + len(found)]:
                raise Wrong(f"{found[:60]!r}, must be {answers[at:at + 60]!r}")
            at += len(found)


PAGES = {f"page{size}": "".join(f"{n * 7919:x} " for n in range(size))[:size].encode()
         for size in (120, 900, 5000, 40000)}


def head_of(reader):
    """The headers of an answer, lower case; its status must be 200."""
    status, headers = reader.readline(), {}
    if not re.match(rb"HTTP/1\.1 200 ", status):
        raise Wrong(f"status {status!r}")
    while (line := reader.readline()) != b"\r\n":
        name, colon, value = line.partition(b":")
        if not colon:
            raise Wrong(f"header {line!r}")
        headers[name.lower()] = value.strip()
    return headers


class NginxKeepAlive(Client):
    """Pipelines of pages, always on one connection."""

    def make_jobs(self, number):
        dice = random.Random(number)
        return [self.pipeline(dice.choices(list(PAGES), (4, 4, 2, 1), k=16)) for _ in range(20)]

    @staticmethod
    def pipeline(names):
        requests = [f"GET /{name} HTTP/1.1\r\nHost: bench\r\n\r\n".encode() for name in names]
        return b"".join(requests), [PAGES[name] for name in names], len(names)

    def check(self, reader, answers):
        for body in answers:
            length = head_of(reader)[b"content-length"]
            if int(length) != len(body) or reader.read(len(body)) != body:
                raise Wrong(f"body of {length.decode()} bytes, must be a page of {len(body)}")


class NginxClosing(Client):
    """A connection for each page, which comes compressed where it is large."""

    def make_jobs(self, number):
        head = "GET /{} HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n"
        return [(head.format(name).encode(), body, 1) for name, body in PAGES.items()]

    def converse(self):
        for job in self.jobs:
            with socket.create_connection(self.address, ANSWER_S) as wire:
                with wire.makefile("rb", 65536) as reader:
                    self.do(wire, reader, *job)

    def check(self, reader, answers):
        packed = head_of(reader).get(b"content-encoding") == b"gzip"
        body = reader.read()
        if packed != (len(answers) >= 1000):
            raise Wrong("compressed" if packed else "not compressed")
        if (gzip.decompress(body) if packed else body) != answers:
            raise Wrong(f"body of {len(body)} bytes, must be a page of {len(answers)}")


class Load:
    """All clients of a server, at work."""

    def __init__(self, port, kinds):
        self.kinds = kinds
        self.clients = [kind(port, number) for kind in kinds for number in range(CLIENTS)]

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_):
        for client in self.clients:
            client.stopping = True
        for client in self.clients:
            client.join(ANSWER_S + 1)

    def answered(self):
        return {kind: sum(c.answered for c in self.clients if type(c) is kind)
                for kind in self.kinds}

    def longest_ms(self):
        """The longest that a client waited for a job's answers since the last call."""
        longest = max(client.longest_s for client in self.clients)
        for client in self.clients:
            client.longest_s = 0.0
        return longest * 1e3

    def errors(self, kind):
        return sum(client.errors for client in self.clients if type(client) is kind)

    def faults(self):
        return [fault for client in self.clients for fault in client.faults]


class Lap:
    """What clients and server do while wait() waits: rates are {kind: answers a second}."""

    def __init__(self, load, pid, wait):
        before, cpu, start = load.answered(), cpu_s(pid), time.monotonic()
        wait()
        seconds, cpu = time.monotonic() - start, cpu_s(pid) - cpu
        done = {kind: number - before[kind] for kind, number in load.answered().items()}
        self.rates = {kind: number / seconds for kind, number in done.items()}
        self.cpu_us = cpu / sum(done.values()) * 1e6 if any(done.values()) else 0


# Servers

@contextlib.contextmanager
def server(command, folder, port, executable=None):
    """A process that listens."""
    with open(f"{folder}/output.log", "wb") as log:
        process = subprocess.Popen(command, executable=executable, cwd=folder, stdout=log,
                                   stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)

    def listens():
        if process.poll() is not None:
            raise Failed(f"ended with {process.returncode}: {last_lines(folder)}")
        with contextlib.suppress(OSError), socket.create_connection((LOCALHOST, port), 1):
            return True
    try:
        until(listens, f"{command[0]} that listens")
        yield process
        if process.poll() is not None:
            raise Failed(f"ended with {process.returncode}: {last_lines(folder)}")
    finally:
        end(process)


def last_lines(folder):
    paths = [f"{folder}/{name}" for name in ("output.log", "error.log")]
    return " | ".join(line for path in paths if os.path.exists(path)
                      for line in read(path).splitlines()[-3:])


@contextlib.contextmanager
def redis(program, folder):
    """(pid to trace, port)"""
    port = free_port()
    with server(["redis-server", "--port", str(port), "--bind", LOCALHOST, "--save", "",
                 "--appendonly", "no", "--daemonize", "no", "--dir", folder], folder, port,
                program) as process:
        yield process.pid, port


def worker_of(master):
    words = read(f"/proc/{master}/task/{master}/children").split()
    return int(words[0]) if words else None


def write_site(folder, port):
    user = ""
    if os.getuid() == 0:        # a worker of root's is nobody, as it is in production
        nobody = pwd.getpwnam("nobody")
        user = f"user nobody {grp.getgrgid(nobody.pw_gid).gr_name};"
        os.chmod(folder, 0o755)
    os.mkdir(f"{folder}/pages")
    for name, body in PAGES.items():
        with open(f"{folder}/pages/{name}", "wb") as file:
            file.write(body)
    with open(f"{folder}/nginx.conf", "w") as file:
        file.write(NGINX_CONF.format(user=user, address=LOCALHOST, port=port))


@contextlib.contextmanager
def nginx(program, folder):
    """(pid to trace, port)"""
    port = free_port()
    write_site(folder, port)
    with server([program, "-p", folder, "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"],
                folder, port) as process:
        yield until(lambda: worker_of(process.pid), "a worker of nginx"), port


def find(program):
    """Debian's nginx is where only root looks."""
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin")


def allocator_of(pid):
    found = re.search(r"/lib(jemalloc|tcmalloc|mimalloc)", read(f"/proc/{pid}/maps"))
    return found[1] if found else "malloc of libc"


# Measuring

def trace(memtrace, pid, load, folder):
    """(the lap while attached, the report's "run")"""
    path = f"{folder}/report.json"
    engine = ["--engine", ENGINE] if ENGINE else []
    with open(f"{folder}/memtrace.log", "wb") as log:
        process = subprocess.Popen([memtrace, "-q", *engine, "-d", str(TRACED_S), "-p", str(pid),
                                    "--format", f"json:{path}"], stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=subprocess.STDOUT)
    try:
        until(lambda: tracer_of(pid) or process.poll() is not None, "an attach")
        lap = Lap(load, pid, lambda: until(lambda: not tracer_of(pid), "a detach",
                                           TRACED_S + WAIT_S))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(WAIT_S)
        if process.returncode != 0:
            text = read(f"{folder}/memtrace.log").strip()
            raise Failed(f"memtrace's status is {process.returncode}: {text}")
    finally:
        end(process)
    return lap, json.loads(read(path))["run"]


class Measured:
    """Three laps of one server, and the trace of the second one."""

    def __init__(self, memtrace, pid, load, folder):
        self.allocator, code = allocator_of(pid), code_of(pid)
        time.sleep(WARM_S)
        load.longest_ms()
        self.native = Lap(load, pid, lambda: time.sleep(NATIVE_S))
        self.native_wait_ms = load.longest_ms()
        self.traced, self.run = trace(memtrace, pid, load, folder)
        self.traced_wait_ms = load.longest_ms()
        self.after = Lap(load, pid, lambda: time.sleep(AFTER_S))
        self.left = left_behind(pid, code)


def measure(memtrace, name, serve, kinds, program, folder):
    """What was measured, or None; prints what went wrong."""
    measured = load = None
    try:
        with serve(program, folder) as (pid, port):
            try:
                with Load(port, kinds) as load:
                    measured = Measured(memtrace, pid, load, folder)
            except (Failed, OSError, ValueError, KeyError) as reason:
                print(f"  {name}: {reason}")
            if not alive(pid):
                print(f"  {name}: pid {pid} has ended: {last_lines(folder)}")
    except Failed as reason:
        print(f"  {name}: {reason}")
    for fault in load.faults()[:FAULTS_SHOWN] if load else []:
        print(f"  {name}: {fault}")
    if measured:
        measured.errors = {kind: load.errors(kind) for kind in kinds}
    return measured


def row(name, *cells):
    print(f"{name:<32}" + "".join(f" {cell:>9}" for cell in cells), flush=True)


def rates_table(found):
    row(f"Under load, traced for {TRACED_S:g} s", "native", "traced", "ratio", "after", "errors",
        "must be (answers/s)")
    for name, measured in found.items():
        for kind, native in measured.native.rates.items():
            traced, after = measured.traced.rates[kind], measured.after.rates[kind]
            row(f"  {name}, {KINDS[kind]}", f"{native:.0f}", f"{traced:.0f}",
                f"{traced / native:.3f}" if native else "-", f"{after:.0f}",
                measured.errors[kind], "0 errors")


def costs_table(found):
    print()
    row("Its cost", "native", "traced", "ratio", "after")
    for name, measured in found.items():
        native, traced, after = (lap.cpu_us for lap in
                                 (measured.native, measured.traced, measured.after))
        row(f"  {name}, CPU an answer (us)", f"{native:.2f}", f"{traced:.2f}",
            f"{traced / native:.3f}" if native else "-", f"{after:.2f}")
        row(f"  {name}, longest wait (ms)", f"{measured.native_wait_ms:.1f}",
            f"{measured.traced_wait_ms:.1f}")


def traces_table(found):
    print()
    row("The traces", "engine", "attach ms", "detach ms", "events", "dropped", "left behind")
    for name, measured in found.items():
        run = measured.run
        attach, detach = (f"{run[f'{end}_pause_ns'] / 1e6:.2f}" for end in ("attach", "detach"))
        row(f"  {name}, {measured.allocator}", run["engine"], attach, detach, run["events"],
            run["dropped"], measured.left)


KINDS = {RedisPipelined: "pipelined", NginxKeepAlive: "keep-alive", NginxClosing: "closing"}
SERVERS = (("redis-server", REDIS, "make deps", redis, [RedisPipelined]),
           ("nginx", "nginx", "its package starts a service", nginx,
            [NginxKeepAlive, NginxClosing]))


def main(memtrace):
    found = {}
    for name, program, source, serve, kinds in SERVERS:
        path = find(program)
        if not path:
            print(f"  {name}: not installed ({source})")
            continue
        with tempfile.TemporaryDirectory(prefix="servers.") as folder:
            measured = measure(os.path.abspath(memtrace), name, serve, kinds, path, folder)
            if LOGS:
                shutil.copytree(folder, f"{LOGS}/{name}", dirs_exist_ok=True)
        if measured:
            found[name] = measured
    if found:
        rates_table(found)
        costs_table(found)
        traces_table(found)


if __name__ == "__main__":
    main(*sys.argv[1:])
