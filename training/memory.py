"""How much memory this process may still take."""

from pathlib import Path

GROUP, MACHINE = Path("/sys/fs/cgroup"), Path("/proc/meminfo")


def available() -> int:
    """Bytes that the machine has left, or the container of this process, whichever is less."""
    (of_machine,) = (line.split()[1] for line in MACHINE.read_text().splitlines() if line.startswith("MemAvailable:"))
    left = int(of_machine) * 1024
    try:
        limit, used, found = ((GROUP / f"memory.{name}").read_text() for name in ("max", "current", "stat"))
    except OSError:  # no limit of a container, or one of the first version of control groups
        return left
    if limit.strip() == "max":
        return left
    cached = dict(line.split() for line in found.splitlines())["inactive_file"]
    return min(left, int(limit) - int(used) + int(cached))
