"""A frame that sends only what differs shows what Textual's own frame shows, on a terminal that follows both."""

from __future__ import annotations

import random
from itertools import pairwise

import pyte
import pytest
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from tui.frames import Frames

Frame = ChopsUpdate | LayoutUpdate
WIDTH, HEIGHT = 40, 8
EDGES = (0, 7, 26, WIDTH)
"""Where the widgets of a line begin, and the last one ends."""
STYLES = (
    None,
    Style.parse("bright_red on bright_blue"),
    Style.parse("red on blue"),
    Style.parse("bold #aabbcc on blue"),
    Style.parse("reverse"),
)
WORDS = ("agent 1", "agent 2", "workflow", "12:00:01", "    ", "…✓", "日本", "e\u0301", "🧾")
CONSOLE = Console(force_terminal=True, color_system="256", width=WIDTH, _environ={"TERM": "xterm-256color"})


class Terminal:
    """What is shown, and how many characters it took."""

    def __init__(self) -> None:
        self.screen = pyte.Screen(WIDTH, HEIGHT)
        self._stream = pyte.Stream(self.screen)
        self.received = 0

    def receive(self, frame: Frame) -> str:
        sent = frame.render_segments(CONSOLE)
        self.received += len(sent)
        self._stream.feed(sent.replace("\n", ""))
        return sent

    def shown(self) -> list[list[object]]:
        return [[self.screen.buffer[y][x] for x in range(WIDTH)] for y in range(HEIGHT)]


def piece(chance: random.Random, width: int, words: tuple[str, ...]) -> Strip:
    """A widget's line."""
    segments = [Segment(chance.choice(words), chance.choice(STYLES)) for _ in range(6)]
    return Strip(segments).adjust_cell_length(width, Style())


def whole(lines: list[dict[int, Strip]]) -> LayoutUpdate:
    return LayoutUpdate([list(line.values()) for line in lines], Region(0, 0, WIDTH, HEIGHT))


@pytest.mark.parametrize("words", [WORDS[:6], WORDS], ids=["narrow", "any"])
def test_the_same_is_shown(words: tuple[str, ...]) -> None:
    chance = random.Random(7)
    textual, ours, frames = Terminal(), Terminal(), Frames()

    def both(frame: Frame) -> None:
        textual.receive(frame)
        sent = frames.thrifty(frame)
        assert isinstance(sent, Frame)
        assert sent is not frame
        ours.receive(sent)
        assert ours.shown() == textual.shown()

    lines: list[dict[int, Strip]] = []
    for number in range(400):
        if number % 100 == 0:
            lines = [{x: piece(chance, end - x, words) for x, end in pairwise(EDGES)} for _ in range(HEIGHT)]
            both(whole(lines))
        spans, chops = [], [dict[int, Strip | None]() for _ in range(HEIGHT)]
        for y in sorted(chance.sample(range(HEIGHT), chance.randint(1, 4))):
            x, end = chance.choice(list(pairwise(EDGES)))
            # As a table's rows move on: another line's, a piece of a new one, or one that is as it was.
            strip = chance.choice([lines[(y + 1) % HEIGHT][x], piece(chance, end - x, words), lines[y][x]])
            lines[y][x] = strip
            chops[y] = {x: strip}
            spans.append((y, x, end))
        both(ChopsUpdate(chops, spans, [[end_of(line)] for line in chops]))
    assert ours.received < textual.received


def end_of(line: dict[int, Strip | None]) -> int:
    """Where the only widget of a line ends."""
    return EDGES[EDGES.index(next(iter(line), 0)) + 1]


def test_what_is_as_it_was_costs_nothing_and_a_digit_a_digit() -> None:
    terminal, frames = Terminal(), Frames()
    style = Style.parse("red on blue")
    lines = [{0: Strip([Segment(f"row {y} ".ljust(WIDTH), style)])} for y in range(HEIGHT)]
    first = frames.thrifty(whole(lines))
    assert isinstance(first, Frame)
    terminal.receive(first)
    for text, sent in (("row 2 ", ""), ("row 7 ", "\x1b[3;5H\x1b[31;44m7\x1b[0m")):
        chops = [dict[int, Strip | None]() for _ in range(HEIGHT)]
        chops[2] = {0: Strip([Segment(text.ljust(WIDTH), style)])}
        update = frames.thrifty(ChopsUpdate(chops, [(2, 0, WIDTH)], [[WIDTH] for _ in range(HEIGHT)]))
        assert isinstance(update, Frame)
        assert terminal.receive(update) == sent
