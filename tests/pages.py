"""The pages in Markdown: their headings' anchors and their links."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    {ROOT / "README.md", *ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")}
)

_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
_LINK = re.compile(r"\[([^]\n]*)\]\(([^)\s]+)\)")


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them: the second of two gets `-1`."""
    met: Counter[str] = Counter()
    found = set()
    for heading in _HEADING.findall(_FENCE.sub("", page)):
        shown = _LINK.sub(r"\1", heading).lower()
        slug = re.sub(r"[^\w -]", "", shown).replace(" ", "-")
        found.add(f"{slug}-{met[slug]}" if met[slug] else slug)
        met[slug] += 1
    return found


def links(page: str) -> list[str]:
    """The targets of a page's links to files and headings of the repository."""
    prose = _CODE.sub("`", _FENCE.sub("", page))
    found = [target for _, target in _LINK.findall(prose)]
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def fault_of(target: str, folder: Path) -> str | None:
    """Why `target`, a path from `folder` with or without an anchor, leads nowhere."""
    path, _, anchor = target.partition("#")
    file = (folder / path).resolve()
    if not file.exists():
        return f"{target}: no such file"
    if anchor and anchor not in anchors(file.read_text(encoding="utf-8")):
        return f"{target}: no such heading"
    return None
