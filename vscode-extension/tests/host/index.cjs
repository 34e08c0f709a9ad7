// Runs inside the extension host of a real VS Code: what only code with the `vscode` module can see.
const assert = require("node:assert/strict");
const vscode = require("vscode");

const ID = "assist-lsp.assist";
const READY_MS_MAX = 60_000;

const tests = {
    async "the extension activates and its server runs"() {
        const api = await activated();
        await until(() => api.status() === "ready", "the status becomes ready");
        assert.equal(api.server.client.isRunning(), true);
        assert.equal(api.server.client.initializeResult.serverInfo.name, "assist");
    },

    async "every declared command is registered"() {
        await activated();
        const declared = vscode.extensions.getExtension(ID).packageJSON.contributes.commands;
        const registered = new Set(await vscode.commands.getCommands(true));
        for (const { command } of declared) {
            assert.ok(registered.has(command), command);
        }
    },

    async "the server's status names its model"() {
        const api = await activated();
        await until(() => api.status() === "ready", "the status becomes ready");
        const status = await api.server.client.sendRequest("workspace/executeCommand", {
            command: "assist.status",
            arguments: [],
        });
        assert.equal(typeof status.model.name, "string");
    },

    async "a language that is turned off shows as paused"() {
        const api = await activated();
        const editor = await openPython("x = 1\n");
        await vscode.commands.executeCommand("assist.pauseLanguage");
        await until(() => api.status() === "paused", "the status becomes paused");
        const languages = vscode.workspace.getConfiguration("assist").get("completion.languages");
        assert.ok(languages.includes(`!${editor.document.languageId}`));
        await vscode.commands.executeCommand("assist.pauseLanguage");
        await until(() => api.status() !== "paused", "the pause ends");
    },

    async "functions carry a code lens where the user wants it"() {
        await activated();
        const text =
            'def f():\n    def g():\n        pass\n\nclass A:\n    """A."""\n    def h(self):\n        pass\n';
        const { document } = await openPython(text);
        const settings = vscode.workspace.getConfiguration("assist");
        const lines = async () => {
            const lenses = await vscode.commands.executeCommand(
                "vscode.executeCodeLensProvider",
                document.uri,
            );
            return lenses
                .filter((lens) => lens.command?.command === "assist.suggestFunction")
                .map((lens) => lens.range.start.line);
        };
        assert.deepEqual(await lines(), []);
        await settings.update("codeLens", true, vscode.ConfigurationTarget.Global);
        assert.deepEqual(await lines(), [0, 6]);
        await settings.update("codeLens", undefined, vscode.ConfigurationTarget.Global);
        assert.deepEqual(await lines(), []);
    },

    async "a restart leaves a running server"() {
        const api = await activated();
        await vscode.commands.executeCommand("assist.restartServer");
        await until(() => api.status() === "ready", "the status becomes ready");
        assert.equal(api.server.client.isRunning(), true);
    },
};

async function activated() {
    await openPython("import os\n");
    return vscode.extensions.getExtension(ID).activate();
}

async function openPython(content) {
    const document = await vscode.workspace.openTextDocument({ language: "python", content });
    return vscode.window.showTextDocument(document);
}

async function until(condition, what) {
    const end = Date.now() + READY_MS_MAX;
    while (!condition()) {
        if (Date.now() > end) {
            throw new Error(`waited in vain until ${what}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
}

exports.run = async function run() {
    const failures = [];
    for (const [name, body] of Object.entries(tests)) {
        try {
            await body();
            console.log(`ok ${name}`);
        } catch (error) {
            console.log(`not ok ${name}: ${error.stack ?? error}`);
            failures.push(name);
        }
    }
    if (failures.length > 0) {
        throw new Error(`failed: ${failures.join("; ")}`);
    }
};
