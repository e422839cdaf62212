"""A length of time in one or two words."""


def span(seconds: float) -> str:
    """0.4 s, 12 s, 3 min, 5 h, 2 d."""
    for unit, length, most in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172800)):
        if seconds < most:
            return f"{seconds / length:.1f} {unit}" if seconds < 1 else f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"
