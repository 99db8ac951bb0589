"""Taking turns: every round, each contestant once, always in the same order. The first round warms up and doesn't count.

A ratio is the median of the rounds' own ratios: what slows the machine for a while slows both sides of it.
"""

import statistics
import sys


def say(text):
    print(text, file=sys.stderr, flush=True)


class Contestant:
    """A server, in one of the ways it is measured."""

    def __init__(self, server, name=None, **how):
        self.server, self.name = server, name or server.name
        self.__dict__.update(how)


class Measured:
    """Figures of several contestants, one a round."""

    def __init__(self, what, names):
        self.what, self.rows = what, {name: [] for name in names}

    def add(self, name, figures):
        self.rows[name].append(figures)
        say(f"  {self.what}, {name}: " + ", ".join(f"{key} {value:.4g}" for key, value in figures.items()))

    def column(self, name, key):
        return [figures[key] for figures in self.rows[name]]

    def median(self, name, key):
        return statistics.median(self.column(name, key))

    def spread(self, name, key):
        column = self.column(name, key)
        return min(column), max(column)

    def ratios(self, name, key, beside):
        return [ours / theirs for ours, theirs in zip(self.column(name, key), self.column(beside, key)) if theirs]

    def names(self):
        return list(self.rows)

    def as_json(self):
        return {"what": self.what, "figures": self.rows}


def take_turns(what, contestants, pairs, once):
    """Calls `once(contestant, round)` in turn, and keeps what it gives but for the first round."""
    measured = Measured(what, [contestant.name for contestant in contestants])
    for turn in range(pairs + 1):
        for contestant in contestants:
            figures = once(contestant, turn)
            if turn:
                measured.add(contestant.name, figures)
    return measured
