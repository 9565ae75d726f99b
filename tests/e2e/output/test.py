# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the report goes and how much of it."""
from harness import *

LEAK_CHECK = False

ENGINES = ("auto",)


def trace_three(*options, **more):
    target = Target(build("sites.c"))
    target.expect("ready")
    with unharmed(target.pid):
        trace = Trace(["-p", str(target.pid), *options], json_report=False, **more)
        if "-q" not in options:
            trace.wait_attached(target.pid)
        else:
            time.sleep(1 * PATIENCE)
        target.go()
        target.truth()
        report = trace.stop()
    target.finish()
    return report, target.pid


def test_file_by_pid():
    report, pid = trace_three("-o", "report.%p.txt")
    assert "HEAP SUMMARY" in read(f"report.{pid}.txt")
    assert "HEAP SUMMARY" not in report.stdout + report.stderr, "the report went to a stream as well"


def test_standard_output():
    report, _ = trace_three()
    assert "HEAP SUMMARY" in report.stdout and "HEAP SUMMARY" not in report.stderr


def test_json_on_standard_output():
    report, pid = trace_three("--format", "json")
    equal(json_in(report.stdout.encode())["target"]["pid"], pid, "pid")


def test_several_formats():
    report, _ = trace_three("--format", "text", "--format", "json:several.json",
                            "--format", "folded:several.folded")
    assert "HEAP SUMMARY" in report.stdout
    live = json_in(read("several.json", "rb"))["heap"]["live_bytes"]
    lines = [line.rsplit(" ", 1) for line in read("several.folded").splitlines()]
    equal(sum(int(line[1]) for line in lines), live, "sum of the folded stacks")
    assert all(";main;" in f";{line[0]};" for line in lines), lines


def test_command_wants_a_file_for_json():
    report = Trace(["--format", "json", "--", "true"], json_report=False).wait()
    equal(report.status, 125, "exit status")


def shown(text):
    return len(re.findall(r"^\d+\. UNFREED", text, re.M))


def test_top():
    equal(shown(trace_three()[0].stdout), 10, "sites shown")
    equal(shown(trace_three("-n", "3")[0].stdout), 3, "sites shown with -n 3")
    equal(shown(trace_three("-n", "0")[0].stdout), 15, "sites shown with -n 0")


def test_quiet():
    report, _ = trace_three("-q")
    equal(report.stderr, "", "standard error")
    assert "HEAP SUMMARY" in report.stdout


def test_stats():
    report, _ = trace_three("--stats")
    assert len(report.stdout + report.stderr) > len("".join(trace_three()[0].__dict__[k]
                                                    for k in ("stdout", "stderr"))), report.stdout


def test_closed_standard_output():
    """Nobody reads the report: memtrace says so by its status, and the target is unharmed."""
    target = Target(build("sites.c"))
    target.expect("ready")
    with unharmed(target.pid):
        trace = Trace(["-p", str(target.pid)], json_report=False, preexec_fn=lambda: os.close(1))
        trace.wait_attached(target.pid)
        target.go()
        target.truth()
        trace.process.send_signal(signal.SIGINT)
        equal(trace.process.wait(WAIT_S), 125, "exit status")
    target.finish()


def test_broken_pipe():
    target = Target(build("sites.c"))
    target.expect("ready")
    reader, writer = os.pipe()
    with unharmed(target.pid):
        trace = Trace(["-p", str(target.pid)], json_report=False, stdout=writer)
        os.close(writer)
        trace.wait_attached(target.pid)
        os.close(reader)
        target.go()
        target.truth()
        trace.process.send_signal(signal.SIGINT)
        trace.process.wait(WAIT_S)
    target.finish()


def test_file_that_cannot_be_written():
    """Told before the target is touched."""
    target = Target(build("sites.c"))
    target.expect("ready")
    with unharmed(target.pid):
        report = Trace(["-p", str(target.pid), "-d", "1", "-o", "/no/such/folder/report"],
                       json_report=False).wait()
        equal(report.status, 125, "exit status")
        assert "/no/such/folder" in report.stderr, report.stderr
    target.go()
    target.finish()
