"""The verdict on each row of the results, and the table."""

import textwrap

FLOOR = "blocking"
US = "libsock"
# The same by other means.
OURS = {US, "libsock-steps"}
# With fewer samples of what the machine's business changes nothing is decided.
ENOUGH = 5
# By less than this it is behind nobody: a hundredth is what the layout of a program in memory makes of it.
MARGIN = 1.01


def peers_of(row):
    return {peer: result for peer, result in row["results"].items()
            if peer != FLOOR and peer not in OURS and "failed" not in result}


def compared(result):
    """The ratio to the floor of the same round, where there is one: its spread is smaller."""
    return result.get("ratio", result)


def best_peer(row):
    """The best of the others, and its result. To be early is to fail."""
    others = {peer: result for peer, result in peers_of(row).items()
              if row["unit"] != "ns late" or result["min"] >= 0}
    return min(others.items(), key=lambda item: compared(item[1])["median"], default=(None, None))


def decides(row, result):
    """Counts of calls and instructions are the same each time."""
    return result["samples"] >= ENOUGH or row["unit"] in ("calls", "more")


def standing(row):
    """first, level or behind; level is what cannot be told apart."""
    mine = row["results"].get(US)
    name, theirs = best_peer(row)
    if not mine or "failed" in mine:
        return "failed"
    if theirs and not decides(row, mine):
        return f"level with {name}"
    if not theirs or compared(mine)["median"] <= compared(theirs)["median"]:
        return "first"
    if "libsock" in theirs:
        level = theirs["libsock"]["interval"][0] <= MARGIN
    else:
        level = compared(mine)["quartiles"][0] <= compared(theirs)["quartiles"][1]
    return f"{'level with' if level else 'behind'} {name}"


def limit(goal, result):
    """What is limited, and to how much."""
    words = goal.split()
    if words[0] == "ratio":
        return result["ratio"], float(words[1])
    if words[0] == "throughput":
        return result["ratio"], 1 / float(words[1])
    if words[0] == "late":
        return result, float(words[1]) * 1e6
    if goal.startswith(("at most", "exactly")):
        return result, float(words[-1]) + 0.05
    raise ValueError(goal)


def outcome(goal, row):
    """met, MISSED, or undecided: the goal lies within the interval of the median."""
    result = row["results"].get(US, {"failed": ""})
    if "failed" in result:
        return "MISSED"
    if goal == "first":
        return "MISSED" if standing(row).startswith("behind") else "met"
    if goal == "never early":
        return "met" if result["min"] >= 0 else "MISSED"
    limited, most = limit(goal, result)
    if not decides(row, limited):
        return "undecided"
    low, high = limited["interval"]
    if goal.startswith("exactly") and low < most - 0.1:
        return "MISSED"
    return "met" if high <= most else "MISSED" if low > most else "undecided"


def judge(results, reasons):
    """Adds to each row what libsock's standing is, what came of its goals, and the reason given for either."""
    for row in results["rows"]:
        row["standing"] = standing(row)
        row["outcomes"] = {goal: outcome(goal, row) for goal in row["goals"]}
        if row["standing"] != "first" or any(found != "met" for found in row["outcomes"].values()):
            name = f"{row['group']}: {row['name']}"
            keys = [key for key in reasons if name.startswith(key)]
            row["reason"] = reasons[max(keys, key=len)] if keys else "not explained"


def contradicts(one, other):
    return {one, other} == {"met", "MISSED"} or {one.split()[0], other.split()[0]} == {"first", "behind"}


def compare(results, before):
    """Adds which verdicts are not those of a run before, if that was of the same rows on such a machine."""
    keys = ("processor", "cores", "kernel")
    known = {(row["group"], row["name"]): row for row in before["rows"]}
    if (before["command"] != results["command"] or any(before["machine"][key] != results["machine"][key] for key in keys)
            or set(known) != {(row["group"], row["name"]) for row in results["rows"]}):
        return
    count, differ = 0, []
    for row in results["rows"]:
        then = known[row["group"], row["name"]]
        pairs = [("standing", row["standing"], then["standing"])]
        pairs += [(goal, row["outcomes"][goal], then.get("outcomes", {}).get(goal, "undecided")) for goal in row["goals"]]
        count += len(pairs)
        differ += [f"{row['group']}, {row['name']}: {what} was {old}, is {new}" for what, new, old in pairs if contradicts(new, old)]
    results["before"] = {"date": before["date"], "verdicts": count, "differ": differ}


def verdict(row):
    said = [f"{found} {goal}" for goal, found in row["outcomes"].items()]
    return "; ".join([", ".join(said)] * bool(said) + [row["standing"]])


def about_before(results):
    """A sentence on whether the run before came to the same."""
    before = results.get("before")
    if not before:
        return ""
    text = f"Of {before['verdicts']} verdicts, {len(before['differ'])} contradict those of the run before, on {before['date']}"
    return text + (": " + "; ".join(before["differ"]) if before["differ"] else "") + "."


def figure(goal, row):
    """What a goal is about, as it was measured."""
    result = row["results"].get(US, {"failed": "not measured"})
    if "failed" in result:
        return result["failed"]
    if goal == "first":
        return row["standing"]
    if goal == "never early":
        return f"{result['min'] / 1e6:.3f} ms at least"
    limited, _ = limit(goal, result)
    values = limited["median"], *limited["interval"]
    if goal.startswith("throughput"):
        values = 1 / values[0], 1 / values[2], 1 / values[1]
    if goal.startswith("late"):
        values = [value / 1e6 for value in values]
    written = [f"{value:.0f}" if goal.startswith(("at most", "exactly")) and value == round(value) else f"{value:.3f}" for value in values]
    return written[0] if len(set(written)) == 1 else "{} ({} to {})".format(*written)


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
    "bulk on one core": "processor time of both ends, ratio to plain blocking calls; lower is better",
    "one deadline": "time of a request of 64 bytes and its answer, over TCP, on one core; ratio to plain blocking calls, which have no deadline",
    "lines": "processor time of a line that has come already, ratio to stdio's getline on a blocking socket",
    "cancelling": "time until a cancelled receive has returned, on one core; ratio to shutdown(2) of the socket by hand, which loses it",
    "ready": "time, ratio to plain blocking calls; lower is better",
    "settimeout": "time, ratio to two setsockopt calls",
    "lateness": "milliseconds that a recv expires too late, median; ! sometimes early",
    "signal storm": "the same, with a signal each millisecond",
    "system calls": "for each operation",
    "instructions": "more than plain blocking calls execute in user space",
    "many sockets": "each with its own timeout and its own thread waiting; ratio to blocking calls",
}


CHARTS = {
    "ready": ["ready"], "ping-pong": ["pingpong"], "bulk": ["bulk"], "one deadline": ["request"], "lines": ["lines"], "cancelling": ["cancel"], "connections": ["connections"],
    "lateness": ["lateness"], "signal storm": ["storm"], "system calls": ["calls"], "many sockets": ["many-tcp", "many-unix", "memory"],
}

INTRODUCTION = """\
# libsock against what a program would use instead

Written by `{command}` on {date}, in {seconds} s; the figures are those of [results.json](results.json), with
spread and extremes. Run `make bench` for your own machine's (`make bench QUICK=1` only shows that it works).

![What a timeout and a deadline cost, and when they come](waiting.svg)

{machine}

The peers: {peers}. *blocking* is the floor: plain calls on a blocking socket, with no timeout at all.
*rcvtimeo* and *poll* are what one would write by hand: `SO_RCVTIMEO` and `SO_SNDTIMEO` with the same calls as ever, and
`recv`, `poll`, `recv` on a non-blocking socket.

Peers take turns in each round, in an order that rotates; each sample is a process of its own. A figure is the median
over the rounds, a ratio the median of the ratios to the floor of the same round. *libsock-steps* is libsock too, where one
deadline is kept by `sock_settimeout` before each step and not by the functions that end in `_until`. libdill, whose sockets take
deadlines, is not in Debian, and so not here.

A goal is *met* if the whole interval in which the median lies at 95 % (by the ranks of the samples, whatever their distribution)
is within it, *MISSED* if all of it is beyond, and else, or if there are fewer than {enough} samples, *undecided*. libsock is *behind* a peer if the interval of the ratio of
the two, round by round, lies above {margin}, *first* if no median is below its own, and else *level*. So two runs contradict each
other only if one says met and the other MISSED, or one first and the other behind. {before}

## Goals

| | goal | libsock | the best of the others | |
| --- | --- | --- | --- | --- |
{goals}"""


def best_text(row):
    name, _ = best_peer(row)
    return f"{name} {cell(row, name)}" if name else "-"


def goal_lines(results):
    return "".join(f"| {row['group']}: {row['name']} | {goal} | {figure(goal, row)} | {best_text(row)} | {found} |\n"
                   for row in results["rows"] for goal, found in row["outcomes"].items())



def write(results, path):
    """The same as a page, with the charts."""
    peers = list(results["peers"])
    with open(path, "w") as file:
        file.write(INTRODUCTION.format(
            **{**results, "machine": "Machine: " + ", ".join(f"{key} {value}" for key, value in results["machine"].items()) + ".",
               "peers": ", ".join(f"{peer} {version}" for peer, version in results["peers"].items()),
               "margin": MARGIN, "enough": ENOUGH, "before": about_before(results), "goals": goal_lines(results)}))
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
    if about_before(results):
        print(about_before(results))
    outcomes = [found for row in results["rows"] for found in row["outcomes"].values()]
    print(f"{len(results['rows'])} rows, {len(outcomes)} goals: " + ", ".join(
        f"{outcomes.count(found)} {found}" for found in ("met", "undecided", "MISSED")))
