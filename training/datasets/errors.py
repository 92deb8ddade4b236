"""What can be wrong with a dataset, one class per cause."""

from features.errors import BadInputError


class DatasetError(BadInputError):
    """A dataset that cannot be used; the text names the file and, where there is one, the line or the key."""


class MissingFileError(DatasetError):
    """A file, folder or column that the dataset names does not exist."""


class EmptyDatasetError(DatasetError):
    """A file or a dataset without a single row."""


class TruncatedFileError(DatasetError):
    """A compressed file that ends too early or is damaged."""


class EncodingError(DatasetError):
    """A text file that is not UTF-8."""


class MalformedRowError(DatasetError):
    """A row with a wrong number of fields, or a field that is not what its column holds."""


class ColumnError(DatasetError):
    """A column of which its description leaves nothing, or says what never occurs."""


class SeveralProblemsError(DatasetError):
    """Tables that cannot be used for more than one cause; the text lists them all."""


class OneClassError(DatasetError):
    """Labels that are all the same: there is nothing to learn."""


class SpecError(DatasetError):
    """A dataset description that is not valid; the text lists everything that is wrong with it."""


class GuessError(DatasetError):
    """Tables of which nobody but a person can say what they are."""


class DuplicateKeyError(DatasetError):
    """A key that several rows of a users or items file share."""


class JoinError(DatasetError):
    """Interactions whose keys match nothing."""


class NoTimestampError(DatasetError):
    """Rows that are to be split by time, of a dataset that does not tell it."""


class DownloadError(DatasetError):
    """A file that could not be fetched, or that is not the file that was expected."""


def required_timestamp(timestamp: str | None) -> str:
    """The column `timestamp`, which a split by time needs; raises `NoTimestampError` when the dataset has none."""
    if timestamp is None:
        raise NoTimestampError(
            "`split: time` needs a dataset with a timestamp, but this one names none. "
            "Declare its timestamp column, or set `split: random`."
        )
    return timestamp


def require_both_classes(source: str, *, rows: int, clicks: int) -> None:
    """Raise `OneClassError` when all labels of `source` are 0 or all are 1."""
    if clicks in {0, rows}:
        raise OneClassError(
            f"All {rows:,} rows of {source} have the label {1 if clicks else 0}. "
            "Give data with clicked and unclicked rows."
        )
