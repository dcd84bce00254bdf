"""The verdict on each row of the results, and the table."""

import textwrap

FLOOR = "blocking"
US = "libsock"


def peers_of(row):
    return {peer: result for peer, result in row["results"].items()
            if peer not in (FLOOR, US) and "failed" not in result}


def compared(result):
    """The ratio to the floor of the same round, where there is one: its spread is smaller."""
    return result.get("ratio", result)


def best_peer(row):
    """The best of the others, and its result. To be early is to fail."""
    others = {peer: result for peer, result in peers_of(row).items()
              if row["unit"] != "ns late" or result["min"] >= 0}
    return min(others.items(), key=lambda item: compared(item[1])["median"], default=(None, None))


def standing(row):
    """first, level or behind; level is within the spread of the two."""
    mine = row["results"].get(US)
    name, theirs = best_peer(row)
    if not mine or "failed" in mine:
        return "failed"
    if not theirs or compared(mine)["median"] <= compared(theirs)["median"]:
        return "first"
    mine, theirs = compared(mine), compared(theirs)
    level = mine["quartiles"][0] <= theirs["quartiles"][1] and mine["samples"] > 1
    return f"{'level with' if level else 'behind'} {name}"


def meets(goal, row):
    result = row["results"][US]
    word, _, value = goal.rpartition(" ")
    if goal == "first":
        return not standing(row).startswith("behind")
    if goal == "never early":
        return result["min"] >= 0
    if word == "ratio":
        return result["ratio"]["median"] <= float(value)
    if word == "throughput":
        return 1 / result["ratio"]["median"] >= float(value)
    if word == "exactly":
        return abs(result["median"] - float(value)) < 0.05
    if word == "at most":
        return result["median"] <= float(value)
    if goal.startswith("late "):
        return result["median"] <= float(goal.split()[1]) * 1e6
    raise ValueError(goal)


def judge(results, reasons):
    """Adds to each row what libsock's standing is, which goals it missed, and the reason given for either."""
    for row in results["rows"]:
        if "failed" in row["results"].get(US, {"failed": ""}):
            row.update(standing="failed", missed=row["goals"])
        else:
            row["standing"] = standing(row)
            row["missed"] = [goal for goal in row["goals"] if not meets(goal, row)]
        if row["missed"] or row["standing"] != "first":
            name = f"{row['group']}: {row['name']}"
            keys = [key for key in reasons if name.startswith(key)]
            row["reason"] = reasons[max(keys, key=len)] if keys else "not explained"


def verdict(row):
    if row["missed"]:
        return "MISSED " + ", ".join(row["missed"]) + f"; {row['standing']}"
    return ("met; " if row["goals"] else "") + row["standing"]


def all_reasons(results):
    """Each once, in the order of the rows; a row refers to its own by number."""
    return list(dict.fromkeys(row["reason"] for row in results["rows"] if "reason" in row))


def number(value):
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def cell(row, peer):
    result = row["results"].get(peer)
    if result is None:
        return ""
    if "failed" in result:
        return "failed"
    if row["floor"] == peer:
        return number(result["median"]) if row["unit"] != "ns" else f"{number(result['median'] / 1e3)}us"
    if "ratio" in result:
        return f"{result['ratio']['median']:.3f}"
    if row["unit"] == "ns late":
        return f"{result['median'] / 1e6:.3f}" + ("!" if result["min"] < 0 else "")
    return number(result["median"])


HEADINGS = {
    "ready": "time, ratio to plain blocking calls; lower is better",
    "settimeout": "time, ratio to two setsockopt calls",
    "lateness": "milliseconds that a recv expires too late, median; ! sometimes early",
    "signal storm": "the same, with a signal each millisecond",
    "system calls": "for each operation",
    "instructions": "more than plain blocking calls execute in user space",
    "many sockets": "each with its own timeout and its own thread waiting; ratio to blocking calls",
}


CHARTS = {
    "ready": ["ready"], "ping-pong": ["pingpong"], "bulk": ["bulk"], "connections": ["connections"],
    "lateness": ["lateness"], "signal storm": ["storm"], "system calls": ["calls"], "many sockets": ["many-tcp", "many-unix", "memory"],
}

INTRODUCTION = """\
# libsock against what a program would use instead

Written by `{command}` on {date}, in {seconds} s; the figures are those of [results.json](results.json), with
spread and extremes. Run `make bench` for your own machine's (`make bench QUICK=1` only shows that it works).

![What a timeout costs, and when it comes](waiting.svg)

{machine}

The peers: {peers}. *blocking* is the floor: plain calls on a blocking socket, with no timeout at all.
*rcvtimeo* and *poll* are what one would write by hand: `SO_RCVTIMEO` and `SO_SNDTIMEO` with the same calls as ever, and
`recv`, `poll`, `recv` on a non-blocking socket.

Peers take turns in each round, in an order that rotates; each sample is a process of its own. A figure is the median
over the rounds, a ratio the median of the ratios to the floor of the same round. *level* is within the spread.
"""


def write(results, path):
    """The same as a page, with the charts."""
    peers = list(results["peers"])
    with open(path, "w") as file:
        file.write(INTRODUCTION.format(
            **{**results, "machine": "Machine: " + ", ".join(f"{key} {value}" for key, value in results["machine"].items()) + ".",
               "peers": ", ".join(f"{peer} {version}" for peer, version in results["peers"].items())}))
        for name, how in results["missing"].items():
            file.write(f"\nMissing: {name} (`{how}`).\n")
        for group in dict.fromkeys(row["group"] for row in results["rows"]):
            rows = [row for row in results["rows"] if row["group"] == group]
            shown = [peer for peer in peers if any(peer in row["results"] for row in rows)]
            heading = HEADINGS.get(group, HEADINGS["ready"])
            file.write(f"\n## {group.capitalize()}\n\n{heading[0].upper()}{heading[1:]}.\n\n")
            for chart in CHARTS.get(group, []):
                file.write(f"![{group}]({chart}.svg)\n\n")
            file.write("| | " + " | ".join(shown) + " | verdict |\n" + "| --- " * (len(shown) + 2) + "|\n")
            for row in rows:
                cells = [cell(row, peer) or "-" for peer in shown]
                file.write(f"| {row['name']} | " + " | ".join(cells) + f" | {verdict(row)} |\n")
            for reason in dict.fromkeys(row["reason"] for row in rows if "reason" in row):
                names = "; ".join(row["name"] for row in rows if row.get("reason") == reason)
                file.write(f"\n- *{names}*: {reason}")
            file.write("\n" if any("reason" in row for row in rows) else "")
            for failure in failures(rows):
                file.write(f"\n- failed: {failure}")
            file.write("\n" if failures(rows) else "")


def failures(rows):
    return [f"{peer}, {row['group']} {row['name']}: {result['failed']}"
            for row in rows for peer, result in row["results"].items() if "failed" in result]


def show(results):
    peers, reasons = list(results["peers"]), all_reasons(results)
    print(f"libsock {results['peers'][US]}: {results['command']}, {results['date']}")
    print(", ".join(f"{key} {value}" for key, value in results["machine"].items()))
    print(f"\n{'':28}" + "".join(f"{peer:>10}" for peer in peers) + "  verdict")
    group = None
    for row in results["rows"]:
        if row["group"] != group:
            group = row["group"]
            print(f"{group}" + (f": {HEADINGS[group]}" if group in HEADINGS else ""))
        print(f"  {row['name']:26}" + "".join(f"{cell(row, peer):>10}" for peer in peers) + f"  {verdict(row)}"
              + (f" [{reasons.index(row['reason']) + 1}]" if "reason" in row else ""))
    print()
    for at, reason in enumerate(reasons, start=1):
        print(textwrap.fill(f"[{at}] {reason}", 120, subsequent_indent="    "))
    for failure in failures(results["rows"]):
        print(f"failed: {failure}")
    for name, how in results["missing"].items():
        print(f"{name} was missing: {how}")
    missed = sum(bool(row["missed"]) for row in results["rows"])
    print(f"{len(results['rows'])} rows, {sum(bool(row['goals']) for row in results['rows'])} with a goal, {missed} missed")
