"""What this machine is, and what installs what it lacks.

The set-up reads this module with the machine's own Python before any package is there, so it keeps to the standard
library.
"""

import ctypes
import os
import platform
from pathlib import Path

TESTED = "Linux x86_64"
"""The platform that the tests run on."""

OPENMP = "`apt-get install libgomp1`, `dnf install libgomp` or `brew install libomp`"
JAVA = "`apt-get install openjdk-17-jre-headless`, `dnf install java-17-openjdk-headless` or `brew install openjdk@17`"
"""How the package managers of Debian, of Fedora and of macOS install it."""
OPENMP_FOLDERS = ("/opt/homebrew/opt/libomp/lib", "/usr/local/opt/libomp/lib", "/opt/local/lib/libomp")
"""Where LightGBM's wheel for macOS looks for OpenMP beside the system's own folders."""


def platform_name() -> str:
    """Operating system and processor, such as `Linux x86_64`."""
    return f"{platform.system()} {platform.machine()}"


def glibc_version() -> str:
    """Version of the GNU C library; empty with another C library, such as musl on Alpine."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (ValueError, OSError):
        return ""
    return version if name == "glibc" else ""


def is_linux() -> bool:
    """Whether this is Linux, which may or may not have the GNU C library."""
    return platform.system() == "Linux"


def openmp_library() -> str:
    """The file of the OpenMP runtime that LightGBM's wheel for this machine links against."""
    return "libgomp.so.1" if is_linux() else "libomp.dylib"


def openmp_loads() -> bool:
    """Whether the OpenMP runtime is there."""
    folders = ["", *(() if is_linux() else OPENMP_FOLDERS)]
    return any(_loads(str(Path(folder, openmp_library()))) for folder in folders)


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
