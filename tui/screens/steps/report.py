"""Step 8, the report: where it lies, what is left to do, and the way back."""

from __future__ import annotations

from tui.core.aftermath import aftermath
from tui.core.report import OTHER_WAYS, rollback_command
from tui.core.run import Outcome
from tui.core.text import Glyphs, one_line
from tui.report_files import ReportFiles, write_report
from tui.screens.steps.step import Promise, Standing, Step, field, hanging, heading, paragraph
from tui.screens.steps.walk import Walk
from tui.widgets.lines import Line


class ReportStep(Step):
    """Written once, when it is first reached."""

    NAME = "Report"

    def __init__(self, walk: Walk, glyphs: Glyphs) -> None:
        super().__init__(walk, glyphs)
        self.files: ReportFiles | None = None
        self._failed = ""

    def promise(self) -> Promise:
        """Files on this machine."""
        return Promise(
            "writes two files that only you can read",
            "hold a password, send anything anywhere",
            "enter or esc: back to the dashboard",
        )

    def write_files(self) -> None:
        """Write the report of the run, unless it is written."""
        report = self.walk.report()
        if report is None or self.files is not None:
            return
        try:
            self.files, self._failed = write_report(report), ""
        except OSError as error:
            self._failed = error.strerror or str(error)

    def standing(self) -> Standing:
        """Written or not."""
        if self._failed:
            return self.bad("not written")
        return self.well("written") if self.files else self.ahead()

    def offers(self, action: str) -> bool:
        """A path can be copied once there is one."""
        return action == "copy" and self.files is not None

    def write(self, cells: int) -> list[Line]:
        """Paths, what is left to do, the way back."""
        lines: list[Line] = []
        if self.files is not None:
            lines += field("in", one_line(str(self.files.markdown.parent), 1000), cells)
            lines += field("Markdown", one_line(self.files.markdown.name, 200), cells, "strong")
            lines += field("JSON", one_line(self.files.json.name, 200), cells, "strong")
            lines += paragraph("y copies the path of the Markdown file.", cells, "dim")
        if self._failed:
            lines += hanging(
                (f"{self.glyphs.bad} ", "bad"),
                f"The report could not be written: {one_line(self._failed, 200)}.",
                cells,
            )
            lines += paragraph("What the run did is not touched by that; r writes it again.", cells, "dim", indent=2)
        report = self.walk.report()
        if report is None:
            return lines
        lines += [Line(), heading("What is left to do")]
        dot = (f"{self.glyphs.dot} ", "dim")
        todo = [report.end.next_step] if report.end.next_step else []
        committed = report.end.outcome is Outcome.COMMITTED
        if committed and self.walk.action == "apply":
            todo += report.plan.bundle.manifest.notes
        for item in todo:
            lines += hanging((dot[0], "dim"), one_line(item, 1000), cells)
        if committed and self.walk.action == "apply":
            look = report.after or report.before
            lines += [Line(), heading("The way back")]
            lines += paragraph(one_line(rollback_command(report), 300), cells, "live")
            for sentence in aftermath(report.plan.bundle, look.catalog if look else None).sentences():
                lines += hanging((dot[0], "dim"), one_line(sentence, 1000), cells)
            lines += hanging((dot[0], "dim"), OTHER_WAYS, cells)
        return lines
