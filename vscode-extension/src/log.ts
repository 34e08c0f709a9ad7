// The output channels of the extension; nothing here reads settings or talks to the server.
import * as vscode from "vscode";

export interface Log {
  readonly channel: vscode.LogOutputChannel;
  readonly trace: vscode.LogOutputChannel;
  dispose(): void;
}

/** Channels for the server's messages and, when `assist.trace.server` is on, for the protocol. */
export function createLog(): Log {
  const channel = vscode.window.createOutputChannel("assist", { log: true });
  const trace = vscode.window.createOutputChannel("assist trace", { log: true });
  return {
    channel,
    trace,
    dispose: () => {
      channel.dispose();
      trace.dispose();
    },
  };
}
