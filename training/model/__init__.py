"""The fitted model and its calibration."""
