"""The report of a training run: one page that needs nothing but itself, for somebody who is not an ML engineer."""

from training.report.data import ColumnSummary, LearningCurve, ReportData, SplitSummary

__all__ = ["ColumnSummary", "LearningCurve", "ReportData", "SplitSummary"]
