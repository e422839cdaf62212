"""Whom we tell: the log on disk, findings, metrics, and people at a terminal. Each output has `write(record)` and `close()`."""
