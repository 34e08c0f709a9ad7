// In a workspace that the user has not trusted: completions work, nothing of the workspace runs.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";

import { GHOST, runCommand, screenshot, startVsCode, toEnd, waitForState } from "./harness.mjs";

const SAMPLE = "import os\n\n\ndef list_files(folder):\n    return os.listdir(folder)\n\n\n";
const GHOST_MS_MAX = 60_000;

test("an untrusted workspace completes and refuses to run code", async () => {
  const vs = await startVsCode({
    files: {
      "sample.py": SAMPLE,
      ".vscode/settings.json": JSON.stringify({ "assist.server.path": "./evil" }),
      ".venv/bin/assist": "#!/bin/sh\ntouch \"$(dirname \"$0\")/../../executed\"\n",
      ".venv/bin/python": "#!/bin/sh\ntouch \"$(dirname \"$0\")/../../executed\"\n",
      evil: "#!/bin/sh\ntouch \"$(dirname \"$0\")/executed\"\n",
    },
    settings: { "security.workspace.trust.startupPrompt": "never" },
    trusted: false,
  });
  try {
    for (const program of ["evil", ".venv/bin/assist", ".venv/bin/python"]) {
      fs.chmodSync(path.join(vs.workspace, program), 0o755);
    }
    await vs.open("sample.py");
    await waitForState(vs, "is ready", GHOST_MS_MAX);
    await toEnd(vs.page);
    await vs.page.keyboard.type("def read_text(pa", { delay: 30 });
    await vs.page.locator(GHOST).first().waitFor({ timeout: GHOST_MS_MAX });
    await vs.page.keyboard.press("Escape");
    await runCommand(vs.page, "assist: Find Faster Versions in This File");
    const toast = vs.page.locator(".notifications-toasts", { hasText: "not trusted" }).first();
    await toast.waitFor().finally(() => screenshot(vs.page, "untrusted"));
    assert.equal(fs.existsSync(path.join(vs.workspace, "executed")), false);
  } finally {
    await vs.close();
  }
});
