"""Closed loops by `wrk`, whose clients cost so little that the server is what is measured.

The bodies are sent in turn. Latencies in a closed loop count from sending, because no request is due at a given time;
latencies under a given load are measured in the open loop (`benchmarks.serving.load`).
"""

import json
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.serving.load import TIMEOUT_SECONDS, Load

SCRIPT = """
local requests, at, sizes = {}, 0, {}
for size in io.lines(FOLDER .. "/sizes") do sizes[#sizes + 1] = tonumber(size) end
local file = io.open(FOLDER .. "/requests", "rb")
for index, size in ipairs(sizes) do requests[index] = file:read(size) end
file:close()

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  local out = io.open(FOLDER .. "/result", "w")
  out:write(string.format(
    '{"requests": %d, "microseconds": %d, "refused": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d,',
    summary.requests, summary.duration, errors.status, errors.connect, errors.read, errors.write, errors.timeout))
  out:write(string.format(
    '"p50": %.3f, "p90": %.3f, "p99": %.3f, "p99.9": %.3f, "max": %.3f}',
    latency:percentile(50) / 1000, latency:percentile(90) / 1000, latency:percentile(99) / 1000,
    latency:percentile(99.9) / 1000, latency.max / 1000))
  out:close()
end
"""


def require_wrk() -> None:
    """Exit with an error message if `wrk` isn't installed."""
    if shutil.which("wrk") is None:
        raise SystemExit("the closed loops are wrk's, which is not installed here; on Debian: apt-get install wrk")


def closed_loop(load: Load, core: int) -> dict[str, Any]:
    """The results of a closed loop with all clients on one core, in the form of `Answers.summary`.

    wrk keeps one histogram: its latencies include all answers, whatever their status.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        requests = load.requests()
        (folder / "requests").write_bytes(b"".join(requests))
        (folder / "sizes").write_text("\n".join(str(len(request)) for request in requests))
        (folder / "script.lua").write_text(f"local FOLDER = {json.dumps(name)}\n{SCRIPT}")
        address = f"http://{load.host}:{load.port}"
        options = ["--threads", "1", "--connections", str(load.connections), "--duration", f"{load.seconds:.0f}s"]
        wrk = ["wrk", *options, "--timeout", f"{TIMEOUT_SECONDS:g}s", "--script", str(folder / "script.lua"), address]
        subprocess.run(["taskset", "--cpu-list", str(core), *wrk], check=True, stdout=subprocess.DEVNULL)
        return _figures(json.loads((folder / "result").read_text()))


def _figures(found: dict[str, Any]) -> dict[str, Any]:
    seconds = found["microseconds"] / 1e6
    errors = {name: found[name] for name in ("connect", "read", "write", "timeout") if found[name]}
    accepted = found["requests"] - found["refused"]
    return {
        "seconds": round(seconds, 3),
        "requests": found["requests"] + sum(errors.values()),
        "accepted_per_second": round(accepted / seconds, 1),
        "errors": errors,
        "failed": found["refused"] + sum(errors.values()),
        "accepted_milliseconds": {rank: found[rank] for rank in ("p50", "p90", "p99", "p99.9", "max")},
    }
