# SPDX-License-Identifier: GPL-2.0-or-later
"""Targets that change what others may do to them, and what they may do themselves."""
from harness import *

# What only the engine break bears: so the other one is not asked for.
NO_JUMPS = ("strict", "clock", "space", "descriptors", "locked")


def unprivileged():
    """Another user, without any capability."""
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)


def need_root():
    if os.geteuid():
        raise Skip("not root")


def traced(way, *late, user=None):
    """Both as root, or both as `user`."""
    need_root()
    os.chmod(".", 0o777)
    target = Target(build("changes.c"), way, *late, preexec_fn=user)
    target.expect("ready")
    engine_asked = ["--engine", "auto"] if engine() == "jump" and way in NO_JUMPS else []
    with unharmed(target.pid):
        report, truth = trace_at_work(target, *engine_asked, preexec_fn=user)
    target.finish()
    exact(report, truth)
    return report


def check(way, user=None):
    """Changed before the attach, and while it is traced."""
    report = traced(way, user=user)
    if engine() == "jump":
        equal(report.run["engine"], "break" if way in NO_JUMPS else "jump", "engine")
    traced(way, "late", user=user)


def test_not_dumpable():
    check("dumpable")


def test_another_user():
    check("user")


def test_user_namespace():
    check("user-namespace")


def test_pid_namespace():
    check("pid-namespace")


def test_other_namespaces():
    check("all-namespaces")


def test_files_unmounted():
    check("unmounted")


def test_changed_root():
    check("chroot")


def test_strict_mode():
    check("strict")


def test_without_clock():
    check("clock")


def test_address_space_at_its_limit():
    check("space")


def test_descriptors_at_their_limit():
    check("descriptors")


def test_processes_at_their_limit():
    check("processes")


def test_locked_memory():
    check("locked")


def test_files_of_no_size():
    check("no-writing")


# Without privilege

def test_unprivileged():
    for way in ("user-namespace", "clock", "space", "descriptors", "processes", "no-writing"):
        check(way, user=unprivileged)


def test_unprivileged_not_dumpable():
    """One that may not be traced is refused in one line."""
    need_root()
    os.chmod(".", 0o777)
    target = Target(build("changes.c"), "dumpable", preexec_fn=unprivileged)
    target.expect("ready")
    with unharmed(target.pid):
        report = Trace(["-p", str(target.pid), "-d", "1"], preexec_fn=unprivileged).wait(WAIT_S)
    equal(report.status, 125, "exit status")
    assert report.stderr.count("\n") == 1 and "not permitted" in report.stderr, report.stderr
    target.go()
    target.truth()
    target.finish()


# Files that are not what they were

def changed_file(how, *flags, user=None, options=()):
    """A counting program whose file is gone, or another one, by the time of the attach: its report
    and the truth."""
    need_root()
    os.chmod(".", 0o777)
    program = build("count.c", "-pthread", *flags, out=f"changed{len(flags)}")
    target = Target(program, "2", "200", preexec_fn=user)
    target.expect("ready")
    if how == "replaced":
        build("busy.c", "-pthread", out="other")
        os.rename("other", program)
    elif how == "upgraded":
        build("count.c", "-pthread", "-O3", *flags, out="other")
        os.rename("other", program)
    else:
        os.unlink(program)
    with unharmed(target.pid):
        result = trace_at_work(target, *options, preexec_fn=user)
    target.finish()
    return result


def test_file_of_the_program():
    for how in ("deleted", "replaced", "upgraded"):
        for flags in ([], ["-static"]):
            exact(*changed_file(how, *flags))


def test_file_of_the_program_unprivileged():
    """The mapped file cannot be had: of a static program nothing is known, and that is said."""
    for how in ("deleted", "replaced", "upgraded"):
        exact(*changed_file(how, user=unprivileged))
        report, _ = changed_file(how, "-static", user=unprivileged, options=["--engine", "auto"])
        equal((report.json["verdict"], report.heap["allocs"]), ("incomplete", 0), "verdict")


# Control groups with little memory

@contextlib.contextmanager
def group(limit_bytes):
    """A group below this process's own; yields what puts the calling process into it."""
    lines = [line.split(":", 2) for line in read("/proc/self/cgroup").splitlines()]
    own = {controllers: path for _, controllers, path in lines}
    folder, limit = (f"/sys/fs/cgroup/memory{own['memory']}", "memory.limit_in_bytes") \
        if "memory" in own else (f"/sys/fs/cgroup{own.get('', '/')}", "memory.max")
    folder = f"{folder}/memtrace-test-{os.getpid()}"
    try:
        os.mkdir(folder)
        with open(f"{folder}/{limit}", "w") as file:
            file.write(str(limit_bytes))
    except OSError as error:
        with contextlib.suppress(OSError):
            os.rmdir(folder)
        raise Skip(f"no control group of memory can be made here: {error}")

    def join():
        with open(f"{folder}/cgroup.procs", "w") as file:
            file.write(str(os.getpid()))
    try:
        yield join
    finally:
        end_children()
        until(lambda: not read(f"{folder}/cgroup.procs"), "an empty group")
        os.rmdir(folder)


def check_group(limit_bytes, engine_wanted, tracer_too=False):
    with group(limit_bytes) as join:
        target = Target(build("busy.c", "-pthread"), "4", preexec_fn=join)
        target.expect("ready")
        with unharmed(target.pid):
            report = Trace(["-p", str(target.pid), "--engine", "auto", "-d", "2"],
                           preexec_fn=join if tracer_too else None).wait()
        equal(report.status, 0, f"exit status {report.stderr}")
        equal(report.target["exit"], None, "end of the target")
        equal(report.run["engine"], engine_wanted, "engine")
        equal("control group" in report.stderr, engine_wanted == "break", report.stderr)
        target.finish()


@engines("jump")
def test_group_with_little_memory():
    """The rings are not the target's: with them it would be killed."""
    check_group(24 << 20, "jump")


@engines("jump")
def test_group_with_hardly_any_memory():
    check_group(6 << 20, "break")


@engines("jump")
def test_group_of_target_and_tracer():
    check_group(120 << 20, "break", tracer_too=True)
