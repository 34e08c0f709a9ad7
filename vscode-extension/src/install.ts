// The private environment for users without one: created only when they ask; it starts nothing.
import * as path from "node:path";
import * as vscode from "vscode";

import type { Log } from "./log";
import { run } from "./program";

const DISTRIBUTION = "assist-lsp";

export function privateServer(context: vscode.ExtensionContext): string {
  const folder = environmentFolder(context);
  return process.platform === "win32"
    ? path.join(folder, "Scripts", "assist.exe")
    : path.join(folder, "bin", "assist");
}

/** Create the environment, install the server and fetch its model; undefined when that failed. */
export async function installPrivately(
  context: vscode.ExtensionContext,
  log: Log,
): Promise<string | undefined> {
  const folder = environmentFolder(context);
  const python = process.platform === "win32" ? "python" : "python3";
  const pip = path.join(path.dirname(privateServer(context)), "pip");
  const steps: [string, string, string[]][] = [
    ["creating an environment", python, ["-m", "venv", folder]],
    ["installing the server (compiles llama.cpp)", pip, ["install", "--upgrade", DISTRIBUTION]],
    ["fetching the embedded model", privateServer(context), ["models", "fetch"]],
  ];
  return vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: "assist", cancellable: true },
    async (progress, token) => {
      for (const [message, command, args] of steps) {
        progress.report({ message });
        try {
          await run(command, args, log, token);
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          const show = "Show output";
          void vscode.window
            .showErrorMessage(`assist could not be installed (${message}): ${reason}`, show)
            .then((answer) => {
              if (answer === show) {
                log.channel.show();
              }
            });
          return undefined;
        }
      }
      return privateServer(context);
    },
  );
}

function environmentFolder(context: vscode.ExtensionContext): string {
  return path.join(context.globalStorageUri.fsPath, "environment");
}
