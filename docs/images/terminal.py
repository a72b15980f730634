"""Records a command in a terminal of its own, and turns what it printed into HTML as the terminal showed it.

    terminal.py record FILE COLUMNS COMMAND...
    terminal.py draw FILE COLUMNS FIRST LAST FROM HTML     lines from the one that matches FIRST to before the one
                                                           that matches LAST; between the headline and FROM, left out

Only what Eclusa's output uses is understood: colours, bold, dim, moving up and down, and erasing a line.
"""

import fcntl
import html
import os
import pty
import re
import struct
import sys
import termios

COLOURS = {30: "#3b4048", 31: "#e5646e", 32: "#8fc470", 33: "#e0b45c", 34: "#6aa8e8", 35: "#c57fd8", 36: "#5fbcc8", 37: "#d7dae0"}


def record(path, columns, command):
    """Runs the command in a terminal; everything it prints goes into the file."""
    process, terminal = pty.fork()
    if process == 0:
        os.environ.update(TERM="xterm-256color", LANG="C.UTF-8")
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    with open(path, "wb") as file:
        while True:
            try:
                data = os.read(terminal, 65536)
            except OSError:  # the way in which a terminal says that nobody writes to it any more
                break
            if not data:
                break
            file.write(data)
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status)


class Screen:
    """A terminal with endless height."""

    def __init__(self, columns):
        self.columns, self.lines, self.row, self.column = columns, [[]], 0, 0
        self.style = (None, False, False)

    def put(self, character):
        if self.column >= self.columns:
            self.row, self.column = self.row + 1, 0
        while len(self.lines) <= self.row:
            self.lines.append([])
        line = self.lines[self.row]
        line.extend([(" ", (None, False, False))] * (self.column - len(line) + 1))
        line[self.column] = (character, self.style)
        self.column += 1

    def control(self, arguments, letter):
        number = int(arguments) if arguments.isdigit() else 1
        if letter == "A":
            self.row = max(0, self.row - number)
        elif letter == "B":
            self.row += number
        elif letter == "K" and self.row < len(self.lines):
            self.lines[self.row] = [] if arguments == "2" else self.lines[self.row][: self.column]
        elif letter == "J" and self.row < len(self.lines):
            del self.lines[self.row + 1 :]
        elif letter == "m":
            for code in [int(code or 0) for code in arguments.split(";")]:
                colour, bold, dim = self.style
                if code == 0:
                    self.style = (None, False, False)
                elif code == 1:
                    self.style = (colour, True, dim)
                elif code == 2:
                    self.style = (colour, bold, True)
                elif code in COLOURS:
                    self.style = (COLOURS[code], bold, dim)

    def feed(self, text):
        for match in re.finditer(r"\x1b\[([0-9;?]*)([A-Za-z])|([^\x1b])", text):
            arguments, letter, character = match.groups()
            if letter:
                self.control(arguments, letter)
            elif character == "\n":
                self.row, self.column = self.row + 1, 0
            elif character == "\r":
                self.column = 0
            elif character >= " ":
                self.put(character)


def draw(path, columns, first, last, begin, target):
    """Writes the wanted lines as a page; prints its width and height."""
    screen = Screen(columns)
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        screen.feed(file.read())
    texts = ["".join(character for character, _ in line).rstrip() for line in screen.lines]
    top = next(row for row, text in enumerate(texts) if re.search(first, text))
    bottom = next((row for row in range(top + 1, len(texts)) if re.search(last, texts[row])), len(texts))
    if not last.startswith("━"):  # the last line is part of the picture
        bottom += 1
    rows = list(range(top, bottom))
    if begin:
        head = top + 1
        start = next(row for row in rows if re.search(begin, texts[row]))
        rows = [top, *range(head, min(head + 9, start)), None, *range(start, bottom)]
    rows = [row for row in rows if row is None or texts[row]]
    body = "\n".join("<i>…</i>" if row is None else spans(screen.lines[row]) for row in rows)
    style = (
        "body{margin:0;background:#1d2026;color:#d7dae0}"
        "pre{margin:0;padding:18px 22px;font:13px/19px 'DejaVu Sans Mono',monospace}b{color:#fff}i{color:#7b828e}"
    )
    with open(target, "w", encoding="utf-8") as file:
        file.write(f"<!doctype html><meta charset=utf-8><style>{style}</style><pre>{body}</pre>")
    # A character of that font is 7.83 pixels wide, a line 19 high.
    print(round(columns * 7.83) + 46, len(rows) * 19 + 36)


def spans(line):
    """One line, with runs of the same style put together."""
    parts, run, style = [], "", None
    for character, own in [*line, ("", "end")]:
        if own != style:
            if run:
                parts.append(span(run, style))
            run, style = "", own
        run += character
    return "".join(parts)


def span(text, style):
    colour, bold, dim = style
    css = ";".join(
        value
        for value in (
            f"color:{colour}" if colour else ("color:#fff" if bold else ""),
            "font-weight:bold" if bold else "",
            "opacity:.6" if dim else "",
        )
        if value
    )
    return f'<span style="{css}">{html.escape(text)}</span>' if css else html.escape(text)


if __name__ == "__main__":
    if sys.argv[1] == "record":
        sys.exit(record(sys.argv[2], int(sys.argv[3]), sys.argv[4:]))
    draw(sys.argv[2], int(sys.argv[3]), *sys.argv[4:8])
