// Entry of the extension: creates the parts and starts the server when a language needs it.
import * as vscode from "vscode";

import { createAcceptance } from "./acceptance";
import { registerCommands } from "./commands";
import { registerCodeLens } from "./lens";
import { createLog } from "./log";
import { createPauses } from "./pauses";
import { createServer, type Server } from "./server";
import { languageEnabled } from "./settings";
import { createStatus, type State } from "./status";
import { registerSuggestions } from "./suggest";

/** What tests inside the extension host can see. */
export interface Api {
  readonly server: Server;
  status: () => State;
}

export async function activate(context: vscode.ExtensionContext): Promise<Api> {
  const log = createLog();
  const status = createStatus("assist.menu");
  const pauses = createPauses();
  const acceptance = createAcceptance(() => server.client);
  const server: Server = createServer(context, log, status, pauses, acceptance);

  function showPause(): void {
    const document = vscode.window.activeTextEditor?.document;
    status.pausedHere(document !== undefined && pauses.isPaused(document));
  }

  let starting: Promise<void> | undefined;
  async function startWhenNeeded(document: vscode.TextDocument): Promise<void> {
    if (languageEnabled(document.languageId)) {
      starting ??= server.start();
      await starting;
    }
  }

  context.subscriptions.push(
    log,
    status,
    server,
    acceptance,
    ...registerCodeLens(),
    ...registerCommands({ context, log, server, status, pauses, showPause }),
    ...registerSuggestions({ log, server }),
    vscode.workspace.onDidOpenTextDocument(startWhenNeeded),
    vscode.window.onDidChangeActiveTextEditor(showPause),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("assist.server.path")) {
        void server.restart();
      }
      showPause();
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void server.restart()),
  );
  showPause();
  await Promise.all(vscode.workspace.textDocuments.map(startWhenNeeded));
  return { server, status: () => status.shown() };
}
