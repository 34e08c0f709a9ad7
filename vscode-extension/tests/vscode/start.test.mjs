// From the server's start to the first ghost text on a file of 1,000 tokens, cold and with the file's state on disk: the time is reported, not asserted.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { test } from "node:test";

import { ARTEFACTS, ASSIST, GHOST, runCommand, startVsCode, toEnd } from "./harness.mjs";

const CODE_POINTS = 3_200; // about 1,000 tokens
const GHOST_MS_MAX = 60_000;
const ASK_EVERY_MS = 5_000;
const RESTART = "Restart the Server";
/** A busy machine shall answer late and not never. */
const PATIENT = { "assist.completion.milliseconds": GHOST_MS_MAX };
/** Idle work writes the state after the first answer; the second start is to find it. */
const IDLE_MS = 6_000;

/** Real code, which ends inside a function: the standard library's own. */
function sample() {
  const python = path.join(path.dirname(ASSIST), "python");
  const script = "import bisect; print(bisect.__file__)";
  const file = execFileSync(python, ["-c", script], { encoding: "utf8" }).trim();
  const text = fs.readFileSync(file, "utf8").slice(0, CODE_POINTS);
  return `${text.slice(0, text.lastIndexOf("\n"))}\n\n\ndef read_lines(path):\n    with open(pa`;
}

/** Path of the embedded model: the home of this test is empty. */
function modelFile() {
  const rows = JSON.parse(execFileSync(ASSIST, ["models", "list", "--json"], { encoding: "utf8" }));
  const models = Array.isArray(rows) ? rows : rows.models;
  return models.find((row) => row.name === "smollm2-135m-fim").file;
}

/** When the extension's log says that the server was last started, in ms since the epoch. */
function startedAt(log) {
  const starts = [...log.matchAll(/^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) \[info\] starting /gm)];
  return new Date(starts.at(-1)[1]).getTime();
}

/** Wait for ghost text; one that did not come by itself is asked for, as a user would. */
async function ghostAt(page) {
  const ghost = page.locator(GHOST).first();
  const end = Date.now() + GHOST_MS_MAX;
  while ((await ghost.count()) === 0 && Date.now() < end) {
    await ghost.waitFor({ timeout: ASK_EVERY_MS }).catch(() => page.keyboard.press("Alt+\\"));
  }
  assert.ok((await ghost.count()) > 0, `no ghost text in ${GHOST_MS_MAX} ms`);
  return Date.now();
}

/** VS Code opens the file, and the server starts while the window is still being built. */
async function withVsCode(vs) {
  await vs.open("start.py");
  await toEnd(vs.page);
  await vs.page.keyboard.type("t");
  return (await ghostAt(vs.page)) - startedAt(vs.log());
}

/** The server starts anew in a window that is at rest. */
async function serverAlone(vs) {
  await vs.page.keyboard.press("Escape");
  await vs.page.keyboard.press("Backspace");
  const before = startedAt(vs.log());
  await runCommand(vs.page, RESTART);
  const end = Date.now() + GHOST_MS_MAX;
  while (startedAt(vs.log()) === before && Date.now() < end) await vs.page.waitForTimeout(20);
  await vs.page.keyboard.type("t");
  return (await ghostAt(vs.page)) - startedAt(vs.log());
}

test("the first ghost text after the server's start is reported", async () => {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), "assist-start-"));
  const settings = { ...PATIENT, "assist.model.name": modelFile() };
  const rows = ["start,state,milliseconds,cores,load"];
  const report = (start, state, ms) => {
    const load = os.loadavg()[0].toFixed(1);
    const { length } = os.cpus();
    console.log(`first ghost text, ${start}, ${state}: ${ms} ms (load ${load}, ${length} cores)`);
    rows.push(`${start},${state},${ms},${length},${load}`);
  };
  try {
    const files = { "start.py": sample() };
    const options = { files, settings, machine: settings, env: { ASSIST_HOME: home } };
    const vs = await startVsCode(options);
    try {
      report("with VS Code", "cold", await withVsCode(vs));
      await vs.page.waitForTimeout(IDLE_MS);
      report("server alone", "on disk", await serverAlone(vs));
      fs.rmSync(home, { recursive: true, force: true });
      report("server alone", "cold", await serverAlone(vs));
      await vs.page.waitForTimeout(IDLE_MS);
    } finally {
      await vs.close();
    }
    const again = await startVsCode(options);
    try {
      report("with VS Code", "on disk", await withVsCode(again));
    } finally {
      await again.close();
    }
  } finally {
    fs.rmSync(home, { recursive: true, force: true });
  }
  fs.mkdirSync(ARTEFACTS, { recursive: true });
  fs.writeFileSync(path.join(ARTEFACTS, "vscode_start.csv"), `${rows.join("\n")}\n`);
});
