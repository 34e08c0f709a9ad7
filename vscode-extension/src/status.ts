// The status bar item and its menu; it shows states that others report and decides nothing.
import * as vscode from "vscode";

export type State =
  "starting" | "loading" | "ready" | "thinking" | "paused" | "problem" | "stopped";

const FACES: Record<State, { icon: string; text: string }> = {
  starting: { icon: "$(loading~spin)", text: "assist is starting" },
  loading: { icon: "$(loading~spin)", text: "assist loads its model" },
  ready: { icon: "$(sparkle)", text: "assist is ready" },
  thinking: { icon: "$(sync~spin)", text: "assist is thinking" },
  paused: { icon: "$(debug-pause)", text: "assist is paused here" },
  problem: { icon: "$(warning)", text: "assist has a problem" },
  stopped: { icon: "$(circle-slash)", text: "assist is not running" },
};

export interface Status {
  /** Show what the server reported. */
  report(state: State, message?: string): void;
  /** Show whether the active editor is paused; the server's state returns when it is not. */
  pausedHere(paused: boolean): void;
  /** What is shown now, for tests and for the menu's title. */
  shown(): State;
  dispose(): void;
}

export function createStatus(command: string): Status {
  const item = vscode.window.createStatusBarItem(
    "assist.status",
    vscode.StatusBarAlignment.Right,
    100,
  );
  item.name = "assist";
  item.command = command;
  let reported: State = "starting";
  let message: string | undefined;
  let paused = false;

  function shown(): State {
    return paused && reported !== "problem" && reported !== "stopped" ? "paused" : reported;
  }

  function render(): void {
    const state = shown();
    const face = FACES[state];
    item.text = `${face.icon} assist`;
    item.tooltip = message === undefined ? face.text : `${face.text}: ${message}`;
    item.accessibilityInformation = { label: face.text };
    item.backgroundColor =
      state === "problem" ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
    item.show();
  }

  render();
  return {
    report: (state, text) => {
      reported = state;
      message = text;
      render();
    },
    pausedHere: (value) => {
      paused = value;
      render();
    },
    shown,
    dispose: () => {
      item.dispose();
    },
  };
}
