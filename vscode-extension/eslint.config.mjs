import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["out", "node_modules", "**/*.mjs", "**/*.cjs"] },
  ...tseslint.configs.strictTypeChecked,
  { languageOptions: { parserOptions: { projectService: true } } },
);
