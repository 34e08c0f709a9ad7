// From a slow function to the applied and saved edit, with code that is really run and measured.
import assert from "node:assert/strict";
import { test } from "node:test";

import { runCommand, screenshot, startVsCode, toEnd, waitForState } from "./harness.mjs";

const SLOW = `def unique(items: list[int]) -> list[int]:
    """The items without repetitions, in order of first appearance.

    >>> unique([3, 1, 3, 2, 1])
    [3, 1, 2]
    """
    result = []
    for item in items:
        if item not in result:
            result.append(item)
    return result
`;
const TESTS = `from slow import unique


def test_unique():
    assert unique(list(range(300)) + list(range(300))) == list(range(300))
    assert unique([]) == []
    assert unique([2, 2, 1]) == [2, 1]
`;
const VERIFIED_MS_MAX = 180_000;

test("a faster version is found, shown with its evidence, applied and saved", async () => {
  const vs = await startVsCode({ files: { "slow.py": SLOW, "test_slow.py": TESTS } });
  try {
    await vs.open("slow.py");
    await waitForState(vs, "is ready");
    await toEnd(vs.page);
    await vs.page.keyboard.press("ArrowUp");
    await runCommand(vs.page, "assist: Find a Faster Version of This Function");
    const toast = vs.page.locator(".notification-toast", { hasText: "faster" }).filter({
      has: vs.page.locator(".monaco-button", { hasText: "Apply" }),
    });
    await toast.first().waitFor({ timeout: VERIFIED_MS_MAX });
    await vs.page.mouse.move(5, 300);
    const evidence = vs.page.frameLocator("iframe.webview.ready").frameLocator("iframe");
    await evidence.locator("table").waitFor();
    await screenshot(vs.page, "suggestion");
    assert.equal(vs.read("slow.py"), SLOW, "nothing changes before the user says so");
    await toast.locator(".monaco-button", { hasText: "Apply" }).first().click();
    const end = Date.now() + 15_000;
    while (Date.now() < end && vs.read("slow.py") === SLOW) {
      await vs.page.waitForTimeout(200);
    }
    const applied = vs.read("slow.py");
    assert.notEqual(applied, SLOW);
    assert.ok(applied.includes("def unique("), applied);
    await screenshot(vs.page, "suggestion-applied");
  } finally {
    await vs.close();
  }
});
