from pathlib import Path

from training.spark.session import Follower, configure


def test_a_follower_gives_only_what_was_added_in_whole_lines(tmp_path: Path) -> None:
    file = tmp_path / "training.log"
    file.write_text("old\n")
    follower = Follower(file)
    with file.open("a") as stream:
        stream.write("one\ntw")
        stream.flush()
        assert list(follower.lines()) == ["one"]
        stream.write("o\n")
        stream.flush()
        assert list(follower.lines()) == ["two"]
    assert list(follower.lines()) == []


def test_a_follower_waits_for_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    file = tmp_path / "training.log"
    follower = Follower(file)
    assert list(follower.lines()) == []
    file.write_text("one\n")
    assert list(follower.lines()) == ["one"]


def test_the_configuration_names_the_log_and_is_named_by_the_option(tmp_path: Path) -> None:
    option = configure(tmp_path / "training.log", configuration=tmp_path / "log4j2.properties")
    assert option == f"-Dlog4j2.configurationFile=file://{tmp_path}/log4j2.properties"
    assert f"fileName = {tmp_path}/training.log\n" in (tmp_path / "log4j2.properties").read_text()
