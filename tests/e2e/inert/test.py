# SPDX-License-Identifier: GPL-2.0-or-later
"""No control character of the target's reaches a terminal: file names, symbols, thread names."""
from harness import *

LEAK_CHECK = False

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


LONG = 1 << 20


def long_program():
    """A function and a source file with names of a megabyte, broken characters among them."""
    function = b"evil" + b"\x1b[2J\xff\xc3(" * 4 + b"x" * LONG
    with open("names", "wb") as file:
        file.write(b"evil " + function + b"\n")
    with open("long.c", "w") as file:
        file.write(f'#line 1 "{"y" * LONG}.c"\n')
        file.write(read(source("inert.c")))
    run("cc", "-g", "-O1", "-c", "-o", "long.o", "-I", COMMON, "long.c")
    run("objcopy", "--strip-debug", "--redefine-syms=names", "long.o", "symbol.o")
    run("cc", "-o", "long-symbol", "symbol.o")
    run("cc", "-o", "long-file", "long.o")
    return [os.path.abspath(name) for name in ("long-symbol", "long-file")]


def test_long_names():
    """In each format, whole or cut short, but what it claims to be; and a report one can read."""
    for program in long_program():
        report = check(Trace(["--format", "folded:folded", "--", program]).wait())
        equal(report.status, 0, "exit status")
        equal(len(report.sites), 1, "sites")
        equal(functions(report.sites[0])[0][:4], "evil", "function")
        lines = read("folded").splitlines()
        equal(len(lines), 1, "folded lines")
        assert not CONTROL.search(lines[0]), lines[0][:200]
        assert re.fullmatch(r".+ \d+", lines[0]), lines[0][-50:]
        assert max(map(len, report.stdout.splitlines())) < 5000, "lines too long to be read"
