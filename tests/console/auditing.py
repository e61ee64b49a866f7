"""Whether people can use a page, in both schemes and both widths: axe, and that it fits.

The structure of a page does not depend on its colours, so it is audited once in each scheme and
once in each width. Contrast is measured in all four: once for each text of the same colours,
grounds and size, since to measure is what takes most of axe's time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from tests.console.browsing import NARROW, WIDE, Tab

_SHOWN: Final[tuple[tuple[Literal["light", "dark"], int, bool], ...]] = (
    ("light", WIDE, True),
    ("dark", WIDE, False),
    ("dark", NARROW, True),
    ("light", NARROW, False),
)
"""Each, and whether the structure is audited there."""
_AUDIT: Final = """async ([known, structure]) => {
  const looks = (element) => {
    const own = getComputedStyle(element), found = [element.tagName === "INPUT", innerWidth];
    found.push(own.color, own.fontSize, own.fontWeight, own.textShadow);
    for (let at = element; at; at = at.parentElement) {
      const { backgroundColor, backgroundImage, opacity, filter } = getComputedStyle(at);
      const ground = [backgroundColor, backgroundImage, opacity, filter].join();
      if (ground !== "rgba(0, 0, 0, 0),none,1,none") found.push(ground);
    }
    return found.join(";");
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const elements = new Set(document.querySelectorAll("input, select, textarea"));
  while (texts.nextNode()) {
    if (texts.currentNode.data.trim()) elements.add(texts.currentNode.parentElement);
  }
  const fresh = new Map(), before = new Set(known);
  for (const element of elements) {
    const { width, height } = element.getBoundingClientRect();
    if (width < 2 || height < 2 || !element.checkVisibility({ visibilityProperty: true })) continue;
    const look = looks(element);
    if (!before.has(look) && !fresh.has(look)) fresh.set(look, element);
  }
  const violations = [], measured = [];
  const run = async (context, options) => {
    const found = await axe.run(context, { elementRef: true, ...options });
    violations.push(...found.violations.filter((one) => /serious|critical/.test(one.impact)));
    return found;
  };
  if (structure) {
    const rules = { "color-contrast": { enabled: false } };
    await run(document, { resultTypes: ["violations"], rules });
  }
  if (fresh.size) {
    const include = [...fresh.values()];
    const found = await run({ include }, { runOnly: ["color-contrast"] });
    const nodes = [...found.passes, ...found.violations].flatMap((one) => one.nodes);
    const decided = new Set(nodes.map((node) => node.element));
    for (const [look, element] of fresh) if (decided.has(element)) measured.push(look);
  }
  const faults = violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  const { scrollWidth, clientWidth } = document.documentElement;
  return { faults, measured, beyond: scrollWidth - clientWidth };
}"""


@dataclass
class Auditor:
    """Audits the pages of a tab; what it finds are faults of the tab."""

    tab: Tab
    measured: set[str] = field(default_factory=set)
    """The looks of texts whose contrast was measured."""

    async def prepare(self) -> None:
        """Have axe on each page that is opened from now on."""
        from axe_playwright_python.async_playwright import Axe

        await self.tab.page.add_init_script(Axe().axe_script)

    async def audit(self, where: str) -> None:
        """Look at the page that is open, in all that it is shown in."""
        await self.tab.settle()
        for scheme, width, structure in _SHOWN:
            await self.tab.show(scheme, width)
            asked = [sorted(self.measured), structure]
            found = await self.tab.page.evaluate(_AUDIT, asked)
            self.measured.update(found["measured"])
            shown = f"{where} ({scheme}, {width})"
            self.tab.faults += [f"{shown}: {fault[:250]}" for fault in found["faults"]]
            if found["beyond"] > 0:
                self.tab.faults.append(f"{shown}: is {found['beyond']} px wider than the window")
