"""What other policies would have said of recorded days: the records of a log, judged again.

    line ─ decode what a verdict may read ─► seen before? ─yes─► its row += 1
                                                └──no──► whole record ─ judge ─► compare with the verdict before ─► a row

Bounded whatever the log's size: every table here has a limit, and what had no room is said.
"""
