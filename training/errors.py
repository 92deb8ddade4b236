"""Errors in a dataset, one class per cause."""

from features.errors import BadInputError


class DatasetError(BadInputError):
    """A dataset that cannot be used; the text names the file and, if there is one, the line or the key."""


class BadRowsError(ValueError):
    """Rows that are not as their columns must be. Callers that know the file name them; users never see this error."""


class MissingFileError(DatasetError):
    """A file, folder or column of the dataset does not exist."""


class EmptyDatasetError(DatasetError):
    """A file or a dataset without rows."""


class TruncatedFileError(DatasetError):
    """A compressed file that ends too early or is damaged."""


class EncodingError(DatasetError):
    """A text file that is not UTF-8, or whose name is wrong about gzip."""


class MalformedRowError(DatasetError):
    """A row with a wrong number of fields, or a field that does not match its column."""


class ColumnError(DatasetError):
    """A column whose config leaves no value, or names a separator or an event that never occurs."""


class SeveralProblemsError(DatasetError):
    """Tables with more than one problem; the text lists all of them."""


class OneClassError(DatasetError):
    """Labels that are all equal, so that nothing can be learned."""


class SpecError(DatasetError):
    """An invalid dataset config; the text lists everything that is wrong with it."""


class GuessError(DatasetError):
    """Tables whose meaning can't be guessed."""


class DuplicateKeyError(DatasetError):
    """A key that occurs in several rows of the users or items."""


class JoinError(DatasetError):
    """Interactions without any matching user and item."""


class NoTimestampError(DatasetError):
    """A split by time of a dataset without a timestamp."""


class DownloadError(DatasetError):
    """A file that could not be downloaded, or is not the expected one."""


def required_timestamp(timestamp: str | None) -> str:
    """The column `timestamp`; raises `NoTimestampError` if the dataset has none."""
    if timestamp is None:
        raise NoTimestampError(
            "`split: time` needs a dataset with a timestamp, and this one has none. Name its timestamp column in the "
            "dataset config, or set `split: random`."
        )
    return timestamp


def require_both_classes(source: str, *, rows: int, clicks: int, if_clicks: str = "") -> None:
    """Raise `OneClassError` if all labels of `source` are 0 or all are 1; `if_clicks` is a way out if all are 1."""
    if clicks in {0, rows}:
        raise OneClassError(
            f"All {rows:,} rows of {source} have the label {1 if clicks else 0}. "
            f"Give data with clicked and unclicked rows{if_clicks if clicks else ''}."
        )
