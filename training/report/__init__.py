"""The report of a training run: one page that needs nothing but itself, for somebody who is not an ML engineer."""

from training.report.data import ColumnSummary, LearningCurve, ReportData, SplitSummary
from training.report.drift import write as write_drift
from training.report.page import write

__all__ = ["ColumnSummary", "LearningCurve", "ReportData", "SplitSummary", "write", "write_drift"]
