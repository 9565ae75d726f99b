#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
engines.py MEMTRACE FOLDER: the engine jump against heaptrack, with what must be reached beside
what was measured.  It never judges: the exit status is 0.

Every figure is the median of ROUNDS runs; the tools take turns within a round, since times drift.
Times of programs are from the command to its end: both tools have names and lines by then.  CPU
time is of all processes of a command: target, tracer, and heaptrack's pipeline.  The environment
may say ENGINE (jump), ROUNDS (3), and SCALE (1), by which the work of `pairs` is multiplied.
"""
import contextlib
import ctypes
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ENGINE = os.environ.get("ENGINE") or "jump"
ROUNDS = int(os.environ.get("ROUNDS") or 3)
SCALE = float(os.environ.get("SCALE") or 1)
LIMIT_S = 120           # for one command
LONGER = 5              # what sampled programs do more of than those that are traced in full
PR_SET_CHILD_SUBREAPER = 36
PAUSES = 9              # attaches whose pauses are measured

SOURCE = """
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>
template <int N> struct Item { std::map<std::string, std::vector<int>> map; int value = N; };
template <int N> int use(std::unordered_map<int, Item<N>> &items) {
    std::vector<std::unique_ptr<Item<N>>> all;
    for (auto &[key, item] : items) {
        item.map[std::to_string(key)].push_back(N);
        all.push_back(std::make_unique<Item<N>>(item));
    }
    std::sort(all.begin(), all.end(), [](auto &a, auto &b) { return a->value < b->value; });
    std::function<int(int)> f = [&](int i) { return all[i]->value + N; };
    return f(0);
}
template <int N> int many() {
    std::unordered_map<int, Item<N>> items;
    if constexpr (N > 0) return use<N>(items) + many<N - 1>();
    return 0;
}
int all() { return many<MANY>(); }
"""
PYTHON = """
import json, re
data = {str(i): [{"name": "x" * (i % 50), "n": i, "parts": list(range(i % 7))}] for i in range(6000)}
for _ in range(ROUNDS):
    text = json.dumps(data)
    data = json.loads(text)
    words = sorted(set(re.findall("[0-9]+", text[:200000])))
"""
SQL = """
create table words(id integer primary key, word text, n integer);
with recursive c(i) as (select 1 union all select i + 1 from c where i < ROWS)
  insert into words(word, n) select printf('%x-%d', i * 7919, i), i % 1700 from c;
create index by_word on words(word);
select count(*) from (select n, group_concat(word), max(length(word)) from words group by n);
select count(distinct substr(word, 1, 4)) from words;
"""


class Failed(Exception):
    """A command that did not do its work; the text says how."""


def rest_of_the_family():
    """Waits for what a command left behind, so that its time counts."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.01)
        except ChildProcessError:
            return


def measure(command, stdin=None, env=None):
    """(output, wall time, CPU time) of a command and all its processes, times in seconds."""
    def cpu():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime
    before, start = cpu(), time.monotonic()
    with open(stdin or os.devnull, "rb") as source:
        try:
            done = subprocess.run(command, stdin=source, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, timeout=LIMIT_S,
                                  env=dict(os.environ, **(env or {})))
        except subprocess.TimeoutExpired:
            raise Failed(f"not within {LIMIT_S} s")
    wall = time.monotonic() - start
    rest_of_the_family()
    output = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        raise Failed(f"status {done.returncode}: {output.strip().splitlines()[-1:]}")
    return output, wall, cpu() - before


class Tools:
    """How a command is run natively and under each tool."""

    def __init__(self, memtrace, folder):
        options = subprocess.run([memtrace, "--help"], capture_output=True, text=True).stdout
        engine = ["--engine", ENGINE] if "--engine" in options else []
        report = ["--format", f"text:{folder}/report"]
        self.folder = folder
        self.memtrace = [memtrace, *engine]
        self.ways = {"native": [], "memtrace": [*self.memtrace, "-q", *report, "--"],
                     "heaptrack": ["heaptrack", "-o", f"{folder}/heaptrack"]}
        if not shutil.which("heaptrack"):
            del self.ways["heaptrack"]
        if "--sample" in options:
            self.ways["sampled"] = [*self.memtrace, "-q", "--sample", "512K", *report, "--"]

    def compare(self, value, command, only=None, **more):
        """{way: median of value(output, wall, cpu)}, the ways in turns; why, where there is none."""
        found, failed = {}, {}
        for _ in range(ROUNDS):
            for way, words in self.ways.items():
                if way in failed or only and way not in only:
                    continue
                try:
                    found.setdefault(way, []).append(value(*measure([*words, *command], **more)))
                except Failed as reason:
                    failed[way] = str(reason)
                for path in os.listdir(self.folder):
                    if path.startswith("heaptrack"):
                        os.unlink(f"{self.folder}/{path}")
        medians = {way: tuple(statistics.median(column) for column in zip(*values))
                   for way, values in found.items() if way not in failed}
        for way, reason in failed.items():
            print(f"  {way} failed: {reason}")
        return medians


def works(tools):
    """Whether the memtrace measured has the engine that is asked for."""
    path = f"{tools.folder}/probe.json"
    done = subprocess.run([*tools.memtrace, "-q", "--format", f"json:{path}", "--", "true"],
                          capture_output=True, timeout=LIMIT_S)
    if done.returncode:
        return False
    with open(path) as file:
        return json.load(file)["run"]["engine"] == ENGINE


def ns_of_a_pair(output, wall, cpu):
    found = re.findall(r"^([0-9]+\.[0-9])$", output, re.M)
    if not found:
        raise Failed(f"no figure in {output!r}")
    return float(found[-1]), cpu


def row(name, native, memtrace, heaptrack, ratio, bound):
    print(f"{name:<42} {native:>9} {memtrace:>9} {heaptrack:>9} {ratio:>8}  {bound}", flush=True)


def heading(text, unit):
    print()
    row(text, "native", "memtrace", "heaptrack", "ratio", f"must be       ({unit})")


def against_heaptrack(name, medians, column, bound, form, added=True):
    """A row: what memtrace adds against what heaptrack adds; or the whole of it."""
    def cell(way):
        return form.format(medians[way][column]) if way in medians else "-"
    base = medians["native"][column] if added and "native" in medians else 0
    ratio = "-"
    if "memtrace" in medians and "heaptrack" in medians:
        theirs = medians["heaptrack"][column] - base
        ratio = f"{(medians['memtrace'][column] - base) / theirs:.3f}" if theirs > 0 else "-"
    row(name, cell("native"), cell("memtrace"), cell("heaptrack"), ratio, f"<= {bound}")


def bench_pairs(tools, pairs):
    heading("A pair of malloc and free, 16 calls deep", "ns; ratio of what is added")
    several = {}
    for threads, number in ((1, 1000000), (2, 400000), (8, 100000)):
        command = [pairs, str(max(1000, int(number * SCALE))), str(threads)]
        several[threads] = tools.compare(ns_of_a_pair, command, ("native", "memtrace", "heaptrack"))
        name = f"  {threads} thread{'s' * (threads > 1)}"
        against_heaptrack(name, several[threads], 0, 0.25, "{:.0f}")
    return several


def bench_cpu(measured):
    heading("CPU time, target and tracer together", "s; ratio of the whole")
    for name, medians in measured.items():
        against_heaptrack("  " + name, medians, 1, 0.5, "{:.2f}", added=False)


def programs(folder, longer=1):
    """(name, command, options of measure(), bound under --sample) of what is installed."""
    def file(name, text):
        for word, number in (("MANY", 6), ("ROUNDS", 12), ("ROWS", 450000)):
            text = text.replace(word, str(number * longer))
        with open(f"{folder}/{name}", "w") as out:
            out.write(text)
        return f"{folder}/{name}"
    found = []
    if shutil.which("g++"):
        compiler = subprocess.run(["g++", "-print-prog-name=cc1plus"], capture_output=True,
                                  text=True).stdout.strip()
        subprocess.run(["g++", "-std=c++17", "-E", file("source.cc", SOURCE), "-o",
                        f"{folder}/source.ii"], check=True)
        found.append(("cc1plus", [compiler, "-quiet", "-fpreprocessed", "-O1", "-std=c++17",
                                  f"{folder}/source.ii", "-o", f"{folder}/source.s"], {}, 1.05))
    found.append(("python3", ["/usr/bin/python3", "-S", file("work.py", PYTHON)],
                  {"env": {"PYTHONMALLOC": "malloc", "PYTHONHASHSEED": "1"}}, 1.10))
    if shutil.which("sqlite3"):
        found.append(("sqlite3", ["sqlite3", "-batch", ":memory:"], {"stdin": file("work.sql", SQL)},
                      1.05))
    return found


def times(_, wall, cpu):
    return wall, cpu


def bench_programs(tools, folder):
    measured = {}
    heading("Programs, wall time", "s; ratio of what is added")
    for name, command, more, _ in programs(folder):
        measured[name] = tools.compare(times, command, **more)
        against_heaptrack("  " + name, measured[name], 0, 0.3, "{:.2f}")
    return measured


def bench_samples(tools, folder, measured):
    """Of the programs above, which are short, and of the same with so much more to do that what
    a trace costs once, at its start and for the report, weighs less: sampling is for services."""
    def sampled_row(name, medians, bound):
        native, sampled = (medians.get(way, (0,))[0] for way in ("native", "sampled"))
        ratio = f"{sampled / native:.3f}" if native and sampled else "-"
        row("  " + name, f"{native:.2f}", f"{sampled:.2f}", "-", ratio, f"<= {bound}")
    heading("Programs with --sample 512K, wall time", "s; ratio to native")
    for name, command, more, bound in programs(folder, LONGER):
        sampled_row(f"{name}, short", measured[name], bound)
        sampled_row(name, tools.compare(times, command, ("native", "sampled"), **more), bound)


def anonymous_bytes(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"RssAnon:\s+(\d+)", file.read())[1]) * 1024


@contextlib.contextmanager
def crowd(program, threads):
    process = subprocess.Popen([program, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        time.sleep(0.3)
        yield process.pid
    finally:
        process.stdin.close()
        process.wait(10)


def pauses(tools, pid):
    """Of one attach and detach, in ms, and the anonymous memory that it added, in bytes."""
    path = f"{tools.folder}/pause.json"
    before = anonymous_bytes(pid)
    process = subprocess.Popen([*tools.memtrace, "-q", "-d", "0.4", "-p", str(pid), "--format",
                                f"json:{path}"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(0.3)
    added = anonymous_bytes(pid) - before
    _, errors = process.communicate(timeout=LIMIT_S)
    if process.returncode:
        raise Failed(f"status {process.returncode}: {errors.decode().strip()}")
    with open(path) as file:
        run = json.load(file)["run"]
    return run["attach_pause_ns"] / 1e6, run["detach_pause_ns"] / 1e6, added


def figures_row(name, values, digits, bound):
    print(f"  {name:<40} {statistics.median(values):>9.{digits}f} {max(values):>9.{digits}f}"
          f" {'':>18}  <= {bound}", flush=True)


def bench_pauses(tools, program):
    print(f"\n{'Pause of a target, ' + str(PAUSES) + ' times':<42} {'median':>9} {'longest':>9}"
          f" {'':>18}  must be       (ms)")
    for threads, bound in ((1, 5), (200, 25)):
        try:
            with crowd(program, threads) as pid:
                found = [pauses(tools, pid) for _ in range(PAUSES)]
        except Failed as reason:
            print(f"  {threads} threads: {reason}")
            continue
        attach, detach, added = ([one[column] for one in found] for column in range(3))
        threads = f"{threads} thread{'s' * (threads > 1)}"
        figures_row(f"attach, {threads}", attach, 2, bound)
        figures_row(f"detach, {threads}", detach, 2, bound)
        figures_row(f"memory added to it (KiB), {threads}", [n / 1024 for n in added], 0,
                    "1024, rings and rules aside")


def main(memtrace, bench):
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory() as folder:
        tools = Tools(memtrace, folder)
        if not works(tools):
            print(f"Engine {ENGINE}: this memtrace has none")
            return
        print(f"Engine {ENGINE} beside heaptrack, medians of {ROUNDS} runs in turns:")
        several = bench_pairs(tools, f"{bench}/pairs")
        measured = bench_programs(tools, folder)
        bench_samples(tools, folder, measured)
        bench_cpu({"pairs, 1 thread": several[1], "pairs, 2 threads": several[2], **measured})
        bench_pauses(tools, f"{bench}/crowd")


if __name__ == "__main__":
    main(*sys.argv[1:])
