"""What a local Spark needs: Java and the jars."""

import hashlib
from pathlib import Path

import pytest

from training import runtime
from training.runtime import JarsError, JavaMissingError, jar_name, jars, java_home, java_major

JARS = [
    {"group": "g", "artifact": name, "version": "1", "sha256": hashlib.sha256(name.encode()).hexdigest()}
    for name in ("one", "two")
]


@pytest.fixture
def jar_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two jars that are the pinned ones."""
    monkeypatch.setattr(runtime, "pinned_jars", lambda: JARS)
    monkeypatch.setenv("PERSONALIZATION_JARS", str(tmp_path))
    for jar in JARS:
        (tmp_path / jar_name(jar)).write_text(jar["artifact"])
    return tmp_path


@pytest.fixture
def no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without Java; the path is a folder for one."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setattr(runtime, "SYSTEM_JAVA_FOLDER", tmp_path / "jvm")
    monkeypatch.setattr(runtime, "find_spec", lambda _name: None)
    return tmp_path


def install_java(home: Path, version: str) -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").touch(mode=0o755)
    (home / "release").write_text(f'IMPLEMENTOR="X"\nJAVA_VERSION="{version}"\n')
    return home


@pytest.mark.parametrize(("version", "major"), [("17.0.15", 17), ("1.8.0_402", 8), ("21", 21), ("17-ea", 0)])
def test_the_major_version_of_java_is_read_from_its_release_file(tmp_path: Path, version: str, major: int) -> None:
    assert java_major(install_java(tmp_path, version)) == major


@pytest.mark.parametrize(("version", "chosen"), [("17.0.2", "mine"), ("25.0.1", "jvm/system")])
def test_java_home_wins_when_it_is_the_right_java(
    no_java: Path, monkeypatch: pytest.MonkeyPatch, version: str, chosen: str
) -> None:
    install_java(no_java / "jvm" / "system", "17.0.1")
    monkeypatch.setenv("JAVA_HOME", str(install_java(no_java / "mine", version)))
    assert java_home() == no_java / chosen


def test_java_on_the_path_is_found_behind_its_links(no_java: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = install_java(no_java / "opt" / "java", "17.0.1")
    (no_java / "bin").mkdir()
    (no_java / "bin" / "java").symlink_to(home / "bin" / "java")
    monkeypatch.setenv("PATH", str(no_java / "bin"))

    assert java_home() == home


@pytest.mark.usefixtures("no_java")
def test_no_java_is_an_error_that_says_what_to_run() -> None:
    with pytest.raises(JavaMissingError, match="make spark"):
        java_home()


def test_the_pinned_jars_are_given_in_order_and_a_wrong_or_missing_one_is_named(jar_folder: Path) -> None:
    assert jars() == [jar_folder / "one-1.jar", jar_folder / "two-1.jar"]
    (jar_folder / "one-1.jar").write_text("onE")
    (jar_folder / "two-1.jar").unlink()
    with pytest.raises(JarsError, match=r"one-1\.jar is not the pinned file.*two-1\.jar is missing.*make spark"):
        jars()
