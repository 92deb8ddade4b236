"""What a process may do with simulated volumes: Databricks' rules, for Python, Java and native code."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.simulation.volumes.library import environment
from training.runtime import JavaMissingError, java_home

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs the C compiler `cc`")
RULES = {"main/training/models": "rw", "main/training/raw": "r", "main/other/hidden": ""}
MODELS, RAW, HIDDEN = "/Volumes/main/training/models", "/Volumes/main/training/raw", "/Volumes/main/other/hidden"
TRY = """
import errno, json, os, pathlib, sys
def outcome(line):
    try:
        exec(line, globals())
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    return "done"
print(json.dumps([outcome(line) for line in sys.argv[1:]]))
"""
OPENED = f"import mmap, fcntl; file = open('{MODELS}/one', 'rb')"
# What Python tries, and what becomes of it.
TRIED: Mapping[str, str] = {
    f"pathlib.Path('{MODELS}/new').write_bytes(b'1' * 100)": "done",
    f"pathlib.Path('{MODELS}/one').write_text('again, from its beginning')": "done",
    f"assert os.listdir('{MODELS}/runs') == ['two']": "done",
    f"assert os.path.getsize('{RAW}/rows') == 4": "done",
    f"file = open('{RAW}/rows', 'rb'); file.seek(2); assert file.read() == b'ws'": "done",
    f"os.makedirs('{MODELS}/a/b/c', exist_ok=True)": "done",
    f"os.rename('{MODELS}/new', '{MODELS}/a/newer')": "done",
    f"import shutil; shutil.copyfile('{RAW}/rows', '{MODELS}/rows')": "done",
    f"import shutil; shutil.rmtree('{MODELS}/a')": "done",
    f"import subprocess; subprocess.run(['cp', '{RAW}/rows', '{MODELS}/copied'], check=True)": "done",
    f"assert pathlib.Path('{MODELS}/one').resolve() == pathlib.Path('{MODELS}/one')": "done",
    f"open('{MODELS}/one', 'a')": "ENOTSUP",
    f"file = open('{MODELS}/one', 'r+b', buffering=0); file.write(b'over')": "ENOTSUP",
    f"file = open('{MODELS}/new', 'wb', buffering=0); file.seek(100); file.write(b'after a hole')": "ENOTSUP",
    f"file = open('{MODELS}/new', 'wb', buffering=0); os.pwrite(file.fileno(), b'0', 7)": "ENOTSUP",
    f"import zipfile; zipfile.ZipFile('{MODELS}/new', 'w').writestr('inner', 'text')": "ENOTSUP",
    f"file = open('{MODELS}/new', 'wb'); os.truncate(file.fileno(), 100)": "ENOTSUP",
    f"os.open('one', os.O_WRONLY | os.O_APPEND, dir_fd=os.open('{MODELS}', os.O_RDONLY))": "ENOTSUP",
    f"{OPENED}; mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)": "ENODEV",
    f"{OPENED}; fcntl.flock(file, fcntl.LOCK_SH)": "ENOLCK",
    f"import fcntl; file = open('{MODELS}/new', 'wb'); fcntl.lockf(file, fcntl.LOCK_EX)": "ENOLCK",
    f"os.link('{MODELS}/one', '{MODELS}/linked')": "ENOSYS",
    f"os.symlink('{MODELS}/one', '{MODELS}/linked')": "ENOSYS",
    f"os.chmod('{MODELS}/one', 0o600)": "EPERM",
    f"os.utime('{MODELS}/one')": "EPERM",
    f"os.rename('{MODELS}/one', '/tmp/one')": "EXDEV",
    "os.listdir('/Volumes')": "EACCES",
    "os.listdir('/Volumes/main/training')": "EACCES",
    f"open('{RAW}/new', 'wb')": "EACCES",
    f"os.remove('{RAW}/rows')": "EACCES",
    f"os.mkdir('{RAW}/new')": "EACCES",
    f"os.rename('{MODELS}/one', '{RAW}/one')": "EACCES",
    f"open('{HIDDEN}/rows')": "EACCES",
    f"os.stat('{HIDDEN}')": "EACCES",
    "open('/Volumes/main/training/nowhere/rows')": "ENOENT",
    "os.makedirs('/Volumes/main/training/nowhere/rows')": "ENOENT",
}
JAVA = """
import java.io.*; import java.nio.channels.*; import java.nio.file.*;
public class Try {
    interface Act { Object act() throws Exception; }
    static void attempt(Act act) {
        try { act.act(); System.out.println("done"); }
        catch (Exception error) { System.out.println(error.getMessage().replaceAll(".*(: |\\\\()|\\\\)", "")); }
    }
    public static void main(String[] given) throws Exception {
        Path models = Path.of(given[0]), raw = Path.of(given[1]), one = models.resolve("one");
        attempt(() -> Files.writeString(models.resolve("new"), "text"));
        attempt(() -> new File(models.toFile(), "a/b").mkdirs());
        attempt(() -> Files.move(models.resolve("new"), models.resolve("a/newer")));
        attempt(() -> Files.list(models).count() + Files.readAllBytes(one).length);
        attempt(() -> new FileOutputStream(one.toFile(), true));
        attempt(() -> { var file = new RandomAccessFile(one.toFile(), "rw"); file.write(1); return file; });
        attempt(() -> FileChannel.open(one).map(FileChannel.MapMode.READ_ONLY, 0, 1));
        attempt(() -> FileChannel.open(one, StandardOpenOption.WRITE).lock());
        attempt(() -> new FileOutputStream(raw.resolve("new").toFile()));
    }
}
"""
JAVAS = [*["done"] * 4, *["Operation not supported"] * 2, "No such device", "No locks available", "Permission denied"]
NATIVE = """
#include <fstream>
#include <iostream>
int main(int, char **given) {
    std::ofstream whole(given[1] + std::string("/native")), appended(given[1] + std::string("/one"), std::ios::app);
    whole << "model" << std::flush;
    std::cout << whole.good() << appended.good();
    whole.seekp(0);
    whole << "x" << std::flush;
    std::cout << whole.good();
}
"""


@pytest.fixture
def volumes(tmp_path: Path) -> dict[str, str]:
    """The environment of a run that may write models, read raw data and see nothing else."""
    root = tmp_path / "volumes"
    for volume in RULES:
        (root / volume).mkdir(parents=True)
    (root / "main/training/raw/rows").write_text("rows")
    (root / "main/training/models/one").write_text("one")
    (root / "main/training/models/runs/two").mkdir(parents=True)
    return environment(root, RULES) | {"PATH": "/usr/bin:/bin"}


def output(command: list[str], variables: dict[str, str]) -> str:
    """What a command prints."""
    return subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout


def test_python_does_what_databricks_supports_and_is_refused_the_rest(volumes: dict[str, str]) -> None:
    seen = json.loads(output([sys.executable, "-c", TRY, *TRIED], volumes))
    assert dict(zip(TRIED, seen, strict=True)) == TRIED


def test_java_is_under_the_same_rules(volumes: dict[str, str], tmp_path: Path) -> None:
    try:
        java = java_home() / "bin" / "java"
    except JavaMissingError:
        pytest.skip("there is no Java 17 on this machine")
    source = tmp_path / "Try.java"
    source.write_text(JAVA)
    if not java.with_name("javac").exists():
        pytest.skip("this Java can't compile")
    assert output([str(java), "-XX:TieredStopAtLevel=1", str(source), MODELS, RAW], volumes).splitlines() == JAVAS


def test_native_streams_write_whole_files_alone(volumes: dict[str, str], tmp_path: Path) -> None:
    if shutil.which("c++") is None:
        pytest.skip("there is no C++ compiler on this machine")
    source = tmp_path / "native.cpp"
    source.write_text(NATIVE)
    subprocess.run(["c++", str(source), "-o", str(tmp_path / "native")], check=True)
    assert output([str(tmp_path / "native"), MODELS], volumes) == "100"


LIBRARIES = f"""
import json, lightgbm, numpy, pathlib
rows = numpy.arange(200.0).reshape(100, 2)
booster = lightgbm.train({{"verbose": -1, "num_threads": 1}}, lightgbm.Dataset(rows, rows[:, 0] % 3), 2)
pathlib.Path("{MODELS}/model.txt").write_text(booster.model_to_string())
numpy.save("{MODELS}/rows.npy", rows)
seen = [lightgbm.Booster(model_file="{MODELS}/model.txt").num_trees(), numpy.load("{MODELS}/rows.npy").sum()]
for refused in (lambda: booster.save_model("{MODELS}/appended.txt"), lambda: numpy.load("{MODELS}/rows.npy", "r")):
    try:
        refused()
    except OSError as error:
        seen.append(error.strerror)
print(json.dumps(seen))
"""


def test_lightgbm_and_numpy_are_under_the_same_rules(volumes: dict[str, str]) -> None:
    """LightGBM's own writer appends the categories to a model that it has written, so it can't write to a volume."""
    seen = json.loads(output([sys.executable, "-c", LIBRARIES], volumes))
    assert seen == [2, 19900.0, "Operation not supported", "No such device"]
