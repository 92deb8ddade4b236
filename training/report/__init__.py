"""The report of a training run: one self-contained page, for readers who are not ML engineers."""

from training.report.data import ColumnSummary, LearningCurve, RecommenderReport, ReportData, SplitSummary

__all__ = ["ColumnSummary", "LearningCurve", "RecommenderReport", "ReportData", "SplitSummary"]
