"""The names by which Spark reads and writes folders."""

from pathlib import Path

from training.engines.spark.spark_paths import to_read, to_write


def test_a_folder_of_this_machine_is_named_as_it_is_and_no_pattern() -> None:
    assert to_write(Path("/data/a b{1}")) == "file:///data/a b{1}"
    assert to_read(Path("/data/a b{1}")) == r"file:///data/a b\{1\}"


def test_a_volume_is_named_as_databricks_documents_it_for_spark() -> None:
    assert to_write(Path("/Volumes/c/training/work/x")) == "dbfs:/Volumes/c/training/work/x"
    assert to_read(Path("/Volumes/c/training/work/x")) == "dbfs:/Volumes/c/training/work/x"
