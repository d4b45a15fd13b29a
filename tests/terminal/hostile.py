"""Texts that try to do something to a terminal, a markup parser or a layout: the same ones in every run."""

from __future__ import annotations

from random import Random

MARKUP = (
    "[/]",
    "[red]x[/blue]",
    "[@click=app.exit]z[/]",
    "a[/b",
    "[link=http://x]l[/link]",
    "[bold",
    "[$foo]x",
    "[a=1]",
)
SEQUENCES = (
    "\x1b[2J",
    "\x1b[31mred",
    "\x1b[1;1Hverified",
    "\x1b]52;c;aGVsbG8=\x07",
    "\x1b]52;c;aGVsbG8=\x1b\\",
    "\x1b]8;;http://x\x1b\\l\x1b]8;;\x1b\\",
    "\x1b]0;title\x07",
    "\x1bP+q544e\x1b\\",
    "\x1b[?1049l",
    "\x1b[c",
    "\x1bc",
    "\x9b2J",
    "\x9d52;c;aGVsbG8=\x9c",
    "\x90q\x9c",
)
HIDDEN = (
    "\x00",
    "\x7f",
    "\x08\x08",
    "\r",
    "\t",
    "\v",
    "\f",
    "\x85",
    "\u200b",
    "\u200d",
    "\ufeff",
    "\xad",
    "\u2060",
    "\U000e0041",
)
BIDI = ("\u202egnp", "\u2066", "\u2069", "\u200f", "\u061c", "\u2028", "\u2029")
WIDE = ("表", "🇩🇪", "👨\u200d👩\u200d👧", "⚠\ufe0f", "e\u0301", "Z" + "\u0336" * 60, "\u0300" * 40, "ﷺ", "𒐫")
INVALID = ("\ud800", "\udfff", "\ufffe", "\uffff", "\ufdd0", "\ue000", "\U0010ffff")
OTHER = ("%s", "{0}", "'; drop table x;--", "$(id)", "`id`", "../../etc", "\\x1b", "a\nb", "\r\n", "'\"", " " * 40, "")
FAMILIES = (MARKUP, SEQUENCES, HIDDEN, BIDI, WIDE, INVALID, OTHER)


def texts(number: int, seed: int = 5) -> tuple[str, ...]:
    """`number` texts, each between a head and a tail of its own that shows whether it arrived whole."""
    chance = Random(seed)
    made = []
    pieces = [piece for family in FAMILIES for piece in family]
    for index in range(number):
        if index < len(pieces):
            body = pieces[index]
        elif index % 7:
            body = "".join(chance.choice(chance.choice(FAMILIES)) for _ in range(chance.randint(2, 9)))
        else:
            body = "".join(chr(chance.randint(0, 0x2FFF)) for _ in range(chance.randint(1, 60)))
        made.append(f"h{index:04}{body}t{index:04}")
    return tuple(made)


def long_texts() -> tuple[str, ...]:
    """100 kB in one line: of one word, of escapes, of wide characters, of combining marks."""
    pieces = ("word", "\x1b[31m", "表", "a" + "\u0336" * 9, "x ")
    return tuple(
        f"long{index}" + piece * ((100_000 - 10) // len(piece)) + f"end{index}" for index, piece in enumerate(pieces)
    )
