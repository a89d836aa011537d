#!/usr/bin/env python3
"""Turns the ```cpp blocks of Markdown files into C++ sources that must compile and link.

extract_snippets.py --out DIR FILE.md ...   writes DIR/<file>.cpp, one per Markdown file, and DIR/main.cpp
extract_snippets.py --count                 counts the blocks of README.md and docs/ only

A block is the body of a function after `using namespace heddle;`. A block with #include lines or a main function is
taken as it stands instead, in a namespace of its own (its #include lines go to the top of the file). The info string
says more:
  ```cpp continue   goes on in the function of the block before it
  ```cpp ignore     is not compiled; how many there are is printed, so that none hides
"""
import argparse
import pathlib
import re
import sys

FENCE = re.compile(r"^(\s*)```(\w*)\s*(.*?)\s*$")


def blocks(text):
    """(line number of the first line, words after ```cpp, lines) of every C++ block."""
    found, current, start, words, indent = [], None, 0, "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        fence = FENCE.match(line)
        if current is None:
            if fence and fence.group(2):
                current, start, words, indent = [], number + 1, (fence.group(2), fence.group(3)), len(fence.group(1))
            elif fence:
                current, start, words, indent = [], number + 1, ("", ""), len(fence.group(1))
        elif fence and not fence.group(2):
            if words[0] in ("cpp", "c++"):
                found.append((start, words[1], current))
            current = None
        else:
            current.append(line[indent:] if line[:indent].isspace() or not indent else line)
    return found


def convert(path, label):
    """The source made of one Markdown file, how many blocks it holds, how many were ignored; None without blocks."""
    includes, parts, compiled, ignored = [], [], 0, 0
    for start, words, lines in blocks(path.read_text()):
        if words == "ignore":
            ignored += 1
            continue
        if words not in ("", "continue"):
            sys.exit(f"{label}:{start - 1}: unknown word after ```cpp: {words}")
        compiled += 1
        code = "\n".join("" if line.lstrip().startswith("#include") else line for line in lines)
        own = [line.strip() for line in lines if line.lstrip().startswith("#include")]
        includes += own
        whole = own or re.search(r"\bint main\(", code)
        body = f'#line {start} "{label}"\n{code}\n'
        if words == "continue":
            if not parts or parts[-1][0] != "body":
                sys.exit(f"{label}:{start - 1}: nothing to continue")
            parts[-1][1].append(body)
        else:
            parts.append(("whole" if whole else "body", [body]))
    if not parts:
        return None, 0, ignored
    name = re.sub(r"\W", "_", label)
    source = "#include <heddle/heddle.h>\n" + "".join(line + "\n" for line in dict.fromkeys(includes))
    for index, (kind, bodies) in enumerate(parts):
        source += f"namespace {name}_{index} {{\nusing namespace heddle;\n"
        source += "".join(bodies) if kind == "whole" else "void snippet() {\n" + "".join(bodies) + "}\n"
        source += "}\n"
    return source, compiled, ignored


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--count", action="store_true")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    arguments = parser.parse_args()
    if not arguments.count and not arguments.out:
        parser.error("--out or --count")
    files = arguments.files
    if arguments.count:
        files = [arguments.root / "README.md"] + sorted((arguments.root / "docs").rglob("*.md"))
    else:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "main.cpp").write_text("int main() {}\n")
    total = skipped = 0
    for path in files:
        label = str(path.resolve().relative_to(arguments.root))
        source, compiled, ignored = convert(path, label)
        total, skipped = total + compiled, skipped + ignored
        # Every file gets a source, so that the build knows its outputs beforehand.
        if not arguments.count:
            (arguments.out / (re.sub(r"\W", "_", label) + ".cpp")).write_text(source or "// no blocks\n")
    print(f"documentation: {total} blocks of C++ compiled, {skipped} ignored")


if __name__ == "__main__":
    main()
