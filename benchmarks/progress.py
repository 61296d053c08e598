"""What one sees while it runs: how far it is, what is tried now, and each figure as it comes."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress as Bar,
    TextColumn,
    TimeElapsedColumn,
)

from .engines import OURS


class Progress:
    """A bar over all workloads at the bottom, and a line for each that is done."""

    def __init__(self, steps: int) -> None:
        self.console = Console()
        self._bar = Bar(
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=self.console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=steps)

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self._bar.stop()

    def part(self, title: str) -> None:
        """A new part of the run begins."""
        self.console.print(f"\n[bold]{title}[/bold]")

    def step(self, text: str) -> None:
        """What is being tried."""
        self._bar.update(self._task, description=text)

    def note(self, text: str) -> None:
        """Something that the reader should know."""
        self.console.print(f"  [yellow]{text}[/yellow]", highlight=False)

    def compiled(self, workload: str, faults: dict[str, str]) -> None:
        """One workload for the competitors that compile slowly."""
        self._bar.update(self._task, advance=1, description=workload)
        for engine, fault in faults.items():
            self.note(f"{workload}, {engine}: {fault[:200]}")

    def ratios(self, result: dict[str, Any]) -> None:
        """One workload of all competitors."""
        engines = result["engines"]
        ours = engines.get(OURS, {}).get("wall")
        line = f"  {result['workload']:22}"
        if ours is None:
            line += f" {OURS} failed: {engines.get(OURS, {}).get('failed')}"
        else:
            line += f" {result['pairs'] / ours / 1e9:7.3f} Gpairs/s {engines[OURS]['error']:.0e} |"
            line += ",".join(
                f" {name} {each['wall'] / ours:.1f}x" if "wall" in each else f" {name} failed"
                for name, each in engines.items()
                if name != OURS
            )
        self._done(line)
        for name, each in engines.items():
            if "failed" in each:
                self.note(f"{name}: {each['failed']}")

    def seconds(self, event: dict[str, Any]) -> None:
        """One workload by threads, or one size by doors."""
        title = event.get("workload", f"M=N={event.get('rows')}")
        taken = ", ".join(
            f"{name}: {value * 1e6:.1f} us" for name, value in event["seconds"].items()
        )
        self._done(f"  {title:22} {taken}")

    def first(self, found: dict[str, Any]) -> None:
        """One first call, from nothing and from a disk cache."""
        name = found["workload"] if found["engine"] == OURS else found["engine"]
        cold, cached = (found[kind]["cpu"] * 1e3 for kind in ("cold", "cached"))
        self._done(f"  {name:22} {cold:7.1f} ms of CPU, from the disk cache {cached:.1f} ms")

    def _done(self, line: str) -> None:
        self.console.print(line, highlight=False, soft_wrap=True)
        self._bar.advance(self._task)
