// What the extension itself reads from the user's settings; the server pulls the rest by itself.
import * as vscode from "vscode";

const SECTION = "assist";
const LANGUAGES = "completion.languages";

/** Path of `assist` that the user set, or the empty string. Never read from an untrusted workspace. */
export function serverPath(): string {
  const inspected = vscode.workspace.getConfiguration(SECTION).inspect<string>("server.path");
  const trusted = vscode.workspace.isTrusted
    ? (inspected?.workspaceFolderValue ?? inspected?.workspaceValue)
    : undefined;
  return (trusted ?? inspected?.globalValue ?? inspected?.defaultValue ?? "").trim();
}

/** Whether functions carry the code lens "Find a faster version". */
export function codeLensEnabled(): boolean {
  return vscode.workspace.getConfiguration(SECTION).get<boolean>("codeLens", false);
}

/** Is assist on for this language? `*` stands for every language, `!id` leaves one out. */
export function languageEnabled(language: string): boolean {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  const languages = configuration.get<string[]>(LANGUAGES, []);
  return (
    configuration.get<boolean>("completion.enabled", true) &&
    !languages.includes(`!${language}`) &&
    (languages.includes("*") || languages.includes(language))
  );
}

export async function setLanguageEnabled(language: string, enabled: boolean): Promise<void> {
  const configuration = vscode.workspace.getConfiguration(SECTION);
  const others = configuration
    .get<string[]>(LANGUAGES, [])
    .filter((entry) => entry !== language && entry !== `!${language}`);
  const everything = others.includes("*");
  const languages = enabled
    ? everything
      ? others
      : [...others, language]
    : everything
      ? [...others, `!${language}`]
      : others;
  await configuration.update(LANGUAGES, languages, vscode.ConfigurationTarget.Global);
}

export async function setModel(name: string): Promise<void> {
  await vscode.workspace
    .getConfiguration(SECTION)
    .update("model.name", name, vscode.ConfigurationTarget.Global);
}
