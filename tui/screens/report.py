"""The report of one recorded run: the words of `patchdeck report`, read here, copied, and written to files."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.core.deck import Problem
from tui.core.report import Report
from tui.core.report_ledger import from_ledger
from tui.core.report_markdown import markdown
from tui.core.text import one_line
from tui.report_files import ReportFiles, write_report
from tui.screens.context import Context
from tui.screens.titled import TitledScreen
from tui.store import Part
from tui.theme import Role
from tui.widgets.band import WIDE
from tui.widgets.document import document_lines
from tui.widgets.frame import Frame
from tui.widgets.lines import Line, line, wrap
from tui.widgets.reader import Reader


class ReportScreen(TitledScreen):
    """Asks for the run whose id is `run` ("": the newest) once, and shows its report. With `write` it is also written
    to files as soon as it is there.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.back", "Back", tooltip="Back to where it was opened"),
        Binding("y", "copy", "Copy", tooltip="Copy the whole report as Markdown"),
        Binding("o", "write", "Write files", tooltip="Write it as Markdown and JSON; only you can read the files"),
        Binding("r", "again", "Read again", show=False, tooltip="Ask for the record again now"),
        Binding("q", "app.quit", "Quit", tooltip="Leave; nothing is changed by leaving"),
    ]
    AUTO_FOCUS = "#report-text"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares it for instances
        (0, "-narrow"),
        (WIDE, "-wide"),
    ]

    def __init__(self, context: Context, run: str = "", *, write: bool = False) -> None:
        super().__init__(context)
        self._run, self._write = run, write
        self.frame = Frame("Report", id="report-frame")
        self.reader = Reader(context.glyphs, id="report-text")
        self._report: Report | None = None
        self._markdown = ""
        self._written: ReportFiles | None = None
        self._state: tuple[str, Role] = ("reading the record of the run", "live")
        self._busy = False

    def content(self) -> ComposeResult:
        """The text in its frame."""
        with self.frame:
            yield self.reader

    def on_mount(self) -> None:
        """Ask for the record."""
        self.reader.read(self._lines)
        self.action_again()

    def changed(self, parts: frozenset[Part]) -> None:
        """The title follows the connection; what was recorded stays as it is."""
        self.show_title()

    def reason_against(self, action: str) -> str:
        """There is nothing to copy or write before the record is there."""
        return "there is no report yet" if action in ("copy", "write") and self._report is None else ""

    def action_again(self) -> None:
        """Ask for the record, unless that is under way."""
        if not self._busy:
            self._busy = True
            self.run_worker(self._read(), name="report", group="report", exit_on_error=False)

    def action_copy(self) -> None:
        """Copy the report."""
        if self._report is None:
            self.say(f"not copied: {self.reason_against('copy')}", "warn")
        else:
            self.app.copy_to_clipboard(self._markdown)
            self.say("copied the report as Markdown")

    def action_write(self) -> None:
        """Write both files, or show where they lie already."""
        if self._report is None:
            self.say(f"not written: {self.reason_against('write')}", "warn")
            return
        try:
            files = write_report(self._report)
        except OSError as error:
            reason = one_line(error.strerror or str(error), 200)
            self.say(f"{self.glyphs.bad} the report could not be written: {reason}", "bad")
            return
        self._written = files
        self.reader.read(self._lines)
        self.say(f"{self.glyphs.ok} written, as Markdown and JSON; only you can read them", "ok")

    async def _read(self) -> None:
        try:
            found = await self.context.deck.find_runs(self._run)
        except Problem as problem:
            self._state = (f"{one_line(problem.message, 300)}. {one_line(problem.hint, 200)}".rstrip(), "warn")
        else:
            if found:
                self._report = from_ledger(self.context.deck.bundle, self.context.deck.destination, found[0])
                self._markdown = markdown(self._report)
                record = found[0].record
                self.frame.title(f"Report · {one_line(f'{record.name} {record.bundle} {record.version}', 80)}")
            else:
                name = one_line(self.context.deck.bundle.name, 60)
                self._state = (f"no run that this role may read is recorded for bundle {name}", "text")
        finally:
            self._busy = False
        self.reader.read(self._lines, from_top=False)
        self.refresh_footer()
        if self._write and self._report is not None:
            self._write = False
            self.action_write()

    def _lines(self, cells: int) -> list[Line]:
        if self._report is None:
            return [line(*part) for part in wrap((self._state,), cells)]
        files = [self._written.markdown, self._written.json] if self._written else []
        where = [line(*part) for path in files for part in wrap(((one_line(str(path), 4096), "dim"),), cells)]
        return [*where, *([Line()] if where else []), *document_lines(self._markdown, cells)]
