"""The report of a training run: one self-contained page, for readers who are not ML engineers."""

from training.report.data import ColumnSummary, RecommenderReport, ReportData, SplitSummary

__all__ = ["ColumnSummary", "RecommenderReport", "ReportData", "SplitSummary"]
