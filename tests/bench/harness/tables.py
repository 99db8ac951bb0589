"""Tables in Markdown, and where they stand in the document."""

import re
import statistics


def figure(value):
    """Three digits that count."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def with_spread(values):
    return f"{figure(statistics.median(values))} ({figure(min(values))}–{figure(max(values))})"


def table(head, rows):
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def beside(measured_rows, keys, first):
    """One line a measurement and contestant: absolute values, and ratios to the first contestant of each measurement.

    `keys` maps a figure's name to its heading; `first` is the heading of the first column.
    """
    head, rows = [first, "server"], []
    for heading in keys.values():
        head += [heading, "ratio"]
    for measured in measured_rows:
        base = measured.names()[0]
        for name in measured.names():
            row = [measured.what, name]
            for key in keys:
                row.append(with_spread(measured.column(name, key)))
                row.append("1" if name == base else f"**{with_spread(measured.ratios(name, key, base))}**")
            rows.append(row)
    return table(head, rows)


def replace(document, marker, text):
    """Puts text between a document's markers `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`."""
    begin, end = f"<!-- bench:{marker} -->", f"<!-- /bench:{marker} -->"
    pattern = re.compile(re.escape(begin) + r".*?" + re.escape(end), re.DOTALL)
    if len(pattern.findall(document)) != 1:
        raise SystemExit(f"the document has no place for {begin}")
    return pattern.sub(lambda _: f"{begin}\n\n{text}\n\n{end}", document)
