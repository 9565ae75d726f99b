# SPDX-License-Identifier: GPL-2.0-or-later
"""
An upgrade under a running service: its program and its library are deleted or replaced
before the attach or during the trace.  Names come from the files that run, or not at all.
"""
import shutil

from harness import *


class Service:
    """A running one, whose files lie at paths of their own; the new ones lie beside them."""

    def __init__(self):
        old, new = ([build("service.c", *flags, out=f"service.{name}"),
                     build_library("part.c", *flags, out=f"part.{name}")]
                    for name, flags in (("old", ()), ("new", ("-DNEW",))))
        self.paths = [os.path.abspath(name) for name in ("service", "libpart.so")]
        self.new = new
        for path, file in zip(self.paths, old):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            shutil.copy(file, path)
        self.target = Target(*self.paths)
        self.target.expect("ready")

    def delete(self):
        for path in self.paths:
            os.unlink(path)

    def replace(self):
        """As a package manager does."""
        for path, file in zip(self.paths, self.new):
            shutil.copy(file, path + ".tmp")
            os.rename(path + ".tmp", path)

    def remove_and_copy(self):
        self.delete()
        for path, file in zip(self.paths, self.new):
            shutil.copy(file, path)


def names_of(report, size):
    site, = (s for s in report.sites if s["bytes"] == size)
    return [(f["function"], f["line"]) for f in site["stack"][:1]]


def right(report):
    """The old files' functions and lines."""
    equal(names_of(report, 81), [("program_leaks", line_of("service.c", "LEAK program"))],
          "name in the program")
    equal(names_of(report, 82), [("library_leaks", line_of("part.c", "LEAK library"))],
          "name in the library")


def traced(before=None, during=None, check=right):
    service = Service()
    if before:
        before(service)
    with unharmed(service.target.pid):
        trace = attach(service.target.pid)
        if during:
            during(service)
        service.target.go()
        truth = service.target.truth()
        report = trace.stop()
    service.target.finish()
    exact(report, truth)
    check(report)


def test_deleted_before():
    traced(before=Service.delete)


def test_replaced_before():
    traced(before=Service.replace)


def test_copied_anew_before():
    traced(before=Service.remove_and_copy)


def test_deleted_meanwhile():
    traced(during=Service.delete)


def test_replaced_meanwhile():
    traced(during=Service.replace)


def test_replaced_twice():
    """Another build at the attach, and a third state of the path when names are looked up."""
    traced(before=Service.replace, during=Service.delete)
