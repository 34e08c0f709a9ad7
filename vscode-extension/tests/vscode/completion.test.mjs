// What a user sees of completions, in a real VS Code with the real server and the embedded model.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import {
  GHOST,
  STATUS,
  runCommand,
  screenshot,
  startVsCode,
  toEnd,
  waitForState,
} from "./harness.mjs";

const SAMPLE = `import os


def read_lines(path):
    with open(path) as file:
        return file.readlines()


def list_files(folder):
    return os.listdir(folder)


`;
const GHOST_MS_MAX = 60_000;
const ATTEMPTS_MAX = 4;

let vs;

before(async () => {
  vs = await startVsCode({
    files: { "sample.py": SAMPLE, "other.py": "x = 1\n" },
  });
  await vs.open("sample.py");
  await waitForState(vs, "is ready", GHOST_MS_MAX);
});

after(async () => {
  await vs?.close();
});

/**
 * Empty the last line, type on it and wait for ghost text; returns what is shown behind the cursor.
 * An empty answer is a valid answer, so it types again, as a user would.
 */
async function typeForGhost(text) {
  const ghost = vs.page.locator(GHOST).first();
  for (let attempt = 1; ; attempt += 1) {
    await clearLastLine();
    await vs.page.keyboard.type(text, { delay: 30 });
    try {
      await ghost.waitFor({ timeout: GHOST_MS_MAX / ATTEMPTS_MAX });
      return await ghostText();
    } catch (error) {
      if (attempt === ATTEMPTS_MAX) {
        await screenshot(vs.page, "problem");
        throw new Error(`no ghost text after "${text}"\n${vs.log()}`, { cause: error });
      }
    }
  }
}

async function clearLastLine() {
  await vs.page.keyboard.press("Escape");
  await toEnd(vs.page);
  await vs.page.keyboard.press("Shift+Home");
  await vs.page.keyboard.press("Delete");
}

async function ghostText() {
  const texts = await vs.page.locator(GHOST).allTextContents();
  return texts.join("").replaceAll("\u00a0", " ");
}

/** Text of the last line that is really in the document. */
async function lastLine() {
  await vs.page.keyboard.press("Control+s");
  await vs.page.waitForTimeout(400);
  return vs.read("sample.py").split("\n").at(-1);
}

test("ghost text appears while typing and Tab accepts it", async () => {
  const ghost = await typeForGhost("def read_text(pa");
  assert.notEqual(ghost.trim(), "");
  await screenshot(vs.page, "ghost-text");
  await vs.page.keyboard.press("Tab");
  await vs.page.locator(GHOST).first().waitFor({ state: "hidden" });
  await lastLine();
  assert.ok(vs.read("sample.py").includes(`def read_text(pa${ghost.trimEnd()}`));
});

test("typing through the ghost text keeps it", async () => {
  await vs.page.keyboard.press("Enter");
  const ghost = await typeForGhost("def write_text(pa");
  const first = ghost[0];
  await vs.page.keyboard.type(first);
  await vs.page.waitForTimeout(150);
  const rest = await ghostText();
  assert.ok(rest.startsWith(ghost.slice(1).slice(0, rest.length)), `${ghost} then ${rest}`);
});

test("Escape dismisses the ghost text", async () => {
  await typeForGhost("def copy_file(sou");
  await vs.page.keyboard.press("Escape");
  await vs.page.locator(GHOST).first().waitFor({ state: "hidden" });
  assert.equal(await lastLine(), "def copy_file(sou");
});

test("one word is accepted", async () => {
  const ghost = await typeForGhost("def move_file(sou");
  await vs.page.keyboard.press("Control+ArrowRight");
  await vs.page.waitForTimeout(200);
  const line = await lastLine();
  const accepted = line.slice("def move_file(sou".length);
  assert.ok(accepted.length > 0 && accepted.length < ghost.length, `${accepted} of ${ghost}`);
  assert.ok(ghost.startsWith(accepted), `${accepted} of ${ghost}`);
});

test("the status bar shows a pause and its end", async () => {
  await runCommand(vs.page, "assist: Pause or Resume for This File");
  await waitForState(vs, "paused");
  await clearLastLine();
  await vs.page.keyboard.type("def remove_file(pa", { delay: 30 });
  await vs.page.waitForTimeout(2500);
  assert.equal(await vs.page.locator(GHOST).count(), 0);
  await runCommand(vs.page, "assist: Pause or Resume for This File");
  await waitForState(vs, "is ready");
});

test("the menu opens from the status bar", async () => {
  await vs.page.locator(`${STATUS} a`).click();
  await vs.page
    .locator(".quick-input-list .monaco-list-row", { hasText: "Choose the model" })
    .waitFor();
  await screenshot(vs.page, "menu");
  await vs.page.keyboard.press("Escape");
});

test("the model picker lists the catalog", async () => {
  await runCommand(vs.page, "assist: Choose the Model");
  await vs.page
    .locator(".quick-input-list .monaco-list-row", { hasText: "qwen2.5-coder-1.5b" })
    .waitFor();
  await screenshot(vs.page, "models");
  await vs.page.keyboard.press("Escape");
});

test("a changed setting works without a restart", async () => {
  const file = path.join(vs.workspace, ".vscode/settings.json");
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, JSON.stringify({ "assist.completion.enabled": false }));
  await waitForState(vs, "paused");
  await clearLastLine();
  await vs.page.keyboard.type("def rename_file(pa", { delay: 30 });
  await vs.page.waitForTimeout(2500);
  assert.equal(await vs.page.locator(GHOST).count(), 0);
  fs.writeFileSync(file, "{}");
  await waitForState(vs, "is ready");
  assert.notEqual((await typeForGhost("def file_size(pa")).trim(), "");
});

test("a killed server comes back and goes on", async () => {
  const [before_] = vs.serverPids();
  assert.ok(before_ !== undefined, "the server runs");
  process.kill(before_, "SIGKILL");
  const end = Date.now() + 30_000;
  let now;
  while (Date.now() < end && (now === undefined || now === before_)) {
    await vs.page.waitForTimeout(300);
    [now] = vs.serverPids();
  }
  assert.ok(now !== undefined && now !== before_, "another server runs");
  await waitForState(vs, "is ready");
  assert.notEqual((await typeForGhost("def is_empty(pa")).trim(), "");
});
