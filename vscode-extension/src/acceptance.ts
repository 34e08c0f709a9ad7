// Tells the server what became of a proposal: that VS Code got it to show, and parts of it that were taken.
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";

// No part of the protocol yet; the names are those that clients of other assistants send.
const DID_SHOW = "textDocument/didShowCompletion";
const DID_ACCEPT_PART = "textDocument/didPartiallyAcceptCompletion";

/** The first proposal of the last answer, and how much of its text is in the document. */
interface Shown {
  uri: string;
  item: { insertText: string; command: vscode.Command };
  start: number;
  taken: number;
}

export interface Acceptance {
  dispose(): void;
  /** VS Code has this answer to show at a position. */
  offered(
    document: vscode.TextDocument,
    position: vscode.Position,
    items: readonly vscode.InlineCompletionItem[],
  ): void;
}

/** A whole proposal that is taken is told by its own command; this is about the rest. */
export function createAcceptance(client: () => LanguageClient | undefined): Acceptance {
  let shown: Shown | undefined;

  function notify(method: string, params: object): void {
    const running = client();
    if (running?.isRunning() === true) {
      void running.sendNotification(method, params);
    }
  }

  function changed(event: vscode.TextDocumentChangeEvent): void {
    if (shown === undefined || event.document.uri.toString() !== shown.uri) {
      return;
    }
    for (const change of event.contentChanges) {
      const { item, start, taken } = shown;
      const continues =
        change.rangeLength === 0 &&
        change.rangeOffset === start + taken &&
        item.insertText.startsWith(change.text, taken);
      if (!continues) {
        shown = undefined;
        return;
      }
      shown.taken = taken + change.text.length;
      // One character is typing; everything is an acceptance, which runs the command.
      if (change.text.length > 1 && shown.taken < item.insertText.length) {
        notify(DID_ACCEPT_PART, { item, acceptedLength: shown.taken });
      }
    }
  }

  const listening = vscode.workspace.onDidChangeTextDocument(changed);
  return {
    offered: (document, position, items) => {
      const first = items[0];
      shown = undefined;
      // Without a command the server does not count.
      if (first?.command === undefined) {
        return;
      }
      const { insertText } = first;
      const text = typeof insertText === "string" ? insertText : insertText.value;
      const start = document.offsetAt(first.range?.start ?? position);
      const taken = document.offsetAt(position) - start;
      const item = { insertText: text, command: first.command };
      shown = { uri: document.uri.toString(), item, start, taken };
      notify(DID_SHOW, { item });
    },
    dispose: () => {
      listening.dispose();
    },
  };
}
