#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
postgres.py MEMTRACE: attaches with -f to a postgresql under load, and counts what its clients say.

Two pgbench: one keeps its connections, the other makes a new one for each transaction, so that the
server forks all the time.  ROUNDS (3) attaches of TRACED_S (10) seconds, with load before, during
and after.  It never judges: the exit status is 0.  The environment may say ENGINE (memtrace's
default).
"""
import contextlib
import glob
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import time

ENGINE = os.environ.get("ENGINE")
ROUNDS = int(os.environ.get("ROUNDS") or 3)
TRACED_S = float(os.environ.get("TRACED_S") or 10)
AROUND_S = 3            # of load before the attach and after the detach
WAIT_S = 60
LOADS = {"kept connections": [], "new connections": ["-C"]}


def program(name):
    found = shutil.which(name) or next(iter(sorted(
        glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True)), None)
    if not found:
        print(f"  {name} is not installed (package postgresql starts a service)")
        sys.exit(0)
    return found


class Postgres:
    """A server in a folder of its own; root starts it as somebody else, as it wants."""

    def __init__(self, folder):
        self.folder, self.process = folder, None
        self.user = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid} \
            if os.getuid() == 0 else {}
        self.address = ["-h", folder, "-U", "bench"]
        if self.user:
            os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)

    def run(self, *command):
        subprocess.run([program(command[0]), *command[1:]], check=True, cwd=self.folder,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=WAIT_S,
                       **self.user)

    def start(self):
        self.run("initdb", "-D", f"{self.folder}/data", "-U", "bench", "-A", "trust")
        with open(f"{self.folder}/log", "wb") as log:
            self.process = subprocess.Popen(
                [program("postgres"), "-D", f"{self.folder}/data", "-k", self.folder,
                 "-c", "listen_addresses="], cwd=self.folder, stdout=log,
                stderr=subprocess.STDOUT, **self.user)
        end = time.monotonic() + WAIT_S
        while subprocess.run([program("pg_isready"), *self.address, "-d", "postgres", "-q"],
                             check=False).returncode:
            if time.monotonic() > end:
                print("  it does not answer")
                sys.exit(0)
            time.sleep(0.1)
        self.run("pgbench", *self.address, "-i", "-q", "-s", "1", "postgres")

    def load(self, seconds, options):
        return subprocess.Popen(
            [program("pgbench"), *self.address, "-n", "-c", "4", "-T", str(round(seconds)),
             *options, "postgres"], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, **self.user)

    def stop(self):
        if not self.process:
            return
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(WAIT_S)

    def complaints(self):
        """Lines of its log that nobody wants to see."""
        with open(f"{self.folder}/log", errors="replace") as log:
            return [line.rstrip() for line in log
                    if re.search(r"\b(ERROR|FATAL|PANIC|terminated by signal|crash)", line)]


def attach(memtrace, pid, folder):
    """The reports of a trace of the whole family."""
    for path in glob.glob(f"{folder}/report.*"):
        os.unlink(path)
    engine = ["--engine", ENGINE] if ENGINE else []
    done = subprocess.run([memtrace, "-q", "-f", *engine, "-d", str(TRACED_S), "-p", str(pid),
                           "--format", f"json:{folder}/report.%p"], capture_output=True, text=True,
                          check=False, timeout=TRACED_S + WAIT_S)
    reports = []
    for path in glob.glob(f"{folder}/report.*"):
        with open(path) as file:
            reports.append(json.load(file))
    if done.returncode or done.stderr:
        print(f"  memtrace: status {done.returncode}: {done.stderr.strip()}")
    return reports


def said_by(load):
    """(transactions, failed ones, complaints) of a pgbench that has ended."""
    out, errors = load.communicate(timeout=TRACED_S + 2 * AROUND_S + WAIT_S)
    done = re.search(r"actually processed: (\d+)", out)
    failed = re.search(r"failed transactions: (\d+)", out)
    lines = [line for line in errors.splitlines() if "pgbench (" not in line]
    return int(done[1]) if done else 0, int(failed[1]) if failed else 0, \
        lines + ([f"status {load.returncode}"] if load.returncode else [])


def one_round(memtrace, server):
    loads = {name: server.load(TRACED_S + 2 * AROUND_S, options)
             for name, options in LOADS.items()}
    time.sleep(AROUND_S)
    reports = attach(memtrace, server.process.pid, server.folder)
    for name, load in loads.items():
        done, failed, complaints = said_by(load)
        print(f"  {name:<18} {done:>8} transactions, {failed} failed, "
              f"{len(complaints)} complaints {complaints[:3] or ''}")
    runs = [report["run"] for report in reports]
    print(f"  {len(runs):>8} processes traced, {sum(run['events'] for run in runs)} events, "
          f"{sum(run['dropped'] for run in runs)} dropped; server "
          f"{'lives' if server.process.poll() is None else 'HAS ENDED'}", flush=True)


def main(memtrace):
    print(f"postgresql under two pgbench, traced with -f for {TRACED_S:g} s:")
    with tempfile.TemporaryDirectory(prefix="postgres.") as folder:
        server = Postgres(folder)
        try:
            server.start()
            for _ in range(ROUNDS):
                one_round(os.path.abspath(memtrace), server)
        finally:
            server.stop()
        complaints = server.complaints()
        print(f"  its log: {len(complaints)} complaints {complaints[:5] or ''}")


if __name__ == "__main__":
    main(*sys.argv[1:])
