// Runs one program to its end with its output in the log; it chooses no program by itself.
import { spawn } from "node:child_process";
import type * as vscode from "vscode";

import type { Log } from "./log";

/** Resolves with standard output; rejects with the last line of standard error, or when cancelled. */
export function run(
  command: string,
  args: string[],
  log: Log,
  token: vscode.CancellationToken,
): Promise<string> {
  return new Promise((resolve, reject) => {
    log.channel.info(`${command} ${args.join(" ")}`);
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    const output: string[] = [];
    let lastError = "";
    const cancel = token.onCancellationRequested(() => child.kill());
    child.stdout.on("data", (data: Buffer) => {
      output.push(data.toString());
    });
    child.stderr.on("data", (data: Buffer) => {
      lastError = data.toString().trimEnd().split("\n").at(-1) ?? "";
      log.channel.info(lastError);
    });
    child.on("error", reject);
    child.on("close", (code) => {
      cancel.dispose();
      if (code === 0) {
        resolve(output.join(""));
      } else {
        reject(
          new Error(token.isCancellationRequested ? "cancelled" : `exit code ${String(code)}`),
        );
      }
    });
  });
}
