# SPDX-License-Identifier: GPL-2.0-or-later
"""
--sample: estimates of programs that count their own calls, with the errors that memtrace gives.

An estimate that is right errs by more than 5 standard errors once in some million times, if it is
of many blocks; of a few that are nearly always drawn six are missed as seldom.
"""
from harness import *

ENGINES = ("jump",)
ERRORS = 5
MISSED = 6


def close(found, expected, error, what, block=0):
    bound = max(ERRORS * error, MISSED * block) + 2
    assert abs(found - expected) <= bound, f"{what}: {found}, must be {expected} within {bound}"


def estimates(report, truth, sample):
    """The totals are what the program counted, as far as its samples can tell."""
    heap = report.heap
    equal(report.run["sample_bytes"], sample, "run.sample_bytes")
    equal(report.run["dropped"], 0, "dropped events")
    for key, error in (("live_bytes", "bytes_error"), ("live_blocks", "blocks_error"),
                       ("allocs", "allocs_error"), ("bytes_allocated", "bytes_allocated_error")):
        close(heap[key], truth["bytes" if key == "bytes_allocated" else key], heap[error], key)
    close(heap["frees"], truth["frees"], heap["allocs_error"], "frees")
    assert 0 < heap["sampled_blocks"] <= heap["sampled_allocs"] < heap["allocs"], heap
    equal(sum(s["sampled_blocks"] for s in report.sites), heap["sampled_blocks"], "live samples")
    for site in report.sites:
        assert site["sampled_blocks"] and site["bytes_error"] <= site["bytes"], site


def places(report, threads):
    """Estimates of single places; each thread does the same."""
    for mark, blocks, size in (("kept", 12000, 200), ("resized", 250, 6400), ("zeroed", 40, 20000)):
        site = report.at("sample.c", f"/* {mark} */")
        few = mark == "zeroed"
        close(site["blocks"], threads * blocks, site["blocks_error"], f"blocks {mark}", few)
        close(site["bytes"], threads * blocks * size, site["bytes_error"], f"bytes {mark}",
              few * size)
    equal(report.at("sample.c", "/* kept */")["frees"], 0, "frees of what is kept")


@both
def test_one_thread(trace):
    report, truth = trace(build("sample.c", "-pthread"), "1", options=["--sample", "4K"])
    estimates(report, truth, 4096)
    places(report, 1)


@both
def test_8_threads(trace):
    report, truth = trace(build("sample.c", "-pthread"), "8", options=["--sample", "16K"])
    estimates(report, truth, 16384)
    places(report, 8)


def test_fine():
    """Nearly every block is a sample, and known exactly; there is room for some thousand."""
    report, truth = trace_attached(build("count.c", "-pthread"), "2", "3000",
                                   options=["--sample=1K"])
    estimates(report, truth, 1024)


def test_text():
    report, _ = trace_attached(build("sample.c", "-pthread"), "1", options=["--sample", "16K"])
    text = report.stdout
    about = r"about [\d.]+ MiB \(\+- \d+ %\) in about [\d,]+ blocks \([\d,]+ sampled\)"
    for words in (rf"^UNFREED: .* did not free {about} in .*, at \d sampled places? ",
                  r"^Sampled  [\d,]+ allocations, one in 16 KiB on average; figures are estimates",
                  rf"in use at detach: {about} allocated since the attach$",
                  r"total heap usage: about [\d,]+ allocs, about [\d,]+ frees, about [\d.]+ MiB"
                  r" \(\+- \d+ %\) allocated since the attach$", rf"^1\. UNFREED {about}$",
                  r"^   allocated here: about [\d,]+, freed: 0"):
        assert re.search(words, text, re.M), f"no {words} in\n{text}"


def test_growing():
    """What grows by much more than its error is told, in rounded figures."""
    target = Target(build("leaky.c"))
    target.expect("ready")
    report, _ = trace_until("done", target, "--sample", "2K")
    target.finish()
    equal(report.json["verdict"], "growing", "verdict")
    equal([site["growing"] for site in report.sites], [True], "sites that grow")
    assert re.search(r"^GROWING: 1 sampled place \(1\) gained about [\d.]+ .iB \(\+- \d+ %\), "
                     r"\+[\d.]+ .iB/s, in all four quarters", report.stdout, re.M), report.stdout


def test_nothing_sampled():
    report = launch(build("tiny.c"), options=["--sample", "1G"])
    equal(report.json["verdict"], "no-leak-seen", "verdict")
    equal((report.heap["sampled_allocs"], report.sites), (0, []), "samples")
    assert re.search(r"^NO LEAK SEEN in .*: no allocation of tiny \(pid \d+\) was sampled: nothing "
                     r"can be said of it\.$", report.stderr, re.M), report.stderr
    assert "One sample is drawn in 1 GiB on average" in report.stderr, report.stderr


def test_all_freed():
    report = launch(build("churn.c"), options=["--sample", "1K"])
    equal(report.json["verdict"], "no-leak-seen", "verdict")
    assert re.search(r"^NO LEAK SEEN in .*: [\d,]+ sampled blocks of churn \(pid \d+\) were all "
                     r"freed\.$", report.stderr, re.M), report.stderr


def test_fork_children():
    """Each has estimates of its own, and the parent's are not changed by them."""
    path = os.path.abspath("child")
    remove(path + ".*")
    trace = Trace(["-f", "--sample", "4K", "--format", f"json:{path}.%p", "--",
                   build("sample.c", "-pthread"), "1", "2"], json_report=False)
    done = trace.wait()
    equal(done.status, 0, f"exit status\n{done.stderr}\nstatus")
    truth = truth_in(done.stdout)
    found = [json_in(read(name, "rb")) for name in glob.glob(path + ".*")]
    equal(len(found), 3, "reports")
    for report in found:
        heap = report["heap"]
        close(heap["live_bytes"], truth["live_bytes"], heap["bytes_error"], "live bytes of each")
        close(heap["allocs"], truth["allocs"], heap["allocs_error"], "allocations of each")


def test_children_left_alone():
    report, truth = trace_launched(build("sample.c", "-pthread"), "1", "2",
                                   options=["--sample", "4K"])
    estimates(report, truth, 4096)


def test_functions_that_throw():
    """jemalloc's operator new cannot be jumped from: the report says what is missing."""
    libraries = glob.glob("/usr/lib/*/libjemalloc.so.2")
    if not libraries:
        raise Skip("libjemalloc is not installed")
    report, truth = trace_attached(build("sample.c", "-pthread"), "2", options=["--sample", "8K"],
                                   env={"LD_PRELOAD": libraries[0]})
    estimates(report, truth, 8192)
    assert "is not sampled, since an exception may leave it" in report.stderr, report.stderr
    assert re.search(r"^ +not \d functions, which may throw", report.stdout, re.M), report.stdout


@engines("auto")
def test_refused():
    report = Trace(["--engine", "break", "--sample", "64K", "true"], json_report=False).wait()
    equal(report.status, 125, "exit status")
    equal(report.stderr, "memtrace: --sample needs the engine jump: --engine break stops at every "
                         "call\n", "words")
    for value in ("", "0", "1", "100", "1023", "-1K", "2G", "1T", "512k", "1.5K", "K", "1Kx"):
        report = Trace(["--sample", value, "true"], json_report=False).wait()
        equal(report.status, 125, f"exit status with {value}")
        equal(report.stderr, f"memtrace: --sample {value}: a number of bytes from 1K to 1G is "
                             "needed, such as 512K\n", f"words with {value}")
