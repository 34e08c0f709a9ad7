// "Find a faster version": asks the server to verify, shows diff and evidence, applies what the user accepts.
import * as path from "node:path";
import * as vscode from "vscode";

import { request } from "./commands";
import type { Log } from "./log";
import type { Server } from "./server";

type Scope = "function" | "file" | "changed";

interface Place {
  line: number;
  column: number;
}

/** One entry of "suggestions" in the JSON of `assist suggest` (1-based, columns in code points). */
interface Suggestion {
  file: string;
  function: string;
  title: string;
  origin: string;
  edits: { start: Place; end: Place; text: string }[];
  patch: string;
  speedup: { ratio: number; low: number; high: number };
  evidence: {
    inputs: number;
    sources: Record<string, number>;
    branches: number;
    mutants: { killed: number; total: number };
    growth: string | null;
    relaxations: string[];
  };
}

interface Outcome {
  /** Folder that the names of files are relative to. */
  folder: string;
  suggestions: Suggestion[];
  rejected: { function: string; origin: string; verdict: string; reason: string }[];
  skipped: { function: string; reason: string }[];
}

/** What is on the screen and waits for a decision. */
interface Review {
  document: vscode.TextDocument;
  version: number;
  suggestion: Suggestion;
}

const SCHEME = "assist-suggestion";

export function registerSuggestions(parts: { log: Log; server: Server }): vscode.Disposable[] {
  const pages = new Map<string, string>();
  let review: Review | undefined;

  async function find(scope: Scope, line?: number): Promise<void> {
    if (!vscode.workspace.isTrusted) {
      void vscode.window.showWarningMessage(
        "assist runs code to verify a suggestion, and this workspace is not trusted. " +
          "Trust the workspace first; completions work without it.",
      );
      return;
    }
    const editor = vscode.window.activeTextEditor;
    if (editor === undefined) {
      return;
    }
    const version = editor.document.version;
    const outcome = await vscode.window.withProgress(
      {
        location: vscode.ProgressLocation.Notification,
        title: "assist looks for a faster version",
        cancellable: true,
      },
      (_progress, token) =>
        request<Outcome>(
          parts.server,
          "assist.findFaster",
          [
            {
              uri: editor.document.uri.toString(),
              line: line ?? editor.selection.active.line,
              version,
              scope,
              review: true,
            },
          ],
          token,
        ),
    );
    if (outcome === undefined) {
      return;
    }
    const suggestion = await choose(outcome);
    if (suggestion !== undefined) {
      const uri = vscode.Uri.file(path.resolve(outcome.folder, suggestion.file));
      const document = await vscode.workspace.openTextDocument(uri);
      const same = document.uri.toString() === editor.document.uri.toString();
      review = { document, version: same ? version : document.version, suggestion };
      await show(review, pages);
    }
  }

  async function apply(): Promise<void> {
    if (review === undefined) {
      return;
    }
    const { document, version, suggestion } = review;
    if (document.version !== version) {
      void vscode.window.showWarningMessage(
        `${suggestion.function} changed since it was verified. Look for a faster version again.`,
      );
      return;
    }
    const edit = new vscode.WorkspaceEdit();
    for (const change of suggestion.edits) {
      edit.replace(document.uri, rangeOf(document, change), change.text);
    }
    await closeReview();
    if (await vscode.workspace.applyEdit(edit)) {
      await document.save();
      await vscode.window.showTextDocument(document);
      parts.log.channel.info(`applied "${suggestion.title}" to ${suggestion.function}`);
    }
  }

  async function closeReview(): Promise<void> {
    review = undefined;
    const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs).filter(isReviewTab);
    await vscode.window.tabGroups.close(tabs);
  }

  return [
    vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
      provideTextDocumentContent: (uri) => pages.get(uri.path) ?? "",
    }),
    vscode.commands.registerCommand("assist.suggestFunction", (line?: unknown) =>
      // The editor's own menu passes the document's address.
      find("function", typeof line === "number" ? line : undefined),
    ),
    vscode.commands.registerCommand("assist.suggestFile", () => find("file")),
    vscode.commands.registerCommand("assist.suggestChanged", () => find("changed")),
    vscode.commands.registerCommand("assist.applySuggestion", apply),
    vscode.commands.registerCommand("assist.discardSuggestion", closeReview),
  ];
}

async function choose(outcome: Outcome): Promise<Suggestion | undefined> {
  if (outcome.suggestions.length === 0) {
    const reasons = [...outcome.rejected, ...outcome.skipped];
    const first = reasons[0];
    void vscode.window.showInformationMessage(
      first === undefined
        ? "assist found nothing to make faster here."
        : `assist has no faster version that behaves the same (${first.function}: ${first.reason}).`,
    );
    return undefined;
  }
  if (outcome.suggestions.length === 1) {
    return outcome.suggestions[0];
  }
  const picked = await vscode.window.showQuickPick(
    outcome.suggestions.map((suggestion) => ({
      label: `${suggestion.function}: ${suggestion.title}`,
      description: `${suggestion.speedup.ratio.toFixed(2)}× faster`,
      suggestion,
    })),
    { title: "Verified faster versions" },
  );
  return picked?.suggestion;
}

async function show(review: Review, pages: Map<string, string>): Promise<void> {
  const { document, suggestion } = review;
  pages.clear();
  const name = document.uri.path.split("/").pop() ?? "file";
  const after = vscode.Uri.from({ scheme: SCHEME, path: `/${String(Date.now())}/${name}` });
  const evidence = vscode.Uri.from({ scheme: SCHEME, path: `/${String(Date.now())}/evidence.md` });
  pages.set(after.path, edited(document, suggestion));
  pages.set(evidence.path, evidencePage(suggestion));
  await vscode.commands.executeCommand(
    "vscode.diff",
    document.uri,
    after,
    `${suggestion.function}: ${suggestion.title}`,
    { preview: true },
  );
  await vscode.commands.executeCommand("markdown.showPreviewToSide", evidence);
  const ratio = suggestion.speedup.ratio.toFixed(2);
  void vscode.window
    .showInformationMessage(`${suggestion.function} can be ${ratio}× faster.`, "Apply", "Discard")
    .then((answer) => {
      if (answer === "Apply") {
        void vscode.commands.executeCommand("assist.applySuggestion");
      } else if (answer === "Discard") {
        void vscode.commands.executeCommand("assist.discardSuggestion");
      }
    });
}

function edited(document: vscode.TextDocument, suggestion: Suggestion): string {
  const text = document.getText();
  const changes = suggestion.edits
    .map((change) => {
      const range = rangeOf(document, change);
      return {
        start: document.offsetAt(range.start),
        end: document.offsetAt(range.end),
        text: change.text,
      };
    })
    .sort((left, right) => right.start - left.start);
  return changes.reduce(
    (result, change) => result.slice(0, change.start) + change.text + result.slice(change.end),
    text,
  );
}

function rangeOf(
  document: vscode.TextDocument,
  change: { start: Place; end: Place },
): vscode.Range {
  return new vscode.Range(positionOf(document, change.start), positionOf(document, change.end));
}

/** From a 1-based place in code points to VS Code's UTF-16 columns. */
export function positionOf(document: vscode.TextDocument, place: Place): vscode.Position {
  const line = Math.min(place.line - 1, document.lineCount - 1);
  const units = Array.from(document.lineAt(line).text)
    .slice(0, place.column - 1)
    .join("").length;
  return new vscode.Position(place.line - 1, place.line - 1 > line ? 0 : units);
}

function evidencePage(suggestion: Suggestion): string {
  const { speedup, evidence } = suggestion;
  const sources = Object.entries(evidence.sources)
    .filter(([, count]) => count > 0)
    .map(([source, count]) => `${String(count)} ${source}`)
    .join(", ");
  const lines = [
    `# ${suggestion.function}: ${suggestion.title}`,
    "",
    `**${speedup.ratio.toFixed(2)}× faster** (95% interval ${speedup.low.toFixed(2)}–${speedup.high.toFixed(2)}), ` +
      "measured on this machine, same behaviour on every input that was tried.",
    "",
    "| evidence | |",
    "| --- | --- |",
    `| inputs compared | ${String(evidence.inputs)} (${sources}) |`,
    `| branches of the change that ran | ${String(Math.round(evidence.branches * 100))}% |`,
    `| deliberate mistakes noticed | ${mistakes(evidence.mutants)} |`,
    `| growth | ${evidence.growth ?? "unchanged"} |`,
    `| proposed by | ${suggestion.origin} |`,
  ];
  for (const relaxation of evidence.relaxations) {
    lines.push(`| relaxed | ${relaxation} |`);
  }
  return lines.join("\n") + "\n";
}

function mistakes(mutants: { killed: number; total: number }): string {
  return mutants.total === 0
    ? "the change has nothing to break on purpose"
    : `${String(mutants.killed)} of ${String(mutants.total)}`;
}

function isReviewTab(tab: vscode.Tab): boolean {
  const input = tab.input;
  if (input instanceof vscode.TabInputTextDiff) {
    return input.modified.scheme === SCHEME;
  }
  return (
    (input instanceof vscode.TabInputText && input.uri.scheme === SCHEME) ||
    (input instanceof vscode.TabInputWebview &&
      input.viewType.includes("markdown.preview") &&
      tab.label.includes("evidence.md"))
  );
}
