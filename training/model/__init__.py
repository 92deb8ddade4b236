"""The fit and its calibration."""
