"""The scoring service and what people would deploy instead, measured side by side."""
