"""Snippets/ as the symbol graph that DocC reads for @Snippet: snippets.py FOLDER OUTPUT"""

import json
import pathlib
import re
import sys
import textwrap

folder, output = map(pathlib.Path, sys.argv[1:])
symbols = []
for path in sorted(folder.glob("*.swift")):
    about, lines, slices, name, hidden = [], [], {}, None, False
    for line in path.read_text().splitlines():
        mark = re.fullmatch(r"\s*// snippet\.([\w-]+)", line)
        if line.startswith("//!"):
            about.append(line[3:].strip())
        elif mark and mark[1] in ("hide", "show"):
            hidden = mark[1] == "hide"
        elif mark:
            name = None if mark[1] == "end" else mark[1]
            if name:
                slices[name] = [len(lines), len(lines)]
        elif not hidden and (lines or line):
            lines.append(line)
            if name:
                slices[name][1] = len(lines)
    symbols.append(
        {
            "kind": {"identifier": "swift.snippet", "displayName": "Snippet"},
            "identifier": {"precise": f"$snippet__s3file.{path.stem}", "interfaceLanguage": "swift"},
            "pathComponents": ["Snippets", path.stem],
            "names": {"title": path.stem},
            "docComment": {"lines": [{"text": text} for text in about]},
            "accessLevel": "public",
            "snippet": {"language": "swift", "lines": textwrap.dedent("\n".join(lines)).split("\n"), "slices": slices},
        }
    )
graph = {
    "metadata": {"formatVersion": {"major": 0, "minor": 6, "patch": 0}, "generator": "Tests/Documentation/snippets.py"},
    "module": {"name": "s3file", "platform": {"operatingSystem": {"name": "linux"}, "architecture": "x86_64"}, "isVirtual": True},
    "symbols": symbols,
    "relationships": [],
}
output.write_text(json.dumps(graph))
