# SPDX-License-Identifier: GPL-2.0-or-later
"""The victim common/storm, for cases that attach to it again and again."""
from harness import *


class Storm(Target):
    def __init__(self, forgiving=False):
        # At -O1 free begins with a call, which no jump can displace.
        arena = [build_library("arena.c", "-O2", out=f"libarena{n}.so") for n in (1, 2)]
        others = (source(f"storm/{name}.c") for name in ("roles", "handlers", "waits"))
        super().__init__(build("storm/storm.c", *others, "-pthread", out="storm"),
                         build_library("storm/plugin.c", out="libplugin.so"), *arena,
                         os.environ.get("STORM_ROLES") or "ffff",
                         *(["forgiving"] if forgiving else []))
        self.semaphores = self.expect("semaphores").split()[1]
        self.expect("ready")

    def check(self):
        """Every thread comes on, and has seen nothing wrong."""
        if self.process.poll() is not None:
            self.expect("what was wrong")
        self.process.stdin.write(b"?")
        self.process.stdin.flush()
        self.expect("all come on", 2 * WAIT_S)


@contextlib.contextmanager
def storm(**how):
    target = Storm(**how)
    try:
        yield target
        target.finish()
    finally:        # a victim that did not come to its end leaves them in the system
        subprocess.run(["ipcrm", "-s", target.semaphores], capture_output=True)


def repeated(variable, seconds):
    """Counts until the environment's number is reached, else for so many seconds; each turn has
    the time of a test."""
    wanted = int(os.environ.get(variable) or 0)
    end = time.monotonic() + seconds
    number = 0
    while number < wanted or not wanted and time.monotonic() < end:
        signal.alarm(TEST_LIMIT_S)
        yield number
        number += 1
