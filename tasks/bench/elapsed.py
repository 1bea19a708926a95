"""What a contestant returns that keeps time by itself."""

__all__ = ["Elapsed"]


class Elapsed(float):
    """Seconds of a call by the contestant's own clock: without what it does besides, such as starting a program."""
