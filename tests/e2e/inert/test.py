# SPDX-License-Identifier: GPL-2.0-or-later
"""No control character of the target's reaches a terminal: file names, symbols, thread names."""
from harness import *

ENGINES = ("auto",)

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]")


def evil_program():
    """A file with an escape sequence, a newline and a broken character in its name."""
    build("inert.c", "-g0", "-c", out="inert.o")
    run("objcopy", "--redefine-sym", "evil=evil\x1b[2Jname", "inert.o")
    run("cc", "-o", "inert", "inert.o")
    path = os.fsencode(os.getcwd()) + b"/evil\x1b[31m\nname\xff"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    os.link("inert", path)
    return path


def check(report):
    for text in (report.stdout, report.stderr):
        assert not CONTROL.search(text), repr(CONTROL.search(text))
    return report


def test_text():
    target = Target(evil_program())
    target.expect("ready")
    with unharmed(target.pid):
        trace = attach(target.pid)
        target.go()
        truth = target.truth()
        report = check(trace.stop())
    target.finish()
    exact(report, truth)
    assert any(word in report.stdout for word in ("\\x1b[2J", "\\x1B[2J")), report.stdout
    equal(functions(report.sites[0])[0], "evil\x1b[2Jname", "name in JSON, which escapes it")


def test_launched():
    equal(check(Trace(["--", evil_program()]).wait()).status, 0, "exit status")


def test_folded():
    """A newline in a name must not make two lines of one stack."""
    Trace(["--format", "folded:folded", "--", evil_program()], json_report=False).wait()
    lines = read("folded").splitlines()
    equal(len(lines), 1, f"lines of {lines}")
    assert not CONTROL.search(lines[0]), lines
