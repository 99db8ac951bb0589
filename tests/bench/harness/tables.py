"""Tables in Markdown."""

import statistics


def figure(value):
    """Three digits that count, or two of something small."""
    if value >= 100 or value < 0.0005:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def with_spread(values):
    return f"{figure(statistics.median(values))} ({figure(min(values))}–{figure(max(values))})"


def table(head, rows):
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def beside(measured, figures, what, bases=None, alone=()):
    """Columns `what` and server, then each figure's absolute values and its ratio to each base (the first contestant,
    when none are named); a line a contestant.

    `figures` maps a figure's name to its heading, `bases` a contestant's name to how it is called in the headings; figures
    that are `alone` have no ratios.
    """
    bases = bases or {measured[0].names()[0]: ""}
    head = [what, "server"]
    for key, heading in figures.items():
        head += [heading, *(f"× {called}".strip() for called in bases.values() if key not in alone)]
    rows = []
    for each in measured:
        for name in each.names():
            row = [each.what, name]
            for key in figures:
                row.append(with_spread(each.column(name, key)))
                for base in bases if key not in alone else ():
                    ratio = "1" if name == base else with_spread(each.ratios(name, key, base))
                    row.append(ratio if name in bases else f"**{ratio}**")
            rows.append(row)
    return table(head, rows)
