# SPDX-License-Identifier: GPL-2.0-or-later
"""free_sized and free_aligned_sized, in an allocator of the program's own."""
from harness import *


@both
def test_library(trace):
    library = build_library("arena.c")
    exact(*trace(build("sized.c", library, "-Wl,-rpath," + os.getcwd())))


@both
def test_in_the_program(trace):
    exact(*trace(build("sized.c", source("arena.c"))))
