# SPDX-License-Identifier: GPL-2.0-or-later
"""
Libraries and allocators that come while the trace runs.  The loader allocates too, so what is
compared are the sites in the library.
"""
from harness import *


def check(trace, *allocator):
    plugin = build_library("plugin.c")
    report, _ = trace(build("late.c"), plugin, *allocator,
                      env={"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=16384"})
    for mark, blocks, size in (("LIVE given", 50, 33), ("LIVE own", 20, 55)):
        site = report.at("plugin.c", mark)
        equal((site["blocks"], site["bytes"], site["allocs"]), (blocks, blocks * size, blocks), mark)
    equal(len(sites_in(report, "libplugin.so")), 2, "sites in the library")
    return {function["module"] for function in report.run["functions"]}


@both
def test_late_library(trace):
    check(trace)


@both
def test_late_jemalloc(trace):
    modules = check(trace, "libjemalloc.so.2")
    assert any("jemalloc" in module for module in modules), modules


@both
def test_late_mimalloc(trace):
    modules = check(trace, "libmimalloc.so.2.0")
    assert any("mimalloc" in module for module in modules), modules


@both
def test_reloaded_allocator(trace):
    """One module, however often it comes, and each time its allocator is traced."""
    pool = build_library("pool.c")
    report, truth = trace(build("reload.c"), pool, "60")
    site = report.at("reload.c", "LIVE")
    equal((site["allocs"], site["frees"], site["bytes"]),
          (truth["allocs"], truth["frees"], truth["live_bytes"]), "site")
    equal(site["blocks"], 60, "blocks")
    equal(report.heap["unknown_frees"], 0, "unknown frees")
    pools = [module for module in report.json["modules"] if module["path"] == pool]
    assert 1 <= len(pools) <= 2, report.json["modules"]
