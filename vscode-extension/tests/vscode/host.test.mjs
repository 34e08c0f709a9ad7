// Starts the tests that run inside the extension host and reports their result.
import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { EXTENSION, startVsCode } from "./harness.mjs";

const HOST_TESTS_MS_MAX = 180_000;

test("inside the extension host", async (context) => {
  const vs = await startVsCode({ files: { "a.py": "x = 1\n" }, installed: false });
  try {
    const lines = [];
    const ended = new Promise((resolve) => {
      void vs.page.exposeFunction("codeAutomationExit", (code) => resolve(code));
      void vs.page.exposeFunction("codeAutomationLog", (_type, args) => {
        lines.push(args.map(String).join(" "));
      });
    });
    const remote = `vscode-remote://127.0.0.1:${vs.port}`;
    const payload = JSON.stringify([
      ["extensionDevelopmentPath", `${remote}${EXTENSION}`],
      ["extensionTestsPath", `${remote}${path.join(EXTENSION, "tests/host/index.cjs")}`],
    ]);
    await vs.page.goto(
      `http://127.0.0.1:${vs.port}/?folder=${vs.workspace}&payload=${encodeURIComponent(payload)}`,
    );
    // A timer that counts would keep the process alive when the tests are long over.
    const timeout = setTimeout(HOST_TESTS_MS_MAX, "timeout", { ref: false });
    const code = await Promise.race([ended, timeout]);
    for (const line of lines.filter((text) => /^(not )?ok /.test(text))) {
      context.diagnostic(line);
    }
    assert.equal(code, 0, lines.join("\n"));
    assert.ok(lines.some((line) => line.includes("ok the extension activates")));
  } finally {
    await vs.close();
  }
});
