# SPDX-License-Identifier: GPL-2.0-or-later
"""
A redis server, which runs on jemalloc, attached to under load: no client sees an error, and
the leak in a module is found.  redis-check-rdb is the server under another name.
"""
import socket

from harness import *

SERVER = "/usr/bin/redis-check-rdb"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self):
        need(SERVER, "redis-cli", "redis-benchmark")
        self.port = str(free_port())
        module = build_library("module.c")
        self.process = subprocess.Popen(
            ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "",
             "--appendonly", "no", "--daemonize", "no", "--loadmodule", module],
            executable=SERVER, stdout=subprocess.DEVNULL)
        CHILDREN.append(self.process)
        self.pid = self.process.pid
        until(self.answers, "a server that answers")

    def answers(self):
        assert self.process.poll() is None, "the server ended"
        return subprocess.run(["redis-cli", "-p", self.port, "ping"], capture_output=True,
                              text=True).stdout == "PONG\n"

    def cli(self, *words):
        return run("redis-cli", "-p", self.port, *words).strip()

    def load(self, requests):
        """Clients at work; to be waited for."""
        process = subprocess.Popen(
            ["redis-benchmark", "-p", self.port, "-c", "8", "-n", str(requests), "-r", "500", "-q",
             "-t", "set,get,lpush,hset"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        CHILDREN.append(process)
        return process

    def end(self):
        subprocess.run(["redis-cli", "-p", self.port, "shutdown", "nosave"], capture_output=True)
        equal(self.process.wait(WAIT_S), 0, "exit status of the server")


def succeeded(load):
    output, _ = load.communicate(timeout=TEST_LIMIT_S)
    equal(load.returncode, 0, f"clients: {output}")
    assert "rror" not in output and output.count("requests per second") >= 4, output


def test_attached_under_load():
    server = Server()
    load = server.load(1500)
    with unharmed(server.pid):
        trace = attach(server.pid)
        for _ in range(20):
            equal(server.cli("leaky.leak"), "1", "answer of the module")
        equal(server.cli("set", "key", "value"), "OK", "answer")
        succeeded(load)
        equal(server.cli("get", "key"), "value", "answer")
        report = trace.stop()
    equal(server.cli("get", "key"), "value", "answer after the trace")
    site = report.at("module.c", "LEAK")
    equal((site["blocks"], site["bytes"]), (20, 20 * 777), "the planted leak")
    assert "main" in functions(site), functions(site)
    assert any("jemalloc" in f["module"] for f in report.run["functions"]), report.run
    server.end()


def test_cycles_under_load():
    server = Server()
    load = server.load(4000)
    for _ in range(8):
        with unharmed(server.pid):
            equal(Trace(["-p", str(server.pid), "-d", "0.2"]).wait().status, 0, "exit status")
    succeeded(load)
    server.end()
