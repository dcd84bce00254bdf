#!/usr/bin/env python3
"""Draws results.json as charts. usage: charts.py DIRECTORY, where results.json is and the charts go"""

import json
import math
import os
import sys
from html import escape

US, FLOOR = "libsock", "blocking"
NAMES = {"blocking": "no timeout", "rcvtimeo": "SO_RCVTIMEO", "poll": "recv, poll, recv", "apr": "APR", "glib": "GLib",
         "nspr": "NSPR", "rust": "Rust std", "cpython": "CPython", "luasocket": "LuaSocket", "go": "Go's net",
         "libsock-steps": "by settimeout"}
# Dark and light are the reader's choice; a card of its own keeps the text readable on any page.
STYLE = """
text { paint-order: stroke; stroke: #ffffff; stroke-width: 3px; font: 13px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #24292f; }
.title { font-size: 17px; font-weight: 600; }
.panel { font-size: 14px; font-weight: 600; }
.note { font-size: 12px; fill: #57606a; }
.us { font-weight: 700; }
.card { fill: #ffffff; stroke: #d0d7de; }
.grid { stroke: #d8dee4; stroke-width: 1; }
.axis { stroke: #8c959f; stroke-width: 1; }
.bar { fill: #a8b3bf; }
.bar.us { fill: #0f7b6c; }
.bar.bad { fill: #cf5c36; }
.bad { fill: #b3401c; }
.dot { fill: #8c959f; }
.dot.us { fill: #0f7b6c; }
.dot.bad { fill: #cf5c36; }
.line { stroke: #a8b3bf; stroke-width: 1.5; fill: none; }
.line.us { stroke: #0f7b6c; stroke-width: 3; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; stroke: #0d1117; }
  .note { fill: #9aa5b1; }
  .card { fill: #0d1117; stroke: #30363d; }
  .grid { stroke: #262d36; }
  .axis { stroke: #6e7681; }
  .bar { fill: #56616d; }
  .bar.us, .dot.us { fill: #2fbfa8; }
  .bar.bad, .dot.bad, .bad { fill: #f0845f; }
  .dot { fill: #7d8894; }
  .line { stroke: #56616d; }
  .line.us { stroke: #2fbfa8; }
}
"""


def name_of(peer):
    return NAMES.get(peer, peer)


class Chart:
    def __init__(self, width, height, title, note):
        self.width, self.height = width, height
        self.parts = []
        self.text(24, 34, title, "title")
        for i, line in enumerate(note):
            self.text(24, height - 30 + 16 * i, line, "note")
        self.title = title

    def add(self, element, **attributes):
        written = " ".join(f'{key.rstrip("_").replace("_", "-")}="{escape(f"{value:.1f}" if isinstance(value, float) else str(value))}"'
                           for key, value in attributes.items() if value != "")
        self.parts.append(f"<{element} {written}/>")

    def text(self, x, y, text, kind="", anchor="start"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>')

    def line(self, x1, y1, x2, y2, kind):
        self.add("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=kind)

    def bar(self, x, y, width, height, kind=""):
        self.add("rect", x=float(x), y=float(y), width=float(max(width, 1)), height=float(height), rx=2, class_=f"bar {kind}")

    def dot(self, x, y, kind="", radius=4.5):
        self.add("circle", cx=float(x), cy=float(y), r=radius, class_=f"dot {kind}")

    def write(self, path):
        with open(path, "w") as file:
            file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
                       f'width="{self.width}" height="{self.height}" role="img">\n<title>{escape(self.title)}</title>\n'
                       f"<style>{STYLE}</style>\n")
            file.write(f'<rect class="card" x="0.5" y="0.5" width="{self.width - 1}" height="{self.height - 1}" rx="8"/>\n')
            file.write("\n".join(self.parts) + "\n</svg>\n")


class Scale:
    """Of values to places, linear or logarithmic; what lies outside is drawn at the edge."""

    def __init__(self, low, high, start, end, logarithmic=False):
        self.low, self.high, self.start, self.end = low, high, start, end
        self.measure = math.log10 if logarithmic else float

    def __call__(self, value):
        value = min(max(value, self.low), self.high)
        part = (self.measure(value) - self.measure(self.low)) / (self.measure(self.high) - self.measure(self.low))
        return self.start + part * (self.end - self.start)


def rows(results, group):
    return [row for row in results["rows"] if row["group"] == group]


def works(row, peer):
    return peer in row["results"] and "failed" not in row["results"][peer]


def ratio(row, peer):
    return row["results"][peer]["ratio"]["median"]


def kind_of(peer):
    return "us" if peer == US else ""


def about(results):
    machine = results["machine"]
    return (f"{machine['processor']}, {machine['cores']} cores, {machine['kernel']}, {machine['timer']}",
            f"medians of interleaved rounds; {results['command']}, {results['date']}")


def duration(seconds):
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1e3:g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:g} µs"


def geometric(chosen, peers):
    """Of each peer's ratios, where it has them all."""
    chosen = [row for row in chosen if works(row, US)]  # Two cores may be too many to ask for.
    return {peer: math.exp(sum(math.log(ratio(row, peer)) for row in chosen) / len(chosen))
            for peer in peers if chosen and all(works(row, peer) for row in chosen)}


def costs(chart, left, right, top, step, peers, values):
    """A bar for each peer: what it takes more than plain blocking calls."""
    bottom = top + step * len(peers)
    most = max([1.4, *(math.ceil(value * 10) / 10 for value in values.values())])
    place = Scale(1.0, most, left, right)
    step_of_grid = next(each for each in (0.1, 0.2, 0.5, 1, 2, 5, 10) if (most - 1) / each <= 4)
    for tick in (1 + step_of_grid * i for i in range(int((most - 1) / step_of_grid) + 1)):
        chart.line(place(tick), top - 6, place(tick), bottom, "grid")
        chart.text(place(tick), bottom + 16, f"+{(tick - 1) * 100:.0f} %" if tick > 1.01 else "free", "note", "middle")
    for i, peer in enumerate(peers):
        y = top + step * i + step / 2
        if peer not in values:
            chart.text(left + 4, y + 4, "not measured", "note")
            continue
        end = place(values[peer])
        chart.bar(left, y - 9, end - left, 18, kind_of(peer))
        chart.text(end + 6, y + 4, f"{(values[peer] - 1) * 100:+.1f} %", kind_of(peer))


def waiting(results):
    """The chart that says it all: what a timeout and a deadline cost, and what a timeout is worth."""
    peers = [peer for peer in results["peers"] if peer != FLOOR and peer != "libsock-steps"]
    late = rows(results, "lateness")
    wait = geometric(rows(results, "ping-pong"), peers)
    deadline = geometric(rows(results, "one deadline"), peers)
    peers = [US] + sorted((peer for peer in peers if (peer in wait or peer in deadline) and peer != US),
                          key=lambda peer: (peer not in wait, wait.get(peer, deadline.get(peer))))
    top, step = 122, 34
    chart = Chart(1100, top + step * len(peers) + 84, "A timeout and a deadline: what they cost, and when they come", about(results))
    for x, title, note in ((130, "Cost of a recv that waits", "64-byte ping-pong, over plain blocking calls"),
                           (460, "How late a timeout expires", "each dot the median at one, 0.1 ms to 2 s"),
                           (780, "Cost of one deadline", "for a request and its answer, 64 bytes and 64 KiB")):
        chart.text(x, 72, title, "panel")
        chart.text(x, 92, note, "note")
    bottom = top + step * len(peers)
    lateness = Scale(0.02, 500, 460, 720, logarithmic=True)
    for tick in (0.1, 1, 10, 100):
        chart.line(lateness(tick), top - 6, lateness(tick), bottom, "grid")
        chart.text(lateness(tick), bottom + 16, f"{tick:g} ms", "note", "middle")
    costs(chart, 130, 360, top, step, peers, wait)
    costs(chart, 780, 1010, top, step, peers, deadline)
    for i, peer in enumerate(peers):
        y = top + step * i + step / 2
        chart.text(120, y + 4, name_of(peer), kind_of(peer), "end")
        here = [row["results"][peer] for row in late if works(row, peer)]
        early = sum(result["min"] < 0 for result in here)
        medians = [result["median"] / 1e6 for result in here if result["median"] >= 0]
        if not here:
            chart.text(464, y + 4, "not measured", "note")
        if medians:
            chart.line(lateness(min(medians)), y, lateness(max(medians)), y, "line " + kind_of(peer))
        for value in medians:
            chart.dot(lateness(value), y, kind_of(peer))
        if early:
            chart.text(740, y + 4, f"early at {early} of {len(here)}", "note bad", "end")
    return chart


def bars(results, title, note, panels, value, text, low=0.0, least_high=1.0, logarithmic=False):
    """A panel for each row, a bar for each peer in it."""
    columns = 2 if len(panels) > 1 else 1
    peers = [peer for peer in results["peers"] if any(works(row, peer) for row in panels) and peer != FLOOR]
    wide, step = 450 if columns == 2 else 720, 24
    tall = 60 + step * max(sum(peer in row["results"] for peer in peers) for row in panels)
    lines = math.ceil(len(panels) / columns)
    chart = Chart(columns * wide + 40, 80 + lines * tall + 34, title, about(results))
    chart.text(24, 56, note, "note")
    for at, row in enumerate(panels):
        left, top = 24 + at % columns * wide, 80 + at // columns * tall
        shown = [peer for peer in peers if peer in row["results"]]
        values = {peer: value(row, peer) for peer in shown if works(row, peer)}
        high = max([least_high, *values.values()])
        place = Scale(low, high, left + 120, left + wide - 90, logarithmic)
        chart.text(left + 120, top + 14, row["name"], "panel")
        if row["floor"] and low < 1 < high:
            chart.line(place(1), top + 22, place(1), top + 26 + step * len(shown), "axis")
        for i, peer in enumerate(shown):
            y = top + 26 + step * i
            chart.text(left + 112, y + 15, name_of(peer), kind_of(peer), "end")
            if peer not in values:
                chart.text(left + 124, y + 15, row["results"][peer]["failed"][:44], "note bad")
                continue
            chart.bar(place(low), y + 3, place(values[peer]) - place(low), 16, kind_of(peer))
            chart.text(place(values[peer]) + 6, y + 15, text(values[peer]), kind_of(peer))
    return chart


def storm(results):
    row = rows(results, "signal storm")[0]
    peers = list(row["results"])
    chart = Chart(760, 96 + 26 * len(peers) + 74, "A timeout of 0.3 s, with a signal each millisecond", about(results))
    chart.text(24, 56, "How late a recv expires, median; in red, early or not the timeout at all.", "note")
    late = Scale(0.01, 3000, 150, 620, logarithmic=True)
    bottom = 84 + 26 * len(peers)
    for tick in (0.1, 1, 10, 100, 1000):
        chart.line(late(tick), 80, late(tick), bottom, "grid")
        chart.text(late(tick), bottom + 16, duration(tick / 1e3), "note", "middle")
    for i, peer in enumerate(peers):
        y, result = 84 + 26 * i, row["results"][peer]
        chart.text(140, y + 17, name_of(peer), kind_of(peer), "end")
        if "failed" in result:
            chart.text(154, y + 17, result["failed"], "bad")
            continue
        value = result["median"] / 1e6
        bad = "bad" if result["min"] < 0 else kind_of(peer)
        end = late(abs(value) or late.low)
        chart.bar(150, y + 4, end - 150, 18, bad)
        chart.text(end + 6, y + 17, f"{abs(value):.{2 if abs(value) < 10 else 0}f} ms {'early' if value < 0 else 'late'}", bad)
    return chart


def curves(results, title, note, rows_, x_of, value, x_text, y_ticks, y_text, low, high):
    """A line for each peer over rows that differ in one number; logarithmic both ways."""
    peers = [peer for peer in results["peers"] if sum(works(row, peer) for row in rows_) > 1]
    chart = Chart(960, 534, title, about(results))
    chart.text(24, 56, note, "note")
    xs = [x_of(row) for row in rows_]
    across, up = Scale(min(xs), max(xs), 90, 760, True), Scale(low, high, 450, 84, True)
    for tick in y_ticks:
        chart.line(90, up(tick), 760, up(tick), "grid")
        chart.text(80, up(tick) + 4, y_text(tick), "note", "end")
    for x in xs:
        chart.line(across(x), 450, across(x), 455, "axis")
        chart.text(across(x), 472, x_text(x), "note", "middle")
    chart.line(90, 450, 760, 450, "axis")
    ends = []
    for peer in sorted(peers, key=lambda peer: peer == US):
        points = [(across(x_of(row)), up(value(row, peer)), row["results"][peer]) for row in rows_ if works(row, peer)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y, result in points if result["median"] > 0)
        chart.add("polyline", points=path, class_="line " + kind_of(peer))
        for x, y, result in points:
            chart.dot(x, y, "bad" if result["min"] < 0 else kind_of(peer), 4)
        ends.append([points[-1][1], peer])
    ends.sort()
    for before, after in zip(ends, ends[1:]):
        after[0] = max(after[0], before[0] + 17)
    for y, peer in ends:
        chart.text(775, y + 4, name_of(peer), kind_of(peer))
    return chart


def draw(results):
    yield "waiting", waiting(results)
    yield "ready", bars(results, "64 bytes, ready", "Processor time over that of a plain call. LuaSocket reads ahead, so that "
                        "most of its calls are none of the system's.", rows(results, "ready"), ratio, "{:.3f}".format)
    yield "pingpong", bars(results, "Ping-pong of 64 bytes between two threads", "Time over that of plain blocking calls, which "
                           "have no timeout.", rows(results, "ping-pong"), ratio, "{:.3f}".format)
    yield "bulk", bars(results, "256 MiB by sendall and recvall", "Throughput over that of plain blocking calls; more is better.",
                       rows(results, "bulk"), lambda row, peer: 1 / ratio(row, peer), "{:.2f}".format)
    yield "request", bars(results, "A request and its answer under one deadline", "Time over that of plain blocking calls, which have "
                          "none.", rows(results, "one deadline"), ratio, "{:.3f}".format)
    yield "lines", bars(results, "Lines of 64 bytes", "Processor time of a line over that of stdio's getline.",
                        rows(results, "lines"), ratio, "{:.2f}".format)
    yield "cancel", bars(results, "Cancelling a receive that waits", "Microseconds until it has returned, on a logarithmic scale. Go wakes no thread for it.",
                         rows(results, "cancelling"), lambda row, peer: row["results"][peer]["median"] / 1e3, "{:,.0f}".format, low=1.0,
                          logarithmic=True)
    yield "connections", bars(results, "Connect, accept, close", "Processor time over that of plain blocking calls.",
                              rows(results, "connections"), ratio, "{:.3f}".format)
    yield "lateness", curves(results, "How late a recv expires", "Median, by timeout. A red dot: some expired early; at the bottom, "
                             "most did.", rows(results, "lateness"), lambda row: row["seconds"],
                             lambda row, peer: row["results"][peer]["median"] / 1e6, duration,
                             (0.1, 1, 10), "{:g} ms".format, 0.03, 50)
    yield "storm", storm(results)
    counts = [row for row in rows(results, "system calls") if not row["name"].startswith(("sendall", "recvall", "accept-unix"))]
    yield "calls", bars(results, "System calls", "For each operation.", counts,
                        lambda row, peer: row["results"][peer]["median"], "{:.3g}".format, least_high=4)
    for name, title, ending, unit, written in (
            ("memory", "Memory of a socket and the thread that waits on it", "memory of each", 1024, "{} KiB"),
            ("many-unix", "Time of a message and its answer, many Unix sockets", "time a message", 1000, "{} µs"),
            ("many-tcp", "Time of a message and its answer, many TCP sockets", "time a message", 1000, "{} µs")):
        chosen = [row for row in rows(results, "many sockets")
                  if row["name"].endswith(ending) and row["name"].startswith("tcp" if name == "many-tcp" else "unix")]
        values = [row["results"][peer]["median"] / unit for row in chosen for peer in row["results"] if works(row, peer)]
        low, high = min(values) * 0.9, max(values) * 1.1
        ticks = [tick for tick in (1, 2, 3, 5, 8, 10, 12, 15, 20, 25, 30, 40, 60, 100, 200) if low <= tick <= high]
        yield name, curves(results, title, "By the number of sockets, each with its own timeout and its own thread.", chosen,
                           lambda row: row["count"], lambda row, peer, unit=unit: row["results"][peer]["median"] / unit,
                           "{:,}".format, ticks, written.format, low, high)


def main():
    directory = sys.argv[1]
    with open(os.path.join(directory, "results.json")) as file:
        results = json.load(file)
    for name, chart in draw(results):
        chart.write(os.path.join(directory, f"{name}.svg"))


if __name__ == "__main__":
    main()
