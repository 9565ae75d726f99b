# SPDX-License-Identifier: GPL-2.0-or-later
"""Stacks of every kind are complete and exact, with the rules and with libunwind."""
from harness import *

CHAIN = ["inner", "middle", "outer"]
NO_FRAME_POINTER = ["-O2", "-fomit-frame-pointer"]
NO_TABLES = ["-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-fno-exceptions",
             "-fno-omit-frame-pointer", "-fno-dwarf2-cfi-asm", "-O1"]


def stack(way, flags, *more, options=(), trace=trace_attached, **build_options):
    name = "".join(["unwind", *flags, *build_options.values()]).replace(",", "")
    program = build("unwind.c", *flags, out=name, **build_options)
    report, truth = trace(program, way, *more, options=options)
    exact(report, truth)
    equal(len(report.sites), 1, "sites")
    return functions(report.sites[0])


def unwinders():
    """libunwind reads registers and memory of a thread that is stopped: break's."""
    return ("rules", "libunwind") if engine() == "break" else ("rules",)


def begins(way, flags, expected, *more, **options):
    """With each unwinder the stack begins with these functions."""
    for unwinder in unwinders():
        found = stack(way, flags, *more, options=["--unwinder", unwinder], **options)
        equal(found[:len(expected)], expected, f"{way} with {unwinder} ({found})")


def in_order(way, flags, expected):
    """These functions are on the stack in this order, with libc's own between them."""
    for unwinder in unwinders():
        found = stack(way, flags, options=["--unwinder", unwinder])
        left = iter(found)
        assert all(name in left for name in expected), f"{way} with {unwinder}: {found}"


def test_no_frame_pointers():
    begins("chain", NO_FRAME_POINTER, CHAIN + ["main"])


def test_to_the_end_of_the_stack():
    found = stack("chain", NO_FRAME_POINTER)
    assert found[-1] in ("_start", "__libc_start_main", "__libc_start_main_impl"), found


def test_frame_pointers():
    begins("chain", ["-O1", "-fno-omit-frame-pointer"], CHAIN + ["main"])


def test_lazy_binding():
    begins("chain", ["-Wl,-z,lazy"], CHAIN + ["main"])


def test_no_plt():
    begins("chain", ["-fno-plt", "-Wl,-z,now"], CHAIN + ["main"])


def test_without_unwind_data():
    """A guarded step by frame pointer; libunwind has its own ways and is not asked."""
    equal(stack("chain", NO_TABLES)[:4], CHAIN + ["main"], "stack")


def test_static():
    """gcc leaves the search table out of static programs; libunwind finds nothing without it."""
    equal(stack("chain", ["-static"])[:4], CHAIN + ["main"], "stack by the rules")
    begins("chain", ["-static", "-Wl,--eh-frame-hdr"], CHAIN + ["main"])


def test_static_musl():
    need("musl-gcc")
    equal(stack("chain", ["-static"], compiler="musl-gcc")[:4], CHAIN + ["main"], "stack")


def test_without_pie():
    begins("chain", ["-no-pie", "-fno-pie"], CHAIN + ["main"])


def test_depth():
    recursive = ["recursive"] * 101
    program = ["-O1"]
    equal(stack("recursive", program, "100"), (CHAIN + recursive)[:64], "64 frames kept")
    equal(stack("recursive", program, "100", options=["-k", "5"]), (CHAIN + recursive)[:5], "-k 5")
    begins("recursive", program, (CHAIN + recursive)[:64], "100")
    deep = stack("recursive", program, "100", options=["-k", "200"])
    equal(deep[:105], CHAIN + recursive + ["main"], "-k 200")


def test_qsort():
    in_order("qsort", NO_FRAME_POINTER, CHAIN + ["compare", "sorting", "main"])


def test_signal():
    in_order("signal", NO_FRAME_POINTER, CHAIN + ["on_signal", "raising", "main"])


def test_fault():
    in_order("fault", NO_FRAME_POINTER, CHAIN + ["on_fault", "faulting", "faults", "main"])


def test_popped_frame_pointer():
    in_order("popped", NO_FRAME_POINTER, CHAIN + ["on_trap", "popped", "pops", "main"])


def test_variable_frames():
    begins("variable", NO_FRAME_POINTER, CHAIN + ["variable", "main"])


def test_realigned_frames():
    begins("realigned", NO_FRAME_POINTER, CHAIN + ["realigned", "main"])


def test_realigned_frames_of_variable_size():
    begins("realigned_variable", NO_FRAME_POINTER, CHAIN + ["realigned_variable", "main"])
