"""Medians, ratios and goals of one command's records: printed, and written into that command's part of RESULTS.md.

usage: report.py NAME RECORDS RESULTS.md COMMAND < comparison

The comparison says what to show, one line each, with fields between bars:

    text   | A paragraph.
    table  | TABLE | METRIC, METRIC… | CASE to which the others are a ratio in the first metric (or -)
    goal   | TABLE | METRIC | CASE / CASE >= NUMBER      a ratio
    goal   | TABLE | METRIC | CASE >= NUMBER             a value; <= as well
"""
import collections
import datetime
import os
import pathlib
import re
import statistics
import subprocess
import sys

name, records, results, command = sys.argv[1:]
values = collections.defaultdict(list)  # (table, case, metric) → one value a round
cases = collections.defaultdict(list)  # table → its cases, in the order in which they were measured first
for line in open(records):
    table, case, metric, value = line.rstrip("\n").split("\t")
    if case not in cases[table]:
        cases[table].append(case)
    values[table, case, metric].append(float(value))


def median(table, case, metric):
    return statistics.median(values[table, case, metric]) if (table, case, metric) in values else None


def shown(value):
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def spread(table, case, metric):
    """The median, and the least and the most when there is more than one."""
    all_values = values[table, case, metric]
    if len(all_values) < 2:
        return shown(median(table, case, metric))
    return f"{shown(median(table, case, metric))} ({shown(min(all_values))}–{shown(max(all_values))})"


def rows_of_table(table, metrics, reference):
    ratio = [f"ratio to {reference}"] if reference != "-" else []
    yield ["" if table == "-" else table, *metrics, *ratio]
    base = median(table, reference, metrics[0]) if ratio else None
    for case in cases[table]:
        of_case = median(table, case, metrics[0])
        row = [case, spread(table, case, metrics[0]), *[shown(median(table, case, metric)) for metric in metrics[1:]]]
        yield row + ([f"{of_case / base:.2f}" if base and of_case else ""] if ratio else [])


def goal(table, metric, condition):
    match = re.fullmatch(r"(.+?)(?: / (.+))? (<=|>=) ([0-9.]+)", condition)
    first, second, comparison, number = match.groups()
    value = median(table, first, metric)
    if value is not None and second:
        base = median(table, second, metric)
        value = value / base if base else None
    if value is None:
        return f"- {table}: {metric}, {condition}: not measured"
    met = value <= float(number) if comparison == "<=" else value >= float(number)
    return f"- {table}: {metric}, {condition}: **{shown(value)}**, {'met' if met else 'MISSED'}"


def output_of(*arguments):
    return subprocess.run(arguments, capture_output=True, text=True, cwd=pathlib.Path(results).parent).stdout.strip()


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown processor")
    memory = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemTotal")) / 1048576
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GB, {output_of('uname', '-sr')}, {output_of('postgres', '--version')}"


rounds = max((len(v) for v in values.values()), default=0)
lines = [
    f"Measured {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC at {output_of('git', 'rev-parse', '--short', 'HEAD')} by `{command}`, "
    f"medians of {rounds}. {machine()}.",
    "",
]
goals = []
for line in sys.stdin:
    kind, *fields = [field.strip() for field in line.strip().split("|")]
    if kind == "text":
        lines += [fields[0], ""]
    elif kind == "table" and cases[fields[0]]:
        rows = list(rows_of_table(fields[0], [m.strip() for m in fields[1].split(",")], fields[2]))
        lines += ["| " + " | ".join(rows[0]) + " |", "|" + "---|" + "---:|" * (len(rows[0]) - 1)]
        lines += ["| " + " | ".join(row) + " |" for row in rows[1:]] + [""]
    elif kind == "goal" and cases[fields[0]]:
        goals.append(goal(*fields))
if goals:
    lines += ["Goals:", "", *goals, ""]
text = "\n".join(lines)
print(text)

path = pathlib.Path(results)
whole = path.read_text()
begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
if begin not in whole:
    sys.exit(f"{path} has no part for {name}: add the lines {begin.strip()} and {end.strip()}")
path.write_text(whole[: whole.index(begin)] + begin + "\n" + text + whole[whole.index(end) :])
