"""What this machine is, and what installs what it lacks.

The set-up reads this module with the machine's own Python before any package is there, so it keeps to the standard
library.
"""

import ctypes
import os
import platform

TESTED = "Linux x86_64"
"""The platform that the tests run on."""

OPENMP = "`apt-get install libgomp1` or `dnf install libgomp`"
JAVA = "`apt-get install openjdk-17-jre-headless`, `dnf install java-17-openjdk-headless` or `brew install openjdk@17`"
"""How the package managers of Debian, of Fedora and of macOS install it."""
OPENMP_LIBRARY = "libgomp.so.1"
"""The OpenMP runtime that LightGBM's wheel for Linux links against."""


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


def openmp_loads() -> bool:
    """Whether the OpenMP runtime is there; on another system than Linux LightGBM itself says so."""
    try:
        return not is_linux() or bool(ctypes.CDLL(OPENMP_LIBRARY))
    except OSError:
        return False
