"""The moving picture of the README: a frame at a time, all of each frame, small, and in need of nothing else."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from rich.segment import Segment
from rich.style import Style

from tests.film import Frame, film
from tests.support import ROOT

SVG = "{http://www.w3.org/2000/svg}"
MOST = 400_000
"""Bytes that a reader of the README is asked to load."""
SHOWN = re.compile(r"([\d.]+)%\{visibility:(\w+)\}")


def rows(*texts: str) -> tuple[tuple[Segment, ...], ...]:
    return tuple((Segment(text, Style.parse("bold #9ece6a on #1e2030")), Segment("  .")) for text in texts)


def seen(picture: str, percent: float) -> list[str]:
    """The frames that are visible then: a step-end animation keeps what the last key frame said."""
    visible = []
    for name, keys in re.findall(r"@keyframes k(\d+)\{((?:[\d.]+%\{[^}]*\})+)\}", picture):
        said = [word for at, word in SHOWN.findall(keys) if float(at) <= percent]
        visible += [name] if said[-1:] == ["visible"] else []
    return visible


def words(picture: str) -> list[str]:
    """What each frame shows, blanks aside."""
    root = ElementTree.fromstring(picture)  # noqa: S314 - our own
    lines = {f"#{one.get('id')}": "".join(one.itertext()) for one in root.iter(f"{SVG}g") if one.get("class") is None}
    frames = [one for one in root.iter(f"{SVG}g") if one.get("class") == "f"]
    return [
        "".join("".join(lines[use.get("href", "")] for use in frame.iter(f"{SVG}use")).split())
        + "".join("".join(frame.itertext()).split())
        for frame in frames
    ]


def test_each_frame_is_shown_whole_and_in_its_time() -> None:
    first = Frame(rows("<tenants> & 'x'", "", "same"), 1.0, "a", "begin")
    second = Frame(rows("家 [bold]", "more  words", "same"), 3.0, "enter", "go <on>")
    picture = film((first, second), "two & <two>")
    assert words(picture) == ["<tenants>&'x'..same.abegin", "家[bold].morewords.same.entergo<on>"]
    assert [seen(picture, at) for at in (0, 24.9, 25, 99.9)] == [["0"], ["0"], ["1"], ["1"]]
    assert picture.count(">same<") == 1, "what two frames share is written once"


def test_the_one_in_the_readme_walks_through_every_step_and_needs_nothing_from_anywhere() -> None:
    picture = (ROOT / "screenshots/walkthrough.svg").read_text(encoding="utf-8")
    assert "(screenshots/walkthrough.svg)" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(picture.encode()) < MOST
    assert re.findall(r"https?://[^\s\"]+", picture) == ["http://www.w3.org/2000/svg"]
    assert "prefers-reduced-motion" in picture and "<script" not in picture
    frames = words(picture)
    told = ["NOTAPPLIED", *(f"step{number}of8" for number in range(1, 9)), "✓APPLIED"]
    places = [next(at for at, frame in enumerate(frames) if word in frame) for word in told]
    assert places == sorted(places)
    assert any("ITWILLWORK" in frame for frame in frames) and any("COMMITTED" in frame for frame in frames)
    assert all(len(seen(picture, at / 10)) == 1 for at in range(1000))


def test_every_picture_of_the_readme_is_there() -> None:
    named = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(named) > 5
    assert [one for one in named if not (ROOT / one).is_file()] == []
