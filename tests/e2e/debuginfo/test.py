# SPDX-License-Identifier: GPL-2.0-or-later
"""
Names and lines wherever they are kept: in the program, compressed, beside it, by build-id, shared
by dwz; and what is left without them: a symbol table, the compressed one of .gnu_debugdata, or
module and offset.
"""
import shutil

from harness import *

ENGINES = ("auto",)
LEAK_CHECK = False      # a stale copy of the pointer may keep the block; here only its names matter


def traced(program, *options):
    report, truth = trace_attached(program, options=options)
    exact(report, truth)
    equal(len(report.sites), 1, "sites")
    return report


def full(program, *options):
    """The program has its DWARF: function and line of both frames."""
    stack = traced(program, *options).sites[0]["stack"]
    found = [(f["function"], os.path.basename(f["file"] or ""), f["line"]) for f in stack[:2]]
    equal(found, [("leak_here", "leak.c", line_of("leak.c", "LEAK")),
                  ("caller", "leak.c", line_of("leak.c", "CALL"))], "frames")


def names_only(program):
    stack = traced(program).sites[0]["stack"]
    equal([f["function"] for f in stack[:2]], ["leak_here", "caller"], "functions")
    assert not any(f["file"] or f["line"] for f in stack[:2]), stack[:2]


def symbol(program, name):
    """Address and size of a function in the file."""
    for line in run("nm", "-S", program).splitlines():
        words = line.split()
        if words[-1] == name:
            return int(words[0], 16), int(words[1], 16)
    raise AssertionError(f"no {name} in {program}")


def separate(name):
    """A stripped program, and its debug file named as the debug link has it."""
    program = build("leak.c", out=name)
    run("objcopy", "--only-keep-debug", program, name + ".debug")
    run("strip", program)
    return program, os.path.abspath(name + ".debug")


def test_inside():
    full(build("leak.c"))


def test_compressed():
    full(build("leak.c", "-gz=zlib", out="compressed"))


def test_dwarf_4():
    full(build("leak.c", "-gdwarf-4", out="dwarf4"))


def test_debuglink():
    program, debug = separate("debuglink")
    run("objcopy", f"--add-gnu-debuglink={debug}", program)
    full(program)


def test_debuglink_in_dot_debug():
    program, debug = separate("dotdebug")
    run("objcopy", f"--add-gnu-debuglink={debug}", program)
    os.makedirs(".debug", exist_ok=True)
    os.replace(debug, ".debug/dotdebug.debug")
    full(program)


def test_by_name_alone():
    program, debug = separate("unlinked")
    equal(debug, program + ".debug", "name of the debug file")
    full(program)


def test_below_debug_dir():
    """By the folder of the program; by its last part alone; by no part of it."""
    for number, part in enumerate((os.getcwd(), os.path.basename(os.getcwd()), "")):
        program, debug = separate(f"below{number}")
        run("objcopy", f"--add-gnu-debuglink={debug}", program)
        folder = os.path.abspath("tree") + "/" + part.strip("/")
        os.makedirs(folder, exist_ok=True)
        os.replace(debug, f"{folder}/below{number}.debug")
        full(program, "--debug-dir", os.path.abspath("tree"))


def test_of_a_command_by_a_relative_path():
    """Its folder is a part of where the file is looked for."""
    program, debug = separate("relative")
    run("objcopy", f"--add-gnu-debuglink={debug}", program)
    tree = os.path.abspath("relatives")
    os.makedirs(tree + os.getcwd(), exist_ok=True)
    os.replace(debug, f"{tree}{os.getcwd()}/relative.debug")
    report = launch("./relative", options=["--debug-dir", tree])
    equal(report.sites[0]["stack"][0]["line"], line_of("leak.c", "LEAK"), "line")


def test_behind_a_symbolic_link():
    os.makedirs("behind", exist_ok=True)
    program, debug = separate("behind/real")
    run("objcopy", f"--add-gnu-debuglink={debug}", program)
    with contextlib.suppress(FileNotFoundError):
        os.remove("linked")
    os.symlink(program, "linked")
    full(os.path.abspath("linked"))


def loads_debuginfod(urls):
    """Whether it does for a program without a debug file."""
    os.makedirs("lib", exist_ok=True)
    build_library("debuginfod.c", out="lib/libdebuginfod.so.1")
    shutil.rmtree("told", ignore_errors=True)
    os.mkdir("told")
    os.chmod("told", 0o777)     # whoever the symbolizer is
    told = os.path.abspath("told") + "/it"
    target = Target(build("leak.c", "-s", out="nobody"))
    target.expect("ready")
    with unharmed(target.pid):
        trace_at_work(target, env={"DEBUGINFOD_URLS": urls, "TOLD": told,
                                   "LD_LIBRARY_PATH": os.path.abspath("lib")})
    target.finish()
    return os.path.exists(told)


def test_debuginfod_only_where_it_may_be_asked():
    """It and all the libraries that it needs take longer to load than a short trace."""
    assert loads_debuginfod("http://127.0.0.1:1/"), "it is not loaded to be asked"
    assert not loads_debuginfod(""), "it is loaded for nothing"


def test_build_id_in_debug_dir():
    program, debug = separate("buildid")
    found = re.search(r"Build ID: (..)(\w+)", run("readelf", "-n", program))
    os.makedirs(f"files/.build-id/{found[1]}", exist_ok=True)
    os.replace(debug, f"files/.build-id/{found[1]}/{found[2]}.debug")
    full(program, "--debug-dir", os.path.abspath("files"))


def test_dwz():
    need("dwz")
    programs = [build("leak.c", out=name) for name in ("dwz1", "dwz2")]
    run("dwz", "-m", "dwz.common", *programs)
    assert ".gnu_debugaltlink" in run("readelf", "-S", programs[0])
    full(programs[0])


def test_symbol_table():
    program = build("leak.c", out="symtab")
    run("strip", "--strip-debug", program)
    names_only(program)


def test_minidebuginfo():
    need("xz")
    program = build("leak.c", out="mini")
    run("objcopy", "-S", "--keep-symbol=leak_here", "--keep-symbol=caller", program, "mini.symbols")
    run("objcopy", "--only-keep-debug", "mini.symbols")
    run("xz", "-f", "mini.symbols")
    run("strip", program)
    run("objcopy", "--add-section", ".gnu_debugdata=mini.symbols.xz", program)
    names_only(program)


def test_stripped():
    program = build("leak.c", out="stripped")
    start, size = symbol(program, "leak_here")
    run("strip", program)
    report = traced(program)
    frame = report.sites[0]["stack"][0]
    equal((frame["function"], frame["file"]), (None, None), "names")
    equal(frame["module"], program, "module")
    offset, pc = int(frame["offset"], 16), int(frame["pc"], 16)
    assert start < offset <= start + size, f"{offset:#x} not in {start:#x}+{size:#x}"
    bias = {m["path"]: int(m["bias"], 16) for m in report.json["modules"]}[program]
    equal(pc - bias, offset, "pc - bias")
    assert f"stripped+{offset:#x}" in report.stdout, report.stdout


def test_without_pie():
    full(build("leak.c", "-no-pie", "-fno-pie", out="nopie"))


def test_deleted_program():
    """What was opened when first seen can still be read at the end."""
    program = build("leak.c", out="deleted")
    shutil.copy(program, "deleted.run")
    target = Target(os.path.abspath("deleted.run"))
    target.expect("ready")
    os.unlink("deleted.run")
    with unharmed(target.pid):
        report, _ = trace_at_work(target)
    target.finish()
    frame = report.sites[0]["stack"][0]
    equal((frame["function"], frame["line"]), ("leak_here", line_of("leak.c", "LEAK")), "frame")
