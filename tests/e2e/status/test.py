# SPDX-License-Identifier: GPL-2.0-or-later
"""Exit statuses: the command's own, 128 + signal, 127, 126, 125; with -p 0."""
from harness import *

ENGINES = ("auto",)


def status(*arguments):
    return Trace(list(arguments), json_report=False).wait()


def test_of_the_command():
    for code in (0, 1, 42, 255):
        equal(status("--", "sh", "-c", f"exit {code}").status, code, "exit status")
    equal(status("sh", "-c", "kill -TERM $$").status, 128 + 15, "status of a killed command")
    equal(status("sh", "-c", "kill -KILL $$").status, 128 + 9, "status of a killed command")


def test_streams_of_the_command():
    trace = Trace(["--", "sh", "-c", "cat; echo heard >&2"], stdin=subprocess.PIPE)
    trace.process.stdin.write(b"spoken")
    trace.process.stdin.close()
    report = trace.wait()
    equal(report.stdout, "spoken", "standard output")
    assert report.stderr.startswith("heard\n") or "\nheard\n" in report.stderr, report.stderr


def test_arguments_stay_as_they_are():
    words = ["-p", "", "a b", "--help", "é", "*"]
    report = status("--", "printf", "%s|", *words)
    equal(report.stdout, "".join(word + "|" for word in words), "arguments")


def test_command_not_found():
    equal(status("--", "no-such-command-anywhere").status, 127, "exit status")
    equal(status("--", "./no-such-file").status, 127, "exit status")


def test_command_cannot_run():
    with open("plain", "w") as file:
        file.write("text\n")
    os.chmod("plain", 0o644)
    equal(status("--", "./plain").status, 126, "exit status of a file that is no program")
    equal(status("--", "/").status, 126, "exit status of a folder")


def test_own_failure():
    equal(status("--no-such-option").status, 125, "exit status of a wrong option")
    equal(status().status, 125, "exit status without anything to do")
    gone = subprocess.Popen(["true"])
    gone.wait()
    report = status("-p", str(gone.pid))
    equal(report.status, 125, "exit status for a process that is gone")
    assert str(gone.pid) in report.stderr, report.stderr


def test_text_is_readable_without_a_terminal():
    report = status("--", "sh", "-c", ":")
    assert "HEAP SUMMARY" in report.stderr, report.stderr
    assert "\033" not in report.stderr and "\r" not in report.stderr, report.stderr
