"""Writes the table of README from a result of compare.py.

python benchmarks/table.py benchmarks/results/cpu.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
START, END = "<!-- ratios -->", "<!-- end of ratios -->"
PEERS = ("pykeops", "jnp", "torch", "torch.compile")


def table(report: dict) -> str:
    """Markdown: speed and error of jaxkeops, then how many times longer each peer takes."""
    head = ["", "Gpairs/s", "error", *PEERS]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for result in report["results"]:
        seconds, errors = result["seconds"], result["errors"]
        ours = seconds["jaxkeops"]
        cells = [
            f"{result['workload']}, {result['dtype']}, {result['threads']} thread"
            + ("s" if result["threads"] > 1 else ""),
            f"{result['pairs'] / ours / 1e9:.1f}",
            f"{errors['jaxkeops']:.0e}",
            *(f"{seconds[peer] / ours:.1f}x ({errors[peer]:.0e})" for peer in PEERS),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    machine = report["machine"]
    caption = (
        f"M = N = {report['rows']}, {machine['cpu']}, {machine['cpus']} cores shared with others. "
        "In brackets, the greatest error against float64 over the greatest value."
    )
    return "\n".join([*lines, "", caption])


def main() -> None:
    report = json.loads(Path(sys.argv[1]).read_text())
    text = README.read_text()
    before, rest = text.split(START)
    after = rest.split(END)[1] if END in rest else rest
    README.write_text(f"{before}{START}\n\n{table(report)}\n\n{END}{after}")


if __name__ == "__main__":
    main()
