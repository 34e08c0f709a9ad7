// Finds `assist`, starts it as a language server and watches it; it knows nothing about suggestions.
import * as fs from "node:fs";
import * as path from "node:path";
import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  RevealOutputChannelOn,
  State as ClientState,
  type LanguageClientOptions,
  type ServerOptions,
} from "vscode-languageclient/node";

import type { Acceptance } from "./acceptance";
import { installPrivately, privateServer } from "./install";
import type { Log } from "./log";
import { serverPath } from "./settings";
import type { State, Status } from "./status";

/** Restarts within this time are counted; more than the limit leaves the server down. */
const RESTART_WINDOW_MS = 180_000;
const RESTARTS_MAX = 5;
const SECTION = "assist";
/** Settings of the extension itself. */
const OWN = new Set(["codeLens", "server", "trace"]);

export interface StatusNotification {
  state: State;
  message?: string;
}

export interface Server {
  readonly client: LanguageClient | undefined;
  /** The `assist` that was started, for its other commands. */
  readonly program: string | undefined;
  start(): Promise<void>;
  restart(): Promise<void>;
  dispose(): void;
}

export interface Pauses {
  isPaused(document: vscode.TextDocument): boolean;
}

export function createServer(
  context: vscode.ExtensionContext,
  log: Log,
  status: Status,
  pauses: Pauses,
  acceptance: Acceptance,
): Server {
  let client: LanguageClient | undefined;
  let program: string | undefined;
  let restarts: number[] = [];
  // While the extension asks for what was typed: nobody pressed a key for more than usual.
  const asking = { byItself: false };

  async function start(): Promise<void> {
    const command = (await findServer(context)) ?? (await offerInstall(context, log));
    if (command === undefined) {
      status.report("stopped", "the program `assist` was not found");
      return;
    }
    program = command;
    log.channel.info(`starting ${command} serve`);
    status.report("starting");
    client = new LanguageClient(
      "assist",
      "assist",
      serverOptions(command),
      clientOptions(context, log, pauses, acceptance, asking, () => {
        const now = Date.now();
        restarts = restarts.filter((time) => now - time < RESTART_WINDOW_MS);
        restarts.push(now);
        return restarts.length <= RESTARTS_MAX;
      }),
    );
    client.onNotification("assist/status", (report: StatusNotification) => {
      status.report(report.state, report.message);
      if (report.state === "problem" && report.message !== undefined && report.message !== "") {
        offerRemedy(report.message, log);
      }
    });
    client.onDidChangeState((event) => {
      if (event.newState === ClientState.Starting) {
        status.report("starting");
      } else if (event.newState === ClientState.Stopped) {
        status.report("stopped");
      }
    });
    const typing = watchTyping();
    try {
      await client.start();
      compareVersions(context, client, log);
      if (typing.wasSeen()) {
        asking.byItself = true;
        await vscode.commands.executeCommand("editor.action.inlineSuggest.trigger");
      }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.channel.error(reason);
      status.report("problem", reason);
    } finally {
      asking.byItself = false;
      typing.dispose();
    }
  }

  async function stop(): Promise<void> {
    const running = client;
    client = undefined;
    if (running !== undefined) {
      await running.dispose().catch((error: unknown) => {
        log.channel.warn(String(error));
      });
    }
  }

  return {
    get client() {
      return client;
    },
    get program() {
      return program;
    },
    start,
    restart: async () => {
      await stop();
      restarts = [];
      await start();
    },
    dispose: () => {
      void stop();
    },
  };
}

/**
 * Whether the user types while the server starts, or did so before. VS Code asks once, at the key,
 * so without asking again the ghost text would wait for the next one.
 */
function watchTyping(): { wasSeen: () => boolean; dispose: () => void } {
  let seen = false;
  const watch = vscode.workspace.onDidChangeTextDocument((event) => {
    seen ||= event.document === vscode.window.activeTextEditor?.document;
  });
  return {
    wasSeen: () => seen || vscode.window.activeTextEditor?.document.isDirty === true,
    dispose: () => {
      watch.dispose();
    },
  };
}

function serverOptions(command: string): ServerOptions {
  return { command, args: ["serve"], options: { env: process.env } };
}

function clientOptions(
  context: vscode.ExtensionContext,
  log: Log,
  pauses: Pauses,
  acceptance: Acceptance,
  asking: { readonly byItself: boolean },
  mayRestart: () => boolean,
): LanguageClientOptions {
  return {
    documentSelector: [
      { scheme: "file", language: "*" },
      { scheme: "untitled", language: "*" },
      { scheme: "vscode-remote", language: "*" },
    ],
    initializationOptions: {
      trusted: vscode.workspace.isTrusted,
      extensionVersion: extensionVersion(context),
    },
    outputChannel: log.channel,
    traceOutputChannel: log.trace,
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    progressOnInitialization: false,
    errorHandler: {
      error: () => ({ action: ErrorAction.Continue, handled: true }),
      closed: () =>
        mayRestart()
          ? { action: CloseAction.Restart, handled: true }
          : {
              action: CloseAction.DoNotRestart,
              message: "assist stopped too often and stays off. See its output for the reason.",
            },
    },
    middleware: {
      workspace: {
        configuration: async (params, token, next) => {
          const answer = await next(params, token);
          return Array.isArray(answer)
            ? answer.map((value: unknown, index) =>
                params.items[index]?.section === SECTION ? forServer(value) : value,
              )
            : answer;
        },
      },
      provideInlineCompletionItems: async (document, position, inlineContext, token, next) => {
        if (pauses.isPaused(document)) {
          return [];
        }
        const triggerKind = asking.byItself
          ? vscode.InlineCompletionTriggerKind.Automatic
          : inlineContext.triggerKind;
        const asked = { ...inlineContext, triggerKind };
        const answer = await next(document, position, asked, token);
        if (!token.isCancellationRequested) {
          acceptance.offered(
            document,
            position,
            Array.isArray(answer) ? answer : (answer?.items ?? []),
          );
        }
        return answer;
      },
    },
  };
}

/** The extension's own settings stay here; trust is no setting of VS Code, and the server asks for it like one. */
function forServer(value: unknown): unknown {
  if (typeof value !== "object" || value === null) {
    return value;
  }
  const settings = Object.fromEntries(Object.entries(value).filter(([name]) => !OWN.has(name)));
  return { ...settings, workspace: { trusted: vscode.workspace.isTrusted } };
}

/** The user's setting, the workspace's environment (trusted only), the private one, the search path. */
async function findServer(context: vscode.ExtensionContext): Promise<string | undefined> {
  const set = serverPath();
  if (set !== "") {
    if (isProgram(set)) {
      return set;
    }
    void vscode.window.showErrorMessage(
      `assist.server.path names ${set}, which is not a program. Correct the setting or clear it.`,
    );
    return undefined;
  }
  const places: string[] = [];
  if (vscode.workspace.isTrusted) {
    for (const folder of vscode.workspace.workspaceFolders ?? []) {
      places.push(
        ...[".venv", "venv"].map((name) => inEnvironment(path.join(folder.uri.fsPath, name))),
      );
    }
    const python = await selectedPython();
    if (python !== undefined) {
      places.push(path.join(path.dirname(python), executableName()));
    }
  }
  places.push(privateServer(context));
  for (const folder of (process.env["PATH"] ?? "").split(path.delimiter)) {
    places.push(path.join(folder, executableName()));
  }
  return places.find(isProgram);
}

/** Interpreter chosen in the Python extension, where that is installed and active. */
async function selectedPython(): Promise<string | undefined> {
  const extension = vscode.extensions.getExtension<{
    environments?: { getActiveEnvironmentPath(): { path: string } };
  }>("ms-python.python");
  if (extension === undefined) {
    return undefined;
  }
  const api = extension.isActive ? extension.exports : await extension.activate();
  return api.environments?.getActiveEnvironmentPath().path;
}

async function offerInstall(
  context: vscode.ExtensionContext,
  log: Log,
): Promise<string | undefined> {
  const install = "Install";
  const settings = "Set a path";
  const answer = await vscode.window.showInformationMessage(
    "assist needs its language server. Install it into a private environment of this extension? " +
      "This downloads Python packages from your package index and compiles llama.cpp (a few minutes).",
    install,
    settings,
  );
  if (answer === settings) {
    await vscode.commands.executeCommand("workbench.action.openSettings", "assist.server.path");
    return undefined;
  }
  return answer === install ? installPrivately(context, log) : undefined;
}

/** Say what the server cannot do without, with a button for the remedy; each problem once. */
const offered = new Set<string>();
function offerRemedy(message: string, log: Log): void {
  if (offered.has(message)) {
    return;
  }
  offered.add(message);
  const fetch = "Choose a model";
  const show = "Show log";
  void vscode.window.showWarningMessage(`assist: ${message}`, fetch, show).then((answer) => {
    if (answer === fetch) {
      void vscode.commands.executeCommand("assist.pickModel");
    } else if (answer === show) {
      log.channel.show();
    }
  });
}

function compareVersions(context: vscode.ExtensionContext, client: LanguageClient, log: Log): void {
  const server = client.initializeResult?.serverInfo?.version;
  const own = extensionVersion(context);
  if (server === undefined || majorMinor(server) === majorMinor(own)) {
    return;
  }
  const message =
    `The assist extension is version ${own}, its server version ${server}. ` +
    "Update the older one: `pip install --upgrade assist-lsp`, or the extension.";
  log.channel.warn(message);
  void vscode.window.showWarningMessage(message);
}

function extensionVersion(context: vscode.ExtensionContext): string {
  return (context.extension.packageJSON as { version: string }).version;
}

function majorMinor(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}

function inEnvironment(folder: string): string {
  return path.join(folder, process.platform === "win32" ? "Scripts" : "bin", executableName());
}

function executableName(): string {
  return process.platform === "win32" ? "assist.exe" : "assist";
}

function isProgram(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}
