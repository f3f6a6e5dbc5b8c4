#!/usr/bin/env python3
"""The rules of the house that a compiler does not check.

usage: house.py [ROOT] [GATE…]
Each gate is a function; it yields "file:line: what is wrong".  Exit 1 when any gate yields.
tests/gates feeds each of them a known-bad tree.
"""
import hashlib
import os
import re
import signal
import sys

FLOORS = {  # folder under common/ -> folders it may see
    "base": set(),
    "os": {"base"},
    "wire": {"base"},
    "conf": {"base"},
    "core": {"base"},
    "obs": {"base"},
    "loop": {"base", "os", "wire", "conf", "core", "obs"},
    "store": {"base", "os", "wire", "core", "obs"},
    "client": {"base", "os", "wire", "conf", "core", "obs", "loop", "store"},
}
PROGRAMS = {
    "supervisor": {"base", "os", "wire", "conf", "obs", "loop"},
    "worker": set(FLOORS),
    "tools": set(FLOORS),
}
CODE = ("common", "supervisor", "worker", "tools")
FILE_SOFT, FILE_HARD, HEADER_MAX, FUNCTION_MAX, SEES_MAX = 600, 1000, 150, 60, 20
CHECKS_PER_KLINE = 20


def files(root, suffixes, tops=CODE + ("tests",)):
    for top in tops:
        for here, dirs, names in os.walk(os.path.join(root, top)):
            dirs.sort()
            for name in sorted(names):
                if name.endswith(suffixes):
                    yield os.path.relpath(os.path.join(here, name), root)


def text(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
        return f.read()


def bare(source):
    """The source with comments and literals blanked, line structure kept."""
    def blank(match):
        piece = match.group(0)
        return re.sub(r"[^\n]", " ", piece) if piece[0] == "/" else '""' + " " * (len(piece) - 2)
    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", blank, source, flags=re.S)


def broken_on_purpose(lines, at):
    """A budget may be broken with a comment that says why: the word 'Longer' or 'Wider' near it."""
    return any(re.search(r"\b(Longer|Wider|Deeper)\b", l) for l in lines[max(0, at - 12):at + 3])


def gate_floors(root):
    """No include goes up or sideways, and the CMake edges are those of the design."""
    for path in files(root, (".c", ".h"), CODE):
        parts = path.split("/")
        if parts[0] == "common":
            here, may = parts[1], FLOORS.get(parts[1])
            if may is None:
                yield f"{path}:1: common/{parts[1]} is no floor of the design"
                continue
        else:
            here, may = parts[0], PROGRAMS[parts[0]]
        for number, line in enumerate(text(root, path).splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if not match:
                continue
            target = match.group(1)
            if ".." in target:
                yield f"{path}:{number}: an include with .."
            floor = target.split("/")[0]
            if floor in FLOORS and floor != here and floor not in may:
                yield f"{path}:{number}: {here} may not see {floor}"
    for path in files(root, ("CMakeLists.txt",), CODE):
        for match in re.finditer(r"rv_floor\(\s*(\w+)(.*?)\)", text(root, path), re.S):
            uses = re.search(r"USES((?:\s+[a-z]+)+)", match.group(2))
            may = FLOORS.get(match.group(1), PROGRAMS.get(path.split("/")[0], set()))
            for floor in uses.group(1).split() if uses else []:
                if floor in FLOORS and floor not in may:
                    yield f"{path}:1: floor {match.group(1)} may not use {floor}"


def includes(root):
    graph = {}
    known = set(files(root, (".c", ".h"), CODE))
    for path in known:
        graph[path] = set()
        for target in re.findall(r'(?m)^\s*#\s*include\s+"([^"]+\.h)"', text(root, path)):
            for guess in (os.path.join(os.path.dirname(path), target), os.path.join("common", target),
                          target, os.path.join(path.split("/")[0], target)):
                if os.path.normpath(guess) in known:
                    graph[path].add(os.path.normpath(guess))
                    break
    return graph


def gate_cycles(root):
    """No header includes itself by a detour."""
    graph = includes(root)
    state = {}

    def walk(node, trail):
        state[node] = 1
        for below in sorted(graph[node]):
            if state.get(below) == 1:
                yield f"{node}:1: include cycle: {' -> '.join(trail + [node, below])}"
            elif below not in state:
                yield from walk(below, trail + [node])
        state[node] = 2
    for node in sorted(graph):
        if node not in state:
            yield from walk(node, [])


def functions(source):
    """(name, first line, length) of each function: a brace in column 0 opens one."""
    lines = source.splitlines()
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start:
            head = " ".join(lines[max(0, start - 6):start - 1])
            names = re.findall(r"(\w+)\s*\(", head)
            if names and not line.startswith("};") and not line.startswith("} "):
                yield names[-1] if len(names) == 1 else names[0], start, number - start - 1
            start = None


def gate_budgets(root):
    """File, header and function lengths; how many of our headers a .c sees; checks per line."""
    graph = includes(root)
    for path in files(root, (".c", ".h")):
        source = text(root, path)
        lines = source.splitlines()
        if path.endswith(".h") and len(lines) > HEADER_MAX and not broken_on_purpose(lines, 12):
            yield f"{path}:1: header of {len(lines)} lines (budget {HEADER_MAX})"
        if path.endswith(".c"):
            if len(lines) > FILE_HARD or (len(lines) > FILE_SOFT and not broken_on_purpose(lines, 12)):
                yield f"{path}:1: file of {len(lines)} lines (budget {FILE_SOFT})"
            for name, start, length in functions(bare(source)):
                if length > FUNCTION_MAX and not broken_on_purpose(lines, start):
                    yield f"{path}:{start}: {name}() has {length} lines (budget {FUNCTION_MAX})"
    for path in (p for p in graph if p.endswith(".c")):
        seen, todo = set(), [path]
        while todo:
            for below in graph[todo.pop()]:
                if below not in seen:
                    seen.add(below)
                    todo.append(below)
        if len(seen) > SEES_MAX and not broken_on_purpose(text(root, path).splitlines(), 12):
            yield f"{path}:1: sees {len(seen)} of our headers (budget {SEES_MAX})"
    for folder in ("common/core", "common/store", "supervisor"):
        source = [bare(text(root, p)) for p in files(root, (".c",), (folder,))]
        size = sum(s.count("\n") for s in source)
        checks = sum(len(re.findall(r"\b(?:PRE|POST|INV|IMPOSSIBLE|DEEP|assert|static_assert)\s*\(", s)) for s in source)
        if size and checks * 1000 < CHECKS_PER_KLINE * size:
            yield f"{folder}:1: {checks} checks in {size} lines (budget {CHECKS_PER_KLINE} per 1,000)"


FORBIDDEN = (
    (r"\bev_default_loop\b", "it waits for every child; use the loop of common/loop", ()),
    (r"\b(?:system|popen)\s*\(", "no shell of ours", ()),
    (r"\b(?:strcpy|strcat|sprintf|vsprintf|gets)\s*\(", "unbounded", ("common/base/fmt.c",)),
    (r"\b(?:sleep|usleep|nanosleep)\s*\(", "wait for the event",
     ("common/store/sqlite_txn.c",)),  # the busy handler: SQLite has no event for its write lock
    (r"\bwal_checkpoint|\bwal_autocheckpoint|sqlite3_wal_checkpoint", "only one function may checkpoint",
     ("common/store/sqlite_checkpoint.c", "common/store/sqlite_open.c", "tools/measure", "tests/")),
    (r"\bsqlite3_open\b|\bsqlite3_open_v2\b", "only common/store opens a database",
     ("common/store", "tools/measure", "tests/", "worker/runner/load.c")),  # which looks for it in modules
    (r"\bpthread_create\b", "no threads of our own", ("tests/",)),  # users of libreeve have some
    (r"\bgettimeofday\b|\btime\s*\(\s*NULL|\bclock_gettime\b", "time comes from the seam",
     ("common/base/seam.c", "common/os/use.c", "tests/", "tools/measure")),
)


def gate_forbidden(root):
    """Calls that the design rules out, and where the few exceptions are."""
    for path in files(root, (".c", ".h")):
        for number, line in enumerate(bare_keep_sql(text(root, path)).splitlines(), 1):
            for pattern, why, but in FORBIDDEN:
                if re.search(pattern, line) and not path.startswith(but if but else ("\0",)):
                    yield f"{path}:{number}: {re.search(pattern, line).group(0)}: {why}"


def bare_keep_sql(source):
    return re.sub(r"/\*.*?\*/|//[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group(0)), source, flags=re.S)


def gate_headers(root):
    """Guards are named after folder and file; each .c begins with what it is."""
    for path in files(root, (".h",), CODE):
        guard = "RV_" + re.sub(r"[^A-Z0-9]", "_", "/".join(path.split("/")[-2:]).upper())
        if not re.search(rf"(?m)^#ifndef {guard}$", text(root, path)):
            yield f"{path}:1: the guard should be {guard}"
    for path in files(root, (".c",), CODE):
        if not re.match(r"\s*/\*", text(root, path)):
            yield f"{path}:1: no comment says what this file is"


def gate_registries(root):
    """Rows that nothing uses: fault points nowhere placed, errors nowhere returned, events never logged."""
    everything = {p: text(root, p) for p in files(root, (".c", ".h"), CODE)}

    def rows(path, macro):
        if os.path.exists(os.path.join(root, path)):
            for number, line in enumerate(text(root, path).splitlines(), 1):
                match = re.match(rf"{macro}\((\w+)", line)
                if match:
                    yield number, match.group(1)
    for path, macro, use in (("common/base/fault.def", "POINT", r"RV_FAULT\({}\)"),
                             ("common/base/err.def", "ERR", r"RV_{}\b"),
                             ("common/wire/sup.def", "MSG", r"RV_SUP_{}\b"),
                             ("common/store/request.def", "REQ", r"RV_REQ_{}\b")):
        for number, name in rows(path, macro):
            if not any(re.search(use.format(name), t) for t in everything.values()):
                yield f"{path}:{number}: nothing uses {name}"


def gate_rules(root):
    """Every row of docs/RULES.tsv names a file and a test that are there."""
    path = "docs/RULES.tsv"
    if not os.path.exists(os.path.join(root, path)):
        yield f"{path}:1: missing"
        return
    for number, line in enumerate(text(root, path).splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != 4 or not all(c.strip() for c in cells):
            yield f"{path}:{number}: a row is rule, sentence, file, test"
            continue
        _, _, source, test = cells
        if not os.path.exists(os.path.join(root, source)):
            yield f"{path}:{number}: there is no {source}"
        where, _, name = test.partition(":")
        full = os.path.join(root, where)
        if not os.path.exists(full):
            yield f"{path}:{number}: there is no test file {where}"
        elif not name or not re.search(rf"\b{re.escape(name)}\b", text(root, where)):
            yield f"{path}:{number}: {where} has no test {name or '(unnamed)'}"


def gate_schema(root):
    """The files that make a store are those of schema/FILES, by the hash of their statements.

    A store keeps which tables it was made with (common/store/tables.cmake), and one with others is refused: an
    edit here is one of FILES as well, on purpose, and none at all once the file was in a release.
    """
    folder = "common/store/schema"
    here = os.path.join(root, folder)
    if not os.path.isdir(here):
        return
    there = sorted(name for name in os.listdir(here) if name.endswith(".sql"))
    known = {}
    path = f"{folder}/FILES"
    for number, line in enumerate(text(root, path).splitlines() if os.path.exists(os.path.join(root, path)) else (), 1):
        if line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != 3:
            yield f"{path}:{number}: a row is file, release (- none yet), hash"
            continue
        known[cells[0]] = (number, *cells[1:])
        if cells[0] not in there:
            yield f"{path}:{number}: there is no {cells[0]}"
    for name in there:
        bare_sql = re.sub(r"[ \t\n]+", " ", re.sub(r"--[^\n]*", "", text(root, f"{folder}/{name}")))
        now = hashlib.sha256(bare_sql.encode()).hexdigest()
        number, release, then = known.get(name, (1, "-", ""))
        if now == then:
            continue
        if release != "-":
            yield f"{folder}/{name}:1: it was released in {release} and is never edited: write the next number"
        else:
            yield f"{path}:{number}: {name} is another: stores made until now will be refused; its hash is {now}"


def gate_words(root):
    """No paths of one machine, and no leftovers."""
    tops = CODE + ("tests", "docs", "conf")
    for path in files(root, (".c", ".h", ".def", ".sh", ".md", ".ini", ".sql", ".scd", ".service", ".cmake", ".txt"), tops):
        for number, line in enumerate(text(root, path).splitlines(), 1):
            if re.search(r"(^|[^a-z.])/(work|farm|root)/[a-z]", line):
                yield f"{path}:{number}: a path of one machine"
            if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
                yield f"{path}:{number}: a leftover"


GATES = {name[5:]: f for name, f in list(globals().items()) if name.startswith("gate_")}


def main(argv):
    root = argv[1] if len(argv) > 1 else "."
    wanted = argv[2:] or list(GATES)
    bad = 0
    for name in wanted:
        if name not in GATES:
            print(f"house.py: no gate {name}; there are: {' '.join(GATES)}", file=sys.stderr)
            return 2
        for line in GATES[name](root):
            print(f"{line} [{name}]")
            bad += 1
    return 1 if bad else 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main(sys.argv))
