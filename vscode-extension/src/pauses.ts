// Where the user paused assist: single files until the window closes, languages in the settings.
import * as vscode from "vscode";

import { languageEnabled } from "./settings";

export interface PauseStore {
  isPaused(document: vscode.TextDocument): boolean;
  toggleFile(document: vscode.TextDocument): void;
}

export function createPauses(): PauseStore {
  const files = new Set<string>();
  return {
    isPaused: (document) =>
      files.has(document.uri.toString()) || !languageEnabled(document.languageId),
    toggleFile: (document) => {
      const key = document.uri.toString();
      if (!files.delete(key)) {
        files.add(key);
      }
    },
  };
}
