# SPDX-License-Identifier: GPL-2.0-or-later
"""Options: what is asked for, and what is said about mistakes."""
from harness import *

ENGINES = ("auto",)


def said(*arguments):
    return Trace(list(arguments), json_report=False).wait()


def test_help():
    report = said("--help")
    equal(report.status, 0, "exit status")
    for word in ("--pid", "--duration", "--output", "--format", "--follow-forks", "--top",
                 "--sample", "--overhead", "--stack-depth", "--unwinder", "--debug-dir", "--resolve",
                 "--stats", "--quiet", "--verbose"):
        assert word in report.stdout, f"no {word} in\n{report.stdout}"
    equal(said("-h").stdout, report.stdout, "help")


def test_version():
    report = said("--version")
    equal((report.status, said("-V").stdout), (0, report.stdout), "version")
    assert re.match(r"memtrace \d+\.\d+", report.stdout), report.stdout


def test_mistakes():
    for arguments in (["--no-such-option"], ["-p"], ["-p", "x"], ["-p", "0"], ["-p", "-5"],
                      ["-p", "1x"], ["-d", "soon", "true"], ["-d", "-1", "true"],
                      ["--format", "no-such-format", "true"], ["-n", "many", "true"],
                      ["-k", "0", "true"], ["-k", "x", "true"], ["--unwinder", "magic", "true"],
                      ["--engine", "magic", "true"], ["--engine"],
                      ["-p", "1", "true"], ["-p", str(os.getpid()), "--", "true"]):
        report = said(*arguments)
        equal(report.status, 125, f"exit status of {arguments}")
        assert "memtrace: " in report.stderr.splitlines()[0], report.stderr
        equal(report.stdout, "", f"standard output of {arguments}")


def test_pid_without_p():
    target = Target(build("count.c", "-pthread"))
    target.expect("ready")
    report = said(str(target.pid))
    assert report.status in (125, 127), report.status
    assert f"did you mean -p {target.pid}?" in report.stderr, report.stderr
    target.go()
    target.finish()


def test_options_end_at_the_first_word():
    report = said("echo", "-p", "--version")
    equal(report.stdout, "-p --version\n", "output of the command")


def test_forms():
    """Values joined to their options."""
    report = said("-k5", "--top=3", "--format=text", "-d", "1m", "--", "echo", "hello")
    equal((report.status, report.stdout), (0, "hello\n"), "run")


def test_not_itself():
    script = f'exec "{MEMTRACE}" -p $$ -d 1'
    report = subprocess.run(["sh", "-c", script], capture_output=True, timeout=WAIT_S, text=True)
    equal(report.returncode, 125, f"exit status for itself: {report.stderr}")
