# SPDX-License-Identifier: GPL-2.0-or-later
"""Work with many allocations whose result is a checksum; argv[1] is a library that leaks."""
import ctypes
import hashlib
import json
import sys

wait = len(sys.argv) > 2
planted = ctypes.CDLL(sys.argv[1]).planted
if wait:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
digest = hashlib.sha256()
for i in range(30):
    data = {str(k): [k * i, str(k) * 3, {"x": k / 7}] for k in range(20)}
    digest.update(json.dumps(json.loads(json.dumps(data)), sort_keys=True).encode())
    if i % 10 == 0:
        planted(i)
print("digest", digest.hexdigest())
if wait:
    sys.stdout.write("done\n")
    sys.stdout.flush()
    sys.stdin.readline()
    print("correct")
