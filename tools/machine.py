"""What this machine is, and how its package manager installs what is missing.

The set-up reads this module with the machine's own Python before any package is there, so it keeps to the standard
library.
"""

import ctypes
import os
import platform
import shutil
from pathlib import Path

TESTED = "Linux x86_64"
"""The platform that the tests run on."""

PACKAGE_MANAGERS = ("apt-get", "dnf", "zypper", "pacman", "apk", "brew")

INSTALL = {
    "apt-get": "apt-get install -y {}",
    "dnf": "dnf install -y {}",
    "zypper": "zypper install -y {}",
    "pacman": "pacman -S --noconfirm {}",
    "apk": "apk add {}",
    "brew": "brew install {}",
}

PACKAGES = {
    "openmp": {
        "apt-get": "libgomp1",
        "dnf": "libgomp",
        "zypper": "libgomp1",
        "pacman": "gcc-libs",
        "apk": "libgomp",
        "brew": "libomp",
    },
    "java": {
        "apt-get": "openjdk-17-jre-headless",
        "dnf": "java-17-openjdk-headless",
        "zypper": "java-17-openjdk-headless",
        "pacman": "jre17-openjdk-headless",
        "apk": "openjdk17-jre-headless",
        "brew": "openjdk@17",
    },
}
"""The name of each package, by package manager."""


OPENMP_FOLDERS = ("/opt/homebrew/opt/libomp/lib", "/usr/local/opt/libomp/lib", "/opt/local/lib/libomp")
"""Where LightGBM's wheel for macOS looks for OpenMP beside the system's own folders."""


def package_manager() -> str:
    """The machine's package manager, one of `PACKAGE_MANAGERS`; empty if it has none of them."""
    return next((manager for manager in PACKAGE_MANAGERS if shutil.which(manager)), "")


def install_command(thing: str, manager: str, *, is_root: bool) -> str:
    """The command that installs `thing`, a key of `PACKAGES`; advice in words if `manager` is empty."""
    if not manager:
        return f"install {thing} with this machine's package manager"
    command = INSTALL[manager].format(PACKAGES[thing][manager])
    return command if is_root or manager == "brew" else f"sudo {command}"  # Homebrew refuses root


def is_root() -> bool:
    """Whether this process may install packages without sudo."""
    return os.geteuid() == 0


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
