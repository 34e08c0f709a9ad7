// The code lens "Find a faster version" above functions; off unless the user turns it on, and it runs nothing by itself.
import * as vscode from "vscode";

import { codeLensEnabled } from "./settings";

const HEADER = /^(?<indent>[ \t]*)(?<kind>class|def)[ \t]+\w+/;
const CODE = /^(?<indent>[ \t]*)[^\s#)\]}"']/;
const LINES_MAX = 20_000;

export function registerCodeLens(): { dispose(): unknown }[] {
  const changed = new vscode.EventEmitter<void>();
  return [
    changed,
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("assist.codeLens")) {
        changed.fire();
      }
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => {
      changed.fire();
    }),
    vscode.languages.registerCodeLensProvider(
      { language: "python" },
      {
        onDidChangeCodeLenses: changed.event,
        provideCodeLenses: (document) =>
          codeLensEnabled() && vscode.workspace.isTrusted ? functionLines(document).map(lens) : [],
      },
    ),
  ];
}

function lens(line: number): vscode.CodeLens {
  return new vscode.CodeLens(new vscode.Range(line, 0, line, 0), {
    title: "Find a faster version",
    command: "assist.suggestFunction",
    arguments: [line],
  });
}

/** Lines of the functions of the module and of its classes, by their indentation. */
function functionLines(document: vscode.TextDocument): number[] {
  const found: number[] = [];
  const classes: number[] = [];
  let inside = Infinity;
  for (let number = 0; number < Math.min(document.lineCount, LINES_MAX); number += 1) {
    const text = document.lineAt(number).text;
    const indent = CODE.exec(text)?.groups?.["indent"]?.length;
    // Code of a function is left out until a line that is indented no more than its header.
    if (indent === undefined || indent > inside) {
      continue;
    }
    inside = Infinity;
    while (classes.length > 0 && (classes.at(-1) ?? 0) >= indent) {
      classes.pop();
    }
    const kind = HEADER.exec(text)?.groups?.["kind"];
    if (kind === "class") {
      classes.push(indent);
    } else if (kind === "def") {
      inside = indent;
      if (indent === 0 || classes.length > 0) {
        found.push(number);
      }
    }
  }
  return found;
}
