# SPDX-License-Identifier: GPL-2.0-or-later
"""
First contact: what cannot be traced is refused in one line that says why and what helps, with the
documented status, and before anything is done to it; what can be traced in part is told of.

What no test machine has, an old kernel, Yama, SELinux and AppArmor, is worded by functions that
tests/unit/test_refusals.c has.
"""
import shutil
import tempfile

from harness import *

LEAK_CHECK = False

ENGINES = ("auto",)
SANITIZERS = ("break", "jump")
NOBODY = 65534


def said(*arguments, **options):
    return Trace(list(arguments), json_report=False, **options).wait()


def refused(report, status, *words):
    """By one line, and nothing else."""
    equal(report.status, status, f"exit status\n{report.stdout}{report.stderr}\nstatus")
    equal(report.stdout, "", "standard output")
    lines = report.stderr.splitlines()
    equal(len(lines), 1, f"lines of {report.stderr!r}")
    for word in ("memtrace: ", *words):
        assert word in lines[0], f"no {word!r} in {lines[0]!r}"


def refused_pid(pid, *words, options=()):
    refused(said("-d", "1", *options, "-p", str(pid)), 125, *words)


def idle(*flags, out, linker=()):
    run(os.environ.get("CC") or "cc", *flags, "-c", "-o", out + ".o", source("idle.S"))
    run("ld", *linker, "-o", out, out + ".o")
    return os.path.abspath(out)


def idle_32():
    if not os.path.exists("/proc/sys/abi/vsyscall32"):
        raise Skip("this kernel runs no 32-bit programs")
    return idle("-m32", out="idle32", linker=["-m", "elf_i386"])


def start(*command, **options):
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
    CHILDREN.append(process)
    return process


def running(*command):
    """A process that has come to its own program."""
    process = start(*command)
    program = os.path.realpath(command[0])
    until(lambda: os.readlink(f"/proc/{process.pid}/exe") == program, f"{program} started")
    return process


def ready(*flags, out, **options):
    target = Target(build("leaks.c", *flags, out=out), **options)
    target.expect("ready")
    return target


# Processes

def test_none():
    refused_pid(2 ** 31 - 1, "no such process")


def is_kernel_thread(pid):
    with contextlib.suppress(OSError):
        return int(read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[6]) & 0x200000
    return False


def test_kernel_thread():
    threads = [pid for pid in os.listdir("/proc") if pid.isdigit() and is_kernel_thread(pid)]
    if not threads:
        raise Skip("no kernel thread can be seen from here")
    refused_pid(threads[0], f"(pid {threads[0]}) is a kernel thread")


def test_zombie():
    process = subprocess.Popen(["true"])
    until(lambda: "(true) Z" in read(f"/proc/{process.pid}/stat"), "a zombie")
    refused_pid(process.pid, f"true (pid {process.pid}) has ended", f"(pid {os.getpid()})")
    process.wait()


def test_traced():
    """By whom is told; and that one goes on."""
    target = ready(out="leaks")
    tracer = start(build("tracer.c"), str(target.pid))
    equal(tracer.stdout.readline(), b"tracing\n", "what the tracer says")
    refused_pid(target.pid, f"leaks (pid {target.pid}) is already traced by tracer "
                f"(pid {tracer.pid})", "end that one first")
    assert not untraced(target.pid), "the other tracer has lost it"
    tracer.stdin.close()
    equal(tracer.wait(WAIT_S), 0, "status of the other tracer")
    target.go()
    target.finish()


def test_own_tracer():
    """A memtrace that traces a memtrace that is told to trace the first."""
    if SANITIZED:
        raise Skip("LeakSanitizer fails in a memtrace that is traced")
    script = 'tracer=$(sed -n "s/^TracerPid:.//p" /proc/self/status); "$0" -p $tracer -d 1; exit $?'
    report = said("-q", "-f", "-o", "own.%p", "--", "sh", "-c", script, MEMTRACE)
    equal(report.status, 125, "exit status")
    assert "traces this memtrace: each would wait for the other" in report.stderr, report.stderr


def test_32_bit():
    process = running(idle_32())
    refused_pid(process.pid, f"idle32 (pid {process.pid}) is a 32-bit program",
                "64-bit programs only")
    equal(process.poll(), None, "end of the program")


def test_none_is_touched_where_one_is_refused():
    target = ready(out="leaks")
    process = running(idle_32())
    refused(said("-p", str(target.pid), "-p", str(process.pid)), 125, "is a 32-bit program")
    target.go()
    target.finish()


def test_files():
    """Found before the attach, and before a command is started."""
    target = ready(out="leaks")
    for options, words in ((("-o", "/no/such/report.%p"), "/no/such/report.%s: no report"),
                           (("--format", "json:/no/such/json"), "/no/such/json: no report"),
                           (("--log-file", "/no/such/log"), "/no/such/log: no log"),
                           (("--format", "mtrace:/no/such/log"), "/no/such/log: no log"),
                           (("-o", "/"), "/: no report can be written: Is a directory"),
                           (("-o", "/dev/null/x"), "Not a directory")):
        words = words.replace("%s", str(target.pid))
        refused_pid(target.pid, words, options=options)
        refused(said(*options, "--", "touch", "touched"), 125, words.split(".")[0])
        assert not os.path.exists("touched"), "the command was started"
    target.go()
    target.finish()


def test_files_are_not_made():
    """To look whether one could be written is not to write it; a link to nowhere is no failure."""
    for path in ("made", "kept", "nowhere"):
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
    with open("kept", "w") as file:
        file.write("as it was")
    refused_pid(2 ** 31 - 1, "no such process", options=("-o", "kept", "--log-file", "made"))
    assert not os.path.exists("made")
    equal(read("kept"), "as it was", "file that a refused run would have replaced")
    os.symlink("made", "nowhere")
    said("-o", "nowhere", "--", "true")
    assert "HEAP SUMMARY" in read("made")


def test_static_without_symbols():
    target = ready("-static", "-s", out="stripped")
    words = "linked statically", "--debug-dir", "--alloc and --free"
    with unharmed(target.pid):
        refused_pid(target.pid, f"pid {target.pid}", *words)
    target.go()
    target.finish()
    report = launch(build("leaks.c", "-static", "-s", out="stripped"))
    equal((report.status, report.json["verdict"]), (0, "incomplete"), "end of the command")
    for word in words:
        assert word in report.stderr, report.stderr


# Permission

def memtrace_for_all():
    """One that any user may run."""
    folder = tempfile.mkdtemp(prefix="memtrace-refusals-")
    os.chmod(folder, 0o755)
    shutil.copy(MEMTRACE, folder + "/memtrace")
    os.chmod(folder + "/memtrace", 0o755)
    return folder


def unprivileged(*arguments, user=NOBODY, wrapper=None):
    """As another user, or in a shell that has given up a capability; in a folder of its own."""
    folder = memtrace_for_all()
    words = [*(wrapper or ()), folder + "/memtrace", *arguments]
    identity = {} if wrapper else {"user": user, "group": user, "extra_groups": []}
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=TEST_LIMIT_S, cwd=folder,
                              stdin=subprocess.DEVNULL, env=environment({"XDG_CONFIG_HOME": "/"}),
                              **identity)
    finally:
        shutil.rmtree(folder)
    return Report(done.returncode, done.stdout, done.stderr, None)


def need_root():
    if os.geteuid():
        raise Skip("only root can become another user")


def test_other_user():
    need_root()
    target = ready(out="leaks")
    refused(unprivileged("-p", str(target.pid), "-d", "1"), 125, "not permitted",
            "belongs to user 0", f"sudo memtrace -p {target.pid}")
    target.go()
    target.finish()


def test_protected():
    """One's own, but it may not be looked at: as after a set-user-ID program."""
    need_root()
    code = "import ctypes, sys; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); print(flush=True); input()"
    process = start(PYTHON, "-c", code, user=NOBODY, group=NOBODY, extra_groups=[])
    process.stdout.readline()
    refused(unprivileged("-p", str(process.pid), "-d", "1"), 125, "not permitted", "sudo memtrace")


def test_root_without_the_capability():
    need_root()
    need("capsh")
    process = start(PYTHON, "-c", "print(flush=True); input()", user=NOBODY, group=NOBODY)
    process.stdout.readline()
    report = unprivileged("-p", str(process.pid), "-d", "1",
                          wrapper=["capsh", "--drop=cap_sys_ptrace", "--shell=/usr/bin/env", "--"])
    refused(report, 125, "CAP_SYS_PTRACE is missing", "--cap-add SYS_PTRACE", "kubectl debug")


def test_other_user_namespace():
    """Root in a namespace of its own has the capability, but not over who is outside."""
    need_root()
    need("unshare")
    if subprocess.run(["unshare", "-U", "-r", "true"], capture_output=True).returncode:
        raise Skip("no user namespace can be made here")
    target = ready(out="leaks")
    refused(unprivileged("-p", str(target.pid), "-d", "1", wrapper=["unshare", "-U", "-r"]), 125,
            "not permitted", "another user namespace")
    target.go()
    target.finish()


def test_set_id_command():
    """Told of, and run as the kernel does it then."""
    need_root()
    folder = memtrace_for_all()
    try:
        program = shutil.copy(build("leaks.c", out="leaks"), folder + "/privileged")
        os.chmod(program, 0o4755)
        report = unprivileged("--", program)
    finally:
        shutil.rmtree(folder)
    equal(report.status, 0, "exit status")
    first = report.stderr.splitlines()[0]
    assert "privileged is set-user-ID, and gets no privilege while it is traced" in first, first
    assert "sudo memtrace -p PID" in first, first


# Commands

def script(name, text, mode=0o755):
    with open(name, "w") as file:
        file.write(text)
    os.chmod(name, mode)
    return "./" + name


def test_not_found():
    refused(said("--", "no-such-command"), 127, "no-such-command: no such command in PATH")
    refused(said("--", "./no-such-file"), 127, "./no-such-file: No such file")


def test_not_executable():
    refused(said("--", script("plain", "text\n", 0o644)), 126, "./plain: it is not executable",
            "chmod +x")
    refused(said("--", "/"), 126, "/: it is a folder")


def test_in_path():
    """As execvp() does it: what cannot be run is passed over, and told of where nothing else is."""
    os.makedirs("first", exist_ok=True)
    os.makedirs("second", exist_ok=True)
    script("first/both", "#!/bin/sh\nexit 3\n", 0o644)
    script("second/both", "#!/bin/sh\nexit 4\n")
    path = f"{os.path.abspath('first')}:{os.path.abspath('second')}"
    equal(said("--", "both", env={"PATH": path}).status, 4, "exit status of the second")
    refused(said("--", "both", env={"PATH": os.path.abspath("first")}), 126,
            "first/both: it is not executable")


def test_script():
    for text, interpreter in (("#! /bin/sh -e\nexit 6\n", "/bin/sh"), ("exit 6\n", "/bin/sh")):
        report = said("--", script("script", text))
        equal(report.status, 6, "exit status")
        assert f"./script is a script: what is traced is {interpreter}" in report.stderr, report.stderr
        assert "-f" in report.stderr.splitlines()[0], report.stderr
    refused(said("--", script("orphan", "#!/no/such\x1b[2Jsh\n")), 126,
            "./orphan: its interpreter /no/such\\x1b[2Jsh is not there")


def test_without_its_loader():
    program = build("leaks.c", "-Wl,--dynamic-linker=/no/such/loader", out="unloadable")
    refused(said("--", program), 126, "unloadable: the interpreter or dynamic loader")


def test_command_of_32_bits():
    refused(said("--", idle_32()), 125, "idle32 is a 32-bit program")
    remove("exec32.*")
    report = launch("sh", "-c", 'exec timeout 1 "$0"', idle_32(), options=["-f", "-o", "exec32.%p"],
                    json_report=False)
    equal(report.status, 124, "exit status of one that comes by exec")
    found = [read(path) for path in glob.glob("exec32.*")]
    assert any("it is a 32-bit program" in text for text in found), found


def test_command_of_x32():
    """By its header, since few kernels run one."""
    shutil.copy(idle("-m64", out="idle64"), "idlex32")
    with open("idlex32", "r+b") as file:
        file.seek(4)
        file.write(b"\1")
    refused(said("--", "./idlex32"), 125, "./idlex32 is an x32 program")


# Languages

def told_of(words, *flags, out, env=None):
    """At the attach, in the report and in JSON; what malloc has is traced."""
    target = ready(*flags, out=out, env=env)
    with unharmed(target.pid):
        report, truth = trace_at_work(target)
    target.finish()
    exact(report, truth)
    for text in (report.stderr, report.stdout):
        equal(any(words in line for line in text.splitlines()) if words else "Python" in text,
              bool(words), f"{words!r} in\n{text}")
    return report.target["runtimes"]


def test_go():
    equal(told_of("Go: its heap is not malloc's", "-DGO", out="cgo"), ["go"], "runtimes")
    process = running(idle("-DGO", out="go"))
    refused_pid(process.pid, f"pid {process.pid}", "Go program without C code", "use pprof")


def test_java():
    build_library("leaks.c", "-DJAVA", "-DLIBRARY", out="libjvm.so")
    flags = ["-Wl,--no-as-needed", os.path.abspath("libjvm.so")]
    equal(told_of("Java: its heap is not malloc's", *flags, out="java"), ["java"], "runtimes")


def test_v8():
    equal(told_of("JavaScript (V8, node): its heap is not", "-DV8", "-rdynamic", out="v8"), ["v8"],
          "runtimes")


def test_generated_code():
    report, truth = trace_attached(build("jit.c"))
    exact(report, truth)
    stack = report.sites[0]["stack"]
    equal((stack[0]["function"], stack[0]["module"]), (None, None), "the frame")
    assert re.search(r"^ +by \[jit\] 0x[0-9a-f]+$", report.stdout, re.M), report.stdout
    equal(stack[1]["function"], "main", "its caller")


def test_python():
    """Only where it is so: not on malloc, nor where it was built without its own allocator."""
    words = "Python: small objects bypass malloc; restart with PYTHONMALLOC=malloc"
    with_it, without = '-DPYTHON="pymalloc_debug"', '-DPYTHON="malloc"'
    equal(told_of(words, with_it, "-rdynamic", out="python"), ["pymalloc"], "runtimes")
    for flags, env in ((with_it, {"PYTHONMALLOC": "malloc"}), (without, {}),
                       (with_it, {"PYTHONMALLOC": "malloc_debug"})):
        equal(told_of(None, flags, "-rdynamic", out="python", env=env), [], "runtimes")


def test_python_itself():
    for wrapper, there in (([], True), (["env", "PYTHONMALLOC=malloc"], False)):
        report = launch(*wrapper, PYTHON, "-c", "pass")
        equal(report.target["runtimes"], ["pymalloc"] if there else [], "runtimes")
        equal("PYTHONMALLOC=malloc" in report.stderr, there, report.stderr)


def test_debug_information():
    """How many places lack lines, whose, and what gives them."""
    target = ready("-s", out="bare")
    with unharmed(target.pid):
        report, _ = trace_at_work(target)
    target.finish()
    assert re.search(r"bare has no debug info \(build-id [0-9a-f]+\): 1 of 1 place shows no line; "
                     r"see --debug-dir", report.stdout), report.stdout
    for word in ("DEBUGINFOD_URLS", "--resolve"):
        assert word in report.stdout, report.stdout


# Checkers

def sanitized(name, compiler):
    need(compiler)
    try:
        return build("sanitized.c", f"-fsanitize={name}", out=f"{name}-{compiler}", compiler=compiler)
    except AssertionError:
        raise Skip(f"{compiler} has no -fsanitize={name} here")


def each_compiler():
    found = [compiler for compiler in ("gcc", "clang") if shutil.which(compiler)]
    if not found:
        raise Skip("there is no gcc and no clang")
    return found


@engines(*SANITIZERS)
def test_address_sanitizer():
    """Its own check of leaks fails under a tracer, and would change the status."""
    for compiler in each_compiler():
        program = sanitized("address", compiler)
        refused(said("--", program), 125, "AddressSanitizer", "ASAN_OPTIONS=detect_leaks=0")
        report = launch(program, env={"ASAN_OPTIONS": "detect_leaks=0"})
        equal((report.status, report.stdout), (5, "ready\n"), report.stderr)
        equal(report.at("sanitized.c", "LEAK")["bytes"], 66, "bytes of the leak")
        equal(report.target["runtimes"], ["asan"], "runtimes")


@engines(*SANITIZERS)
def test_address_sanitizer_attached():
    for compiler in each_compiler():
        target = Target(sanitized("address", compiler), "wait", env={"ASAN_OPTIONS": "detect_leaks=0"})
        target.expect("ready")
        with unharmed(target.pid):
            report, _ = trace_until("done", target)
        equal(report.at("sanitized.c", "LATER")["bytes"], 44, "bytes of the leak")
        assert "detect_leaks=0" in report.stderr, report.stderr
        target.go()
        equal(target.process.wait(WAIT_S), 7, "exit status of the target")


def check_shadow(name, runtime, compiler):
    """It starts as without memtrace, which nothing else may have mapped memory before."""
    program = sanitized(name, compiler)
    native = subprocess.run([program], capture_output=True, timeout=WAIT_S, stdin=subprocess.DEVNULL)
    for command in ([program], ["sh", "-c", 'exec "$0"', program], ["env", program]):
        trace = Trace(["--engine", "auto", "--", *command]) if engine() == "jump" else \
            Trace(["--", *command])
        report = trace.wait()
        equal((report.status, report.stdout), (native.returncode, native.stdout.decode()),
              report.stderr)
        equal(report.run["engine"], "break", "engine")
        equal(report.at("sanitized.c", "LEAK")["bytes"], 66, "bytes of the leak")
        equal(report.target["runtimes"], [runtime], "runtimes")
    refused(Trace(["--engine", "jump", "--", program], json_report=False).wait(), 125,
            "its sanitizer lays out the address space")


@engines(*SANITIZERS)
def test_thread_sanitizer():
    for compiler in each_compiler():
        check_shadow("thread", "tsan", compiler)


@engines(*SANITIZERS)
def test_memory_sanitizer():
    check_shadow("memory", "msan", "clang")
