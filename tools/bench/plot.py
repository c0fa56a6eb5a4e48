# SPDX-License-Identifier: GPL-2.0-only
"""Charts with two logarithmic axes, as one SVG: no library, so nothing to install."""
import math
import xml.sax.saxutils

WIDTH, HEIGHT = 380, 290          # of one chart, with its margins
LEFT, RIGHT, TOP, BOTTOM = 62, 24, 34, 40
COLUMNS = 3
COLOURS = {"stock": "#b0532d", "ours": "#1f6fb4"}


def decades(values):
    """The powers of ten around @values, as (lowest, highest) exponents."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def of_time(exponent):
    """10**exponent ns in words."""
    unit = ("ns", "µs", "ms", "s")[min(exponent // 3, 3)]
    return f"{10 ** (exponent - 3 * min(exponent // 3, 3)):g} {unit}"


def of_size(value):
    for unit, name in ((1 << 20, "M"), (1 << 10, "K")):
        if value >= unit:
            return f"{value // unit}{name}"
    return str(value)


def text(x, y, words, anchor="middle", **style):
    extra = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in style.items())
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>'
            f'{xml.sax.saxutils.escape(words)}</text>')


def line(x1, y1, x2, y2, colour):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


class Chart:
    """One chart: a title, what the x axis counts, and {name: [(x, nanoseconds)]}."""

    def __init__(self, title, xlabel, lines, xname):
        self.title, self.xlabel, self.xname = title, xlabel, xname
        self.lines = {name: sorted(points) for name, points in lines.items() if points}
        points = [point for points in self.lines.values() for point in points]
        self.xs = sorted({x for x, _ in points})
        self.low, self.high = decades([y for _, y in points])

    def x(self, value):
        share = (math.log(value / self.xs[0]) / math.log(self.xs[-1] / self.xs[0])
                 if len(self.xs) > 1 else 0.5)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)

    def axes(self):
        parts = [text(WIDTH / 2, 18, self.title, font_weight="bold", font_size="13")]
        for exponent in range(self.low, self.high + 1):
            y = self.y(10 ** exponent)
            parts += [line(LEFT, y, WIDTH - RIGHT, y, "#ddd"),
                      text(LEFT - 6, y + 4, of_time(exponent), "end")]
        last = -100
        for value in self.xs:
            x = self.x(value)
            parts.append(line(x, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 4, "#888"))
            if x - last >= 30:
                parts.append(text(x, HEIGHT - BOTTOM + 16, self.xname(value)))
                last = x
        parts += [line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "#888"),
                  text(WIDTH / 2, HEIGHT - 6, self.xlabel)]
        return parts

    def svg(self):
        parts = self.axes()
        for number, (name, points) in enumerate(self.lines.items()):
            colour = COLOURS.get(name, "#555")
            path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" '
                         'stroke-width="2"/>')
            parts += [f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="2.5" '
                      f'fill="{colour}"/>' for x, y in points]
            y = TOP + 12 + 16 * number
            parts += [line(LEFT + 8, y - 4, LEFT + 28, y - 4, colour),
                      text(LEFT + 34, y, name, "start", fill=colour)]
        return parts


def write(path, charts):
    """All of @charts that have something to show, side by side, in the file @path."""
    charts = [chart for chart in charts if chart.lines]
    rows = -(-len(charts) // COLUMNS)
    width, height = WIDTH * min(COLUMNS, len(charts)), HEIGHT * rows
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
             f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
             f'<rect width="{width}" height="{height}" fill="white"/>']
    for number, chart in enumerate(charts):
        parts.append(f'<g transform="translate({number % COLUMNS * WIDTH} '
                     f'{number // COLUMNS * HEIGHT})">')
        parts += chart.svg() + ["</g>"]
    with open(path, "w", encoding="utf-8") as stream:
        stream.write("\n".join(parts + ["</svg>", ""]))
