// The commands of the menu: pause, model, statistics, logs, restart; completion itself is not here.
import * as fs from "node:fs/promises";
import * as path from "node:path";
import * as vscode from "vscode";

import type { Log } from "./log";
import type { PauseStore } from "./pauses";
import { run } from "./program";
import type { Server } from "./server";
import { languageEnabled, setLanguageEnabled, setModel } from "./settings";
import type { Status } from "./status";

/** The part of the answer to `assist.status` that is shown here. */
interface ServerStatus {
  model?: { name: string; state?: string };
  models?: { name: string; state: string; title?: string; megabytes: number; licence: string }[];
}

interface Parts {
  context: vscode.ExtensionContext;
  log: Log;
  server: Server;
  status: Status;
  pauses: PauseStore;
  showPause: () => void;
}

export function registerCommands(parts: Parts): vscode.Disposable[] {
  const commands: Record<string, () => unknown> = {
    "assist.menu": () => showMenu(parts),
    "assist.trigger": () => vscode.commands.executeCommand("editor.action.inlineSuggest.trigger"),
    "assist.pauseFile": () => {
      const document = vscode.window.activeTextEditor?.document;
      if (document !== undefined) {
        parts.pauses.toggleFile(document);
        parts.showPause();
      }
    },
    "assist.pauseLanguage": async () => {
      const language = vscode.window.activeTextEditor?.document.languageId;
      if (language !== undefined) {
        await setLanguageEnabled(language, !languageEnabled(language));
        parts.showPause();
      }
    },
    "assist.pickModel": () => pickModel(parts),
    "assist.showStatistics": () => showStatistics(parts),
    "assist.showLog": () => {
      parts.log.channel.show();
    },
    "assist.restartServer": () => parts.server.restart(),
  };
  return Object.entries(commands).map(([name, run]) => vscode.commands.registerCommand(name, run));
}

async function showMenu(parts: Parts): Promise<void> {
  const document = vscode.window.activeTextEditor?.document;
  const language = document?.languageId ?? "this language";
  const paused = document !== undefined && parts.pauses.isPaused(document);
  const items: (vscode.QuickPickItem & { command?: string })[] = [
    {
      label: paused ? "$(play) Resume for this file" : "$(debug-pause) Pause for this file",
      command: "assist.pauseFile",
    },
    {
      label: languageEnabled(language)
        ? `$(debug-pause) Turn off for ${language}`
        : `$(play) Turn on for ${language}`,
      command: "assist.pauseLanguage",
    },
    { label: "$(symbol-misc) Choose the model…", command: "assist.pickModel" },
    {
      label: "$(rocket) Find a faster version of this function",
      command: "assist.suggestFunction",
    },
    { label: "$(graph) Statistics", command: "assist.showStatistics" },
    { label: "$(output) Log", command: "assist.showLog" },
    { label: "$(debug-restart) Restart the server", command: "assist.restartServer" },
  ];
  const picked = await vscode.window.showQuickPick(items, {
    title: `assist: ${parts.status.shown()}`,
  });
  if (picked?.command !== undefined) {
    await vscode.commands.executeCommand(picked.command);
  }
}

async function pickModel(parts: Parts): Promise<void> {
  const status = await request<ServerStatus>(parts.server, "assist.status");
  if (status === undefined) {
    return;
  }
  const items = (status.models ?? []).map((model) => ({
    label: `${model.name === status.model?.name ? "$(check) " : ""}${model.name}`,
    description: model.state === "" ? `fetches ${String(model.megabytes)} MB` : "on this machine",
    detail: [model.title, model.licence].filter(Boolean).join(" · "),
    model,
  }));
  const picked = await vscode.window.showQuickPick(items, { title: "Model", matchOnDetail: true });
  if (picked === undefined) {
    return;
  }
  if (picked.model.state === "" && !(await fetchModel(parts, picked.model.name))) {
    return;
  }
  await setModel(picked.model.name);
}

/** The only thing in this extension that reaches the network, and only after the user picked a model. */
async function fetchModel({ log, server }: Parts, name: string): Promise<boolean> {
  return withProgram(server, log, `assist fetches ${name}`, ["models", "fetch", name]);
}

async function showStatistics({ context, log, server }: Parts): Promise<void> {
  await fs.mkdir(context.globalStorageUri.fsPath, { recursive: true });
  const file = path.join(context.globalStorageUri.fsPath, "statistics.html");
  if (
    await withProgram(server, log, "assist collects its statistics", ["status", "--html", file])
  ) {
    const panel = vscode.window.createWebviewPanel(
      "assist.statistics",
      "assist statistics",
      vscode.ViewColumn.Active,
      { enableScripts: false },
    );
    panel.webview.html = await fs.readFile(file, "utf8");
  }
}

/** Run a command of `assist` under a progress notification; false, with the reason shown, when it failed. */
async function withProgram(
  server: Server,
  log: Log,
  title: string,
  args: string[],
): Promise<boolean> {
  const program = server.program;
  if (program === undefined) {
    void vscode.window.showWarningMessage("assist is not running. Restart it from its menu.");
    return false;
  }
  return vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title, cancellable: true },
    async (_progress, token) => {
      try {
        await run(program, args, log, token);
        return true;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        void vscode.window.showErrorMessage(`assist: ${reason}`);
        return false;
      }
    },
  );
}

/** Ask the server; undefined, with the reason shown, when it does not run or refuses. */
export async function request<Answer>(
  server: Server,
  command: string,
  args: unknown[] = [],
  token?: vscode.CancellationToken,
): Promise<Answer | undefined> {
  const client = server.client;
  if (client === undefined || !client.isRunning()) {
    void vscode.window.showWarningMessage("assist is not running. Restart it from its menu.");
    return undefined;
  }
  try {
    const params = { command, arguments: args };
    // An undefined token would count as a second parameter of the request.
    return token === undefined
      ? await client.sendRequest<Answer>("workspace/executeCommand", params)
      : await client.sendRequest<Answer>("workspace/executeCommand", params, token);
  } catch (error) {
    if (token?.isCancellationRequested !== true) {
      const reason = error instanceof Error ? error.message : String(error);
      void vscode.window.showErrorMessage(`assist: ${reason}`);
    }
    return undefined;
  }
}
